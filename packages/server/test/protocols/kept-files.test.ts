import assert from 'node:assert/strict';
import { appendFile, readFile, rename, stat, unlink, writeFile } from 'node:fs/promises';
import { describe, it } from 'node:test';
import { UserStore } from '@sluice/server';
import { ManualClock, type RawPeer } from '@sluice/testkit';
import { type Field, ProtocolFlag } from '@sluice/wire';
import { asked, extended, nextAnswer, openKept, openRequest } from '../support/remote-stream.js';
import { slowDisk } from '../support/slow-disk.js';
import { answer, ask, eventually, request, TestServer } from '../support/test-server.js';

const resume = (token: string, extra: Field[] = []): Uint8Array =>
  request('ResumeFile', [...extra, ['ResumeToken', token]]);

/** Cuts a connection, and waits until the server has put its file aside. */
async function cut(server: TestServer, peer: RawPeer): Promise<void> {
  const before = keptLines(server);
  peer.reset();
  await eventually('the file is kept', () => keptLines(server) > before);
}

function keptLines(server: TestServer): number {
  return server.events.filter(({ event }) => event === 'remote file kept').length;
}

async function codeOf(peer: RawPeer, bytes: Uint8Array): Promise<string | undefined> {
  await peer.send(bytes);
  return (await nextAnswer(peer)).keys['Code'];
}

describe('a remote file that outlives its connection (docs/protocol.md, 17.7)', () => {
  it('is the same after a cut link: mode, position and content, under another Handle', async () => {
    await using server = await TestServer.start();
    const peer = await extended(server);
    const token = await openKept(peer, 'f', 1);
    assert.match(token, /^[0-9a-f]{32}$/);
    await asked(peer, 'Write', [], Buffer.from('abcdef'));
    await asked(peer, 'SetPosition', [['Position', 4]]);
    await cut(server, peer);

    using again = await extended(server);
    await again.send(
      resume(token.toUpperCase(), [
        ['Tag', 1],
        ['Handle', 5],
      ]),
    );
    assert.deepEqual(await answer(again), [
      'Command=ResumeFile',
      'Code=0',
      'Tag=1',
      'Mode=1',
      'Size=6',
      'Position=4',
      'KeepMs=60000',
    ]);
    assert.equal((await asked(again, 'Write', [['Handle', 5]], Buffer.from('XY'))).keys['Code'], '0');
    assert.equal((await asked(again, 'GetPosition')).keys['Code'], '10');
    assert.equal(await readFile(server.path('f'), 'utf8'), 'abcdXY');
  });

  it('is kept again by the same token when the next link breaks', async () => {
    await using server = await TestServer.start();
    let peer = await extended(server);
    const token = await openKept(peer, 'f', 1);
    for (let i = 0; i < 3; i++) {
      await asked(peer, 'Write', [], Buffer.from('x'));
      await cut(server, peer);
      peer = await extended(server);
      assert.equal(await codeOf(peer, resume(token)), '0');
    }
    assert.equal((await asked(peer, 'GetPosition')).keys['Position'], '3');
    peer.destroy();
  });

  it('stays in its one writer’s hands meanwhile, for RemoteStream, upload, download and removal', async () => {
    await using server = await TestServer.start();
    const peer = await extended(server);
    await openKept(peer, 'f', 1);
    await cut(server, peer);
    using other = await extended(server);
    for (const mode of [0, 1]) assert.equal(await codeOf(other, openRequest('f', mode)), '11');
    using uploader = await server.login(ProtocolFlag.Upload);
    const named: Field[] = [
      ['DirName', ''],
      ['FileName', 'f'],
    ];
    assert.equal((await ask(uploader, 'Upload', named))[1], 'Code=11');
    assert.equal(
      (
        await ask(uploader, 'DeleteFile', [
          ['DirName', ''],
          ['Item', 'f'],
        ])
      )[1],
      'Code=33554439',
    );
  });

  it('is closed when nobody comes back in time, and not before; then its token is worth nothing', async () => {
    const clock = new ManualClock();
    await using server = await TestServer.start({ clock });
    const peer = await extended(server);
    const token = await openKept(peer, 'f', 1, 5000);
    await cut(server, peer);
    using other = await extended(server);
    clock.advance(4999);
    assert.equal(await codeOf(other, openRequest('f', 1)), '11');
    clock.advance(1);
    await eventually('free', async () => (await codeOf(other, openRequest('f', 1))) === '0');
    assert.equal(await codeOf(other, resume(token)), '10');
  });

  it('is kept as long as the client asks, and no longer than the server allows', async () => {
    const clock = new ManualClock();
    await using server = await TestServer.start({ clock, keepFilesMs: 10_000 });
    using peer = await extended(server);
    await peer.send(openRequest('f', 1, [['KeepMs', 2_147_483_647]]));
    assert.deepEqual((await answer(peer)).at(-1), 'KeepMs=10000');
    await peer.send(openRequest('f', 1, [['KeepMs', 300]]));
    assert.deepEqual((await answer(peer)).at(-1), 'KeepMs=300');
    for (const keepMs of ['-1', 'x', '2147483648'])
      assert.equal(await codeOf(peer, openRequest('f', 1, [['KeepMs', keepMs]])), '6');
  });

  it('is not kept when nobody asks, when 0 is asked for, and when the server keeps none', async () => {
    for (const [options, fields] of [
      [{}, []],
      [{}, [['KeepMs', 0]]],
      [{ keepFilesMs: 0 }, [['KeepMs', 1000]]],
    ] as [{ keepFilesMs?: number }, Field[]][]) {
      await using server = await TestServer.start(options);
      const peer = await extended(server);
      await peer.send(openRequest('f', 1, fields));
      assert.deepEqual(await answer(peer), ['Command=OpenFile', 'Code=0', 'Size=0']);
      peer.reset();
      using other = await extended(server);
      await eventually('free', async () => (await codeOf(other, openRequest('f', 1))) === '0');
      assert.equal(keptLines(server), 0);
    }
  });

  it('is gone after CloseFile, and after another OpenFile under its Handle', async () => {
    await using server = await TestServer.start();
    const peer = await extended(server);
    const closed = await openKept(peer, 'f', 1);
    await ask(peer, 'CloseFile');
    const replaced = await openKept(peer, 'f', 1);
    const last = await openKept(peer, 'f', 1);
    assert.equal(new Set([closed, replaced, last]).size, 3);
    for (const token of [closed, replaced]) assert.equal(await codeOf(peer, resume(token)), '10');
    assert.equal(await codeOf(peer, resume(last)), '0');
    peer.destroy();
  });

  it('is taken over at once from a connection that has not ended, which finds it closed', async () => {
    await using server = await TestServer.start();
    using dead = await extended(server);
    const token = await openKept(dead, 'f', 1);
    await asked(dead, 'Write', [], Buffer.from('abc'));
    using peer = await extended(server);
    await peer.send(resume(token));
    assert.equal((await nextAnswer(peer)).keys['Position'], '3');
    assert.equal((await asked(dead, 'Write', [], Buffer.from('x'))).keys['Code'], '10');
    assert.equal((await asked(peer, 'Write', [], Buffer.from('d'))).keys['Code'], '0');
    dead.reset();
    await eventually('one connection', () => server.server.listener.connections.size === 1);
    assert.equal((await asked(peer, 'Write', [], Buffer.from('e'))).keys['Code'], '0');
    assert.equal(await readFile(server.path('f'), 'utf8'), 'abcde');
    assert.ok(server.events.some(({ event }) => event === 'remote file taken over'));
  });

  it('is taken over when the requests that were begun on it are done', async () => {
    await using server = await TestServer.start();
    using disk = slowDisk((await stat(server.root)).dev, 'thread pool');
    void disk;
    using dead = await extended(server);
    const token = await openKept(dead, 'f', 1);
    const block = Buffer.alloc(100_000, 'x');
    void dead.send(...Array.from({ length: 50 }, () => request('Write', [], block)));
    await nextAnswer(dead);
    using peer = await extended(server);
    await peer.send(resume(token));
    const { keys } = await nextAnswer(peer);
    assert.equal(keys['Code'], '0');
    assert.equal(Number(keys['Position']) % block.length, 0);
    assert.equal(keys['Size'], keys['Position']);
  });

  it('moves to another Handle of its own connection', async () => {
    await using server = await TestServer.start();
    using peer = await extended(server);
    const token = await openKept(peer, 'f', 1);
    assert.equal(await codeOf(peer, resume(token, [['Handle', 1]])), '0');
    assert.equal((await asked(peer, 'GetPosition')).keys['Code'], '10');
    assert.equal((await asked(peer, 'GetPosition', [['Handle', 1]])).keys['Code'], '0');
    assert.equal(await codeOf(peer, resume(token, [['Handle', 1]])), '0');
    assert.equal((await asked(peer, 'GetPosition', [['Handle', 1]])).keys['Code'], '0');
  });

  it('closes what was open under the Handle of ResumeFile', async () => {
    await using server = await TestServer.start();
    using first = await extended(server);
    const token = await openKept(first, 'f', 1);
    using peer = await extended(server);
    await peer.send(openRequest('g', 1));
    await nextAnswer(peer);
    assert.equal(await codeOf(peer, resume(token)), '0');
    assert.equal(await codeOf(first, openRequest('g', 1)), '0');
  });

  it('is another user’s to nobody, and a token that was never given is worth as little', async () => {
    const users = await UserStore.fromPairs([
      { name: 'admin', password: 'admin' },
      { name: 'bob', password: 'admin' },
    ]);
    await using server = await TestServer.start({ users });
    const peer = await extended(server);
    const token = await openKept(peer, 'f', 1);
    await cut(server, peer);
    using other = await server.connect();
    await other.send(
      Uint8Array.of(ProtocolFlag.RemoteStream),
      request('Login', [
        ['UserName', 'bob'],
        ['Password', '21232f297a57a5a743894a0e4a801fc3'],
        ['Features', ''],
      ]),
    );
    await answer(other);
    const refused = await ask(other, 'ResumeFile', [['ResumeToken', token]]);
    assert.deepEqual(refused, await ask(other, 'ResumeFile', [['ResumeToken', '0'.repeat(32)]]));
    assert.equal(refused[1], 'Code=10');
    using owner = await extended(server);
    assert.equal(await codeOf(owner, resume(token)), '0');
  });

  it('is open to anybody by its token where no login is needed, and to no user who has logged in', async () => {
    await using server = await TestServer.start({ openProtocols: ['remote-stream'] });
    const anybody = async (): Promise<RawPeer> => {
      const peer = await server.connect();
      await peer.send(Uint8Array.of(ProtocolFlag.RemoteStream), request('Active', [['Features', '']]));
      await answer(peer);
      return peer;
    };
    const peer = await anybody();
    const token = await openKept(peer, 'f', 1);
    await cut(server, peer);
    using user = await extended(server);
    assert.equal(await codeOf(user, resume(token)), '10');
    using again = await anybody();
    assert.equal(await codeOf(again, resume(token)), '0');
  });

  for (const token of ['', 'x', '0'.repeat(31), '0'.repeat(33), `${'0'.repeat(31)}g`]) {
    it(`answers 6 for "${token}", which is no token`, async () => {
      await using server = await TestServer.start();
      using peer = await extended(server);
      assert.equal(await codeOf(peer, resume(token)), '6');
      assert.equal(await codeOf(peer, request('ResumeFile')), '6');
    });
  }

  it('appears in no line of the log with its token', async () => {
    await using server = await TestServer.start();
    const peer = await extended(server);
    const token = await openKept(peer, 'f', 1);
    await cut(server, peer);
    using again = await extended(server);
    await codeOf(again, resume(token));
    await codeOf(again, resume('f'.repeat(32)));
    const log = JSON.stringify(server.events);
    assert.ok(log.includes('remote file resumed'));
    assert.ok(!log.includes(token) && !log.includes('f'.repeat(32)));
  });
});

describe('a kept file that has changed meanwhile', () => {
  const changes: [string, (path: string) => Promise<void>][] = [
    ['grown', (path) => appendFile(path, 'x')],
    ['been written with as many bytes', (path) => writeFile(path, 'ABC')],
    [
      'been replaced',
      async (path) => {
        await writeFile(`${path}.new`, 'abc');
        await rename(`${path}.new`, path);
      },
    ],
    ['been removed', (path) => unlink(path)],
    ['been renamed', (path) => rename(path, `${path}.old`)],
  ];
  for (const [what, change] of changes) {
    for (const mode of [0, 1]) {
      it(`because it has ${what} is answered with 15 in mode ${mode}, once, and is free then`, async () => {
        await using server = await TestServer.start();
        await writeFile(server.path('f'), 'abc');
        const peer = await extended(server);
        const token = await openKept(peer, 'f', mode);
        if (mode === 1) await asked(peer, 'Write', [], Buffer.from('a'));
        await cut(server, peer);
        // The time of a change has the grain of the system's clock tick: wait until it has moved.
        const { mtimeMs } = await stat(server.path('f'));
        await eventually('a tick', () => Date.now() > mtimeMs + 20);
        await change(server.path('f'));
        using again = await extended(server);
        assert.equal(await codeOf(again, resume(token, [['Tag', 1]])), '15');
        assert.equal(await codeOf(again, resume(token)), '10');
        assert.equal((await asked(again, 'GetPosition')).keys['Code'], '10');
        assert.equal(await codeOf(again, openRequest('f', 1)), '0');
      });
    }
  }

  it('has not when all that happened was what the holder itself had written', async () => {
    await using server = await TestServer.start();
    const peer = await extended(server);
    const token = await openKept(peer, 'f', 1);
    await asked(peer, 'Write', [], Buffer.from('abc'));
    await asked(peer, 'SetSize', [['Size', 10]]);
    await asked(peer, 'WriteAt', [['Position', 100]], Buffer.from('z'));
    await cut(server, peer);
    using again = await extended(server);
    assert.equal(await codeOf(again, resume(token)), '0');
  });

  it('has not when a reader has looked at it since: that is how a file is followed that grows', async () => {
    await using server = await TestServer.start();
    await writeFile(server.path('f'), 'abc');
    const peer = await extended(server);
    const token = await openKept(peer, 'f', 0);
    await appendFile(server.path('f'), 'def');
    assert.equal((await asked(peer, 'Stat')).keys['Size'], '6');
    await cut(server, peer);
    using again = await extended(server);
    assert.equal(await codeOf(again, resume(token)), '0');
  });
});

describe('kept files are bounded', () => {
  it('64 of one user without a connection: the one left first gives way', async () => {
    await using server = await TestServer.start();
    const tokens: string[] = [];
    for (let i = 0; i < 65; i++) {
      const peer = await extended(server);
      tokens.push(await openKept(peer, `f${i}`, 1));
      await cut(server, peer);
    }
    using again = await extended(server);
    assert.equal(await codeOf(again, resume(tokens[0]!)), '10');
    assert.equal(await codeOf(again, openRequest('f0', 1)), '0');
    assert.equal(await codeOf(again, resume(tokens[1]!)), '0');
    assert.equal(await codeOf(again, resume(tokens[64]!)), '0');
    assert.equal(server.events.filter(({ event }) => event === 'remote file given up').length, 1);
  });

  it('and end with the server, which waits for none of them', async () => {
    const clock = new ManualClock();
    await using server = await TestServer.start({ clock });
    const peer = await extended(server);
    await openKept(peer, 'f', 1);
    using idle = await extended(server);
    await openKept(idle, 'g', 1);
    await cut(server, peer);
    const drained = server.server.drain(10_000);
    await idle.waitForClose();
    assert.equal(await drained, 0);
    assert.equal(clock.pendingTimers, 0);
  });
});

describe('who may only read', () => {
  it('opens files for reading and no others, and writes no more to those that are open, when the server is made read-only', async () => {
    await using server = await TestServer.start();
    using peer = await extended(server);
    const token = await openKept(peer, 'f', 1);
    await asked(peer, 'Write', [], Buffer.from('abc'));
    using control = await server.login(ProtocolFlag.Control, [['Features', '']]);
    assert.equal((await ask(control, 'ReadOnly', [['Value', 'on']]))[1], 'Code=0');
    assert.equal((await asked(peer, 'Write', [], Buffer.from('x'))).keys['Code'], '13');
    assert.equal((await asked(peer, 'WriteAt', [['Position', 0]], Buffer.from('x'))).keys['Code'], '13');
    assert.equal((await asked(peer, 'SetSize', [['Size', 0]])).keys['Code'], '13');
    assert.equal(await codeOf(peer, openRequest('g', 1)), '13');
    assert.equal(
      (
        await asked(peer, 'ReadAt', [
          ['Position', 0],
          ['Count', 9],
        ])
      ).data.toString(),
      'abc',
    );
    assert.equal(await codeOf(peer, resume(token)), '0');
    assert.equal(await codeOf(peer, openRequest('f', 0)), '0');
    assert.equal(await readFile(server.path('f'), 'utf8'), 'abc');
  });
});
