import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ManualClock } from '@sluice/testkit';
import fc from 'fast-check';
import { SINGLE_PROCESS } from '../../../../packages/server/dist/coordination/single-process.js';
import { LoginSessions } from '../../../../packages/server/dist/http/login/login-sessions.js';
import { sessionTokenOf } from '../../../../packages/server/dist/http/login/session-cookie.js';
import { SessionTokens } from '../../../../packages/server/dist/http/login/session-token.js';

const KEY = new Uint8Array(32).fill(7);
const HOUR_MS = 3_600_000;

function openSessions(stamps = new Map([['ada', 'one']])) {
  const clock = new ManualClock();
  const startMs = 1_800_000_000_000;
  const sessions = new LoginSessions({
    key: KEY,
    lastsMs: 12 * HOUR_MS,
    stampOf: (name) => stamps.get(name),
    clock,
    coordinator: SINGLE_PROCESS,
    now: () => startMs + clock.nowMs(),
  });
  return { clock, sessions, stamps };
}

describe('a login', () => {
  it('lasts 12 hours and no longer, whatever is done meanwhile', () => {
    const { clock, sessions } = openSessions();
    const { token, session } = sessions.begin('ada')!;
    const { aborted: hasEnded } = sessions.endedSignal(session);
    const signal = sessions.endedSignal(session);
    for (let hour = 0; hour < 11; hour++) {
      clock.advance(HOUR_MS);
      assert.ok(sessions.find(token));
    }
    assert.deepEqual([hasEnded, signal.aborted], [false, false]);
    clock.advance(HOUR_MS);
    assert.equal(sessions.find(token), undefined);
    assert.equal(signal.aborted, true);
    sessions.close();
  });

  it('is begun only by who may log in, and is void when that changes', () => {
    const { clock, sessions, stamps } = openSessions();
    assert.equal(sessions.begin('bob'), undefined);
    const { token, session } = sessions.begin('ada')!;
    const signal = sessions.endedSignal(session);
    stamps.set('ada', 'two');
    assert.equal(sessions.find(token), undefined);
    clock.advance(10_000);
    assert.equal(signal.aborted, true);
    sessions.close();
  });

  it('ends alone by a logout, and with all others of the user when that has logged out a thousand times', async () => {
    const { clock, sessions } = openSessions();
    const first = sessions.begin('ada')!;
    const second = sessions.begin('ada')!;
    await sessions.end(second.session);
    assert.ok(sessions.find(first.token));
    assert.equal(sessions.find(second.token), undefined);
    for (let at = 0; at < 1000; at++) await sessions.end(sessions.begin('ada')!.session);
    assert.equal(sessions.find(first.token), undefined);
    assert.equal(sessions.find(second.token), undefined);
    clock.advance(1);
    assert.ok(sessions.find(sessions.begin('ada')!.token), 'a later one');
    sessions.close();
  });
});

describe('a token', () => {
  const tokens = new SessionTokens(KEY, () => 'stamp');

  it('tells whose it is and how long, for every name', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1, maxLength: 255, unit: 'binary' }), fc.nat(), (name, nowMs) => {
        const { token, session } = tokens.issue(name, nowMs, 1000)!;
        assert.deepEqual(tokens.read(token, nowMs + 999), session);
        assert.equal(tokens.read(token, nowMs + 1000), undefined);
      }),
    );
  });

  it('is nobody\u2019s when anything of it, or the key, or the stamp is another', () => {
    const { token } = tokens.issue('ada', 1, 1000)!;
    fc.assert(
      fc.property(fc.nat(token.length - 1), fc.constantFrom(...'azAZ09-_.'), (at, letter) => {
        const forged = token.slice(0, at) + letter + token.slice(at + 1);
        assert.equal(tokens.read(forged, 1) === undefined, forged !== token, forged);
      }),
    );
    assert.equal(new SessionTokens(new Uint8Array(32), () => 'stamp').read(token, 1), undefined);
    assert.equal(new SessionTokens(KEY, () => 'other').read(token, 1), undefined);
    assert.equal(new SessionTokens(KEY, () => undefined).read(token, 1), undefined);
  });

  it('can be read from anything without an error', () => {
    fc.assert(fc.property(fc.string(), (text) => tokens.read(text, 1) === undefined));
    fc.assert(fc.property(fc.string(), fc.boolean(), (text, isSecure) => sessionTokenOf(text, isSecure) !== ''));
  });
});

describe('the cookie', () => {
  it('is taken by its first name and, over TLS, only by the one that no other host can set', () => {
    const both = 'a=b; sluice-session=plain; __Host-sluice-session=secure; sluice-session=late';
    assert.equal(sessionTokenOf(both, true), 'secure');
    assert.equal(sessionTokenOf(both, false), 'secure');
    assert.equal(sessionTokenOf('sluice-session=plain; sluice-session=late', false), 'plain');
    assert.equal(sessionTokenOf('sluice-session=plain', true), undefined);
    assert.equal(sessionTokenOf(undefined, false), undefined);
  });
});
