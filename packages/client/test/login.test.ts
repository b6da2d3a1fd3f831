import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { connect, LOGIN_POLICIES } from '@sluice/client';
import { type CommandText, decodeCommandText, decodeResponse, Key, responseText } from '@sluice/wire';
import { logIn } from '../../../packages/client/dist/login.js';
import { LoginMemory } from '../../../packages/client/dist/login-memory.js';
import { isLoopback } from '../../../packages/client/dist/loopback.js';
import { nodePlatform } from '../../../packages/client/dist/node-platform.js';
import { Fixture } from './fixture.js';

const endpoint = { host: 'server.example', port: 9999, userName: 'ada', password: 'secret' };

function read(text: Uint8Array): CommandText {
  return decodeCommandText(text, 0, text.length);
}

/** A server of the original system, reached by a link that others can read, or not. */
function originalServer(isPrivate: boolean, codeWithoutPassword = 6) {
  const requests: CommandText[] = [];
  return {
    requests,
    isPrivate,
    channelBinding: () => undefined,
    ask: async (text: Uint8Array) => {
      const request = read(text);
      requests.push(request);
      const code = request.first(Key.Password) === undefined ? codeWithoutPassword : 0;
      return decodeResponse(read(responseText('Login', code)));
    },
  };
}

describe('The digest of the password', () => {
  const sent: Record<(typeof LOGIN_POLICIES)[number], readonly [onPrivateLink: boolean, elsewhere: boolean]> = {
    auto: [true, false],
    scram: [false, false],
    any: [true, true],
    digest: [true, true],
  };
  for (const policy of LOGIN_POLICIES) {
    for (const [index, where] of ['over TLS and on this machine', 'on links that others can read'].entries()) {
      const isSent = sent[policy][index];
      it(`with the policy ${policy}, ${where}, is ${isSent ? '' : 'not '}sent to a server that has nothing else`, async () => {
        for (const code of [5, 6, 7]) {
          const link = originalServer(index === 0, code);
          const login = logIn(link, endpoint, policy, new LoginMemory(), nodePlatform.crypto);
          if (isSent) await login;
          else
            await assert.rejects(login, { code: 'ERR_LOGIN_METHOD', message: /server\.example has no login by SCRAM/ });
          const digests = link.requests.filter((request) => request.first(Key.Password) !== undefined);
          assert.equal(digests.length, isSent ? 1 : 0);
          assert.equal(link.requests.length, (isSent ? 1 : 0) + (policy === 'digest' ? 0 : 1));
        }
      });
    }
  }

  it('is not sent to a server that knows SCRAM and refuses, whatever its code', async () => {
    for (const code of [4, 6, 7, 12]) {
      const requests: CommandText[] = [];
      const link = {
        isPrivate: true,
        channelBinding: () => undefined,
        ask: async (text: Uint8Array) => {
          requests.push(read(text));
          return decodeResponse(read(responseText('Login', code, [[Key.Mechanisms, 'SCRAM-SHA-256']])));
        },
      };
      await assert.rejects(logIn(link, endpoint, 'any', new LoginMemory(), nodePlatform.crypto), {
        code: 'ERR_REMOTE',
        resultCode: code,
      });
      assert.equal(requests.length, 1);
    }
  });

  it('that a server does not take is an error that says so', async () => {
    const link = {
      isPrivate: false,
      channelBinding: () => undefined,
      ask: async () => decodeResponse(read(responseText('Login', 13, [[Key.Mechanisms, 'SCRAM-SHA-256']]))),
    };
    await assert.rejects(logIn(link, endpoint, 'digest', new LoginMemory(), nodePlatform.crypto), {
      code: 'ERR_LOGIN_METHOD',
      message: /use SCRAM/,
    });
  });

  it('is sent to an original server, on the connection on which it was asked for SCRAM', async () => {
    await using fixture = await Fixture.make();
    assert.deepEqual(fixture.server.commands, ['login', 'login', 'active']);
    assert.equal(fixture.server.acceptedConnections, 1);
  });

  it('is not sent to an original server that is to prove itself', async () => {
    await using fixture = await Fixture.make();
    await assert.rejects(connect(fixture.server.url, { login: 'scram' }), { code: 'ERR_LOGIN_METHOD' });
    assert.equal(fixture.server.texts.at(-1)?.first('Password'), undefined);
  });
});

describe('LoginMemory', () => {
  it('salts a password once for all connections, also for those that ask at the same time, and keeps a few', async () => {
    const memory = new LoginMemory();
    const salt = (n: number) => Uint8Array.of(n);
    const first = memory.saltedPassword(nodePlatform.crypto, 'secret', salt(0), 4096);
    assert.equal(memory.saltedPassword(nodePlatform.crypto, 'secret', salt(0), 4096), first);
    assert.notEqual(memory.saltedPassword(nodePlatform.crypto, 'secret', salt(0), 4097), first);
    for (let n = 1; n <= 4; n += 1) await memory.saltedPassword(nodePlatform.crypto, 'secret', salt(n), 4096);
    const again = memory.saltedPassword(nodePlatform.crypto, 'secret', salt(0), 4096);
    assert.notEqual(again, first);
    assert.deepEqual(await again, await first);
  });
});

describe('isLoopback', () => {
  for (const [address, expected] of [
    ['127.0.0.1', true],
    ['127.255.0.9', true],
    ['::1', true],
    ['::ffff:127.0.0.1', true],
    ['128.0.0.1', false],
    ['10.127.0.1', false],
    ['127.evil.example', false],
    ['::2', false],
    ['', false],
  ] as const) {
    it(`says ${expected} for ${JSON.stringify(address)}`, () => assert.equal(isLoopback(address), expected));
  }
});
