import assert from 'node:assert/strict';
import { mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { describe, it } from 'node:test';
import { splitEvery } from '@sluice/testkit';
import { ProtocolFlag } from '@sluice/wire';
import { asked, extended, nextAnswer, openRequest, taggedAnswers } from '../support/remote-stream.js';
import { slowDisk } from '../support/slow-disk.js';
import { answer, ask, eventually, login, request, TestServer } from '../support/test-server.js';

const readAt = (tag: number, position: number, count: number): Uint8Array =>
  request('ReadAt', [
    ['Tag', tag],
    ['Position', position],
    ['Count', count],
  ]);

const writeAt = (tag: number, position: number, data: string): Uint8Array =>
  request(
    'WriteAt',
    [
      ['Tag', tag],
      ['Position', position],
    ],
    Buffer.from(data),
  );

describe('Tag (docs/protocol.md, 17.5)', () => {
  it('is repeated directly behind Code, and in a refusal behind Message', async () => {
    await using server = await TestServer.start();
    await writeFile(server.path('f'), 'abc');
    using peer = await extended(server);
    await peer.send(openRequest('f', 0, [['Tag', 2_147_483_647]]), readAt(0, 1, 5), readAt(7, -1, 5));
    assert.deepEqual(await answer(peer), ['Command=OpenFile', 'Code=0', 'Tag=2147483647', 'Size=3']);
    const { text, data } = await peer.nextPacket();
    assert.equal(text, '[Response]\r\nCommand=ReadAt\r\nCode=0\r\nTag=0\r\nCount=2');
    assert.equal(Buffer.from(data).toString(), 'bc');
    const refused = await answer(peer);
    assert.deepEqual([refused[0], refused[1], refused[3]], ['Command=ReadAt', 'Code=6', 'Tag=7']);
    assert.match(refused[2]!, /^Message=/);
    for (const command of ['GetSize', 'GetPosition', 'CloseFile', 'GetSize'])
      assert.equal((await asked(peer, command, [['Tag', 9]])).keys['Tag'], '9', command);
  });

  for (const tag of ['-1', '2147483648', '', 'x', '1.0']) {
    it(`of "${tag}" is code 6, without a Tag`, async () => {
      await using server = await TestServer.start();
      using peer = await extended(server);
      const { keys } = await asked(peer, 'FileExists', [
        ['FileName', 'f'],
        ['Tag', tag],
      ]);
      assert.equal(keys['Code'], '6');
      assert.equal('Tag' in keys, false);
    });
  }

  for (const pacing of ['fast', 'thread pool', 'changing'] as const) {
    it(`brings each answer to its request, with a disk that is ${pacing}`, async () => {
      await using server = await TestServer.start();
      const content = Buffer.from(Array.from({ length: 100_000 }, (_, i) => (i * 7 + (i >> 8)) & 255));
      await writeFile(server.path('f'), content);
      using disk = pacing === 'fast' ? undefined : slowDisk((await stat(server.root)).dev, pacing);
      void disk;
      using peer = await extended(server);
      const places = Array.from({ length: 300 }, (_, i) => ({ position: (i * 331) % 99_000, count: (i * 97) % 5000 }));
      const requests = Buffer.concat([
        openRequest('f', 0, [['Tag', 1000]]),
        ...places.map(({ position, count }, tag) => readAt(tag, position, count)),
        request('CloseFile', [['Tag', 1001]]),
      ]);
      for (const piece of splitEvery(requests, 1009)) void peer.send(piece);
      const first = await nextAnswer(peer);
      assert.equal(first.keys['Tag'], '1000');
      const answers = await taggedAnswers(peer, places.length);
      for (const [tag, { position, count }] of places.entries()) {
        assert.ok(answers.get(`${tag}`)?.data.equals(content.subarray(position, position + count)), `tag ${tag}`);
      }
      assert.deepEqual(await answer(peer), ['Command=CloseFile', 'Code=0', 'Tag=1001']);
    });
  }

  it('lets an answer go ahead of an earlier one that takes longer', async () => {
    await using server = await TestServer.start();
    await writeFile(server.path('f'), Buffer.alloc(9_000_000, 1));
    using disk = slowDisk((await stat(server.root)).dev, 'direct');
    void disk;
    using peer = await extended(server);
    await peer.send(openRequest('f', 0));
    await answer(peer);
    // The large one goes through the thread pool, the small one need not.
    await peer.send(readAt(1, 0, 8_000_000), readAt(2, 0, 10));
    assert.deepEqual([...(await taggedAnswers(peer, 2)).keys()], ['2', '1']);
  });

  it('makes no difference to the order of requests without one: each waits for all before it, and all behind wait for it', async () => {
    await using server = await TestServer.start();
    using disk = slowDisk((await stat(server.root)).dev, 'thread pool');
    void disk;
    using peer = await extended(server);
    await peer.send(
      openRequest('f', 1),
      writeAt(1, 0, 'aaaa'),
      writeAt(2, 4, 'bbbb'),
      request('Read', [['Count', 8]]),
      writeAt(3, 0, 'c'),
      request('SetSize', [
        ['Tag', 4],
        ['Size', 5],
      ]),
      readAt(5, 0, 8),
      request('CloseFile'),
      request('GetSize', [['Tag', 6]]),
    );
    assert.deepEqual(await answer(peer), ['Command=OpenFile', 'Code=0', 'Size=0']);
    assert.deepEqual([...(await taggedAnswers(peer, 2)).keys()].sort(), ['1', '2']);
    assert.equal((await nextAnswer(peer)).data.toString(), 'aaaabbbb');
    assert.equal((await nextAnswer(peer)).keys['Tag'], '3');
    assert.equal((await nextAnswer(peer)).keys['Tag'], '4');
    assert.equal((await nextAnswer(peer)).data.toString(), 'caaab');
    assert.equal((await nextAnswer(peer)).keys['Command'], 'CloseFile');
    assert.equal((await nextAnswer(peer)).keys['Code'], '10');
    assert.equal(await readFile(server.path('f'), 'utf8'), 'caaab');
  });

  it('holds requests back when 64 are in progress, and loses none', async () => {
    await using server = await TestServer.start();
    using disk = slowDisk((await stat(server.root)).dev, 'thread pool');
    void disk;
    using peer = await extended(server);
    await peer.send(openRequest('f', 1));
    await answer(peer);
    void peer.send(...Array.from({ length: 1000 }, (_, i) => writeAt(i, i * 10, `${i}`.padStart(10, '.'))));
    assert.equal((await taggedAnswers(peer, 1000)).size, 1000);
    const content = await readFile(server.path('f'), 'utf8');
    assert.equal(content, Array.from({ length: 1000 }, (_, i) => `${i}`.padStart(10, '.')).join(''));
  });

  it('bounds what waits for a peer that does not read, also when every read is large', async () => {
    await using server = await TestServer.start();
    await writeFile(server.path('f'), Buffer.alloc(10_000_000, 1));
    using peer = await extended(server);
    await peer.send(openRequest('f', 0));
    await answer(peer);
    peer.pause();
    for (let i = 0; i < 40; i++) void peer.send(readAt(i, 0, 9_000_000));
    const [connection] = server.server.listener.connections;
    await eventually('something is queued', () => (connection?.queuedBytes ?? 0) > 1 << 20);
    for (let i = 0; i < 20; i++) {
      await new Promise((resolve) => setImmediate(resolve));
      assert.ok((connection?.queuedBytes ?? 0) < 20 << 20, `${connection?.queuedBytes}`);
    }
    peer.resume();
    assert.equal((await taggedAnswers(peer, 40)).size, 40);
  });

  it('keeps nothing waiting when the connection breaks in the middle', async () => {
    await using server = await TestServer.start();
    await writeFile(server.path('f'), Buffer.alloc(100_000, 1));
    using disk = slowDisk((await stat(server.root)).dev, 'thread pool');
    void disk;
    const peer = await extended(server);
    await peer.send(openRequest('f', 0), ...Array.from({ length: 500 }, (_, i) => readAt(i, 0, 1000)));
    await nextAnswer(peer);
    peer.reset();
    await eventually('gone', () => server.server.listener.connections.size === 0);
    using other = await extended(server);
    await eventually('the file is free', async () => {
      await other.send(openRequest('f', 1));
      return (await answer(other))[1] === 'Code=0';
    });
    assert.equal(server.events.filter(({ level }) => level === 'error').length, 0);
  });

  it('answers all that was begun when the peer ends its sending side', async () => {
    await using server = await TestServer.start();
    await writeFile(server.path('f'), 'abc');
    using disk = slowDisk((await stat(server.root)).dev, 'thread pool');
    void disk;
    using peer = await extended(server);
    void peer.send(openRequest('f', 0), ...Array.from({ length: 100 }, (_, i) => readAt(i, 0, 3)));
    peer.halfClose();
    const text = (await peer.waitForClose()).toString('latin1');
    assert.equal(text.match(/Count=3abc/g)?.length, 100);
  });

  it('is answered to the end when the server drains', async () => {
    await using server = await TestServer.start();
    await writeFile(server.path('f'), 'abc');
    using disk = slowDisk((await stat(server.root)).dev, 'thread pool');
    void disk;
    using peer = await extended(server);
    await peer.send(openRequest('f', 0));
    await answer(peer);
    await peer.send(...Array.from({ length: 50 }, (_, i) => readAt(i, 0, 3)));
    await eventually(
      'begun',
      () => (server.server.listener.connections.values().next().value?.receivedBytes ?? 0) > 3000,
    );
    const drained = server.server.drain(10_000);
    const text = (await peer.waitForClose()).toString('latin1');
    assert.equal(text.match(/Count=3abc/g)?.length, 50);
    assert.equal(await drained, 0);
  });

  it('does not make Login and Active wait', async () => {
    await using server = await TestServer.start();
    await writeFile(server.path('f'), Buffer.alloc(9_000_000, 1));
    using peer = await extended(server);
    await peer.send(openRequest('f', 0));
    await answer(peer);
    await peer.send(readAt(1, 0, 7_000_000), request('Active'));
    assert.deepEqual(await answer(peer), ['Command=Active', 'Code=0']);
    assert.equal((await nextAnswer(peer)).data.length, 7_000_000);
  });

  it('counts as soon as the client has said that it knows extensions, also by Active', async () => {
    await using server = await TestServer.start({ openProtocols: ['remote-stream'] });
    using peer = await server.connect();
    await peer.send(Uint8Array.of(ProtocolFlag.RemoteStream), request('Active', [['Features', 'Tag']]));
    assert.deepEqual(await answer(peer), ['Command=Active', 'Code=0', 'Features=Tag,RemoteFile,ResumeFile,Scram']);
    assert.equal(
      (
        await asked(peer, 'Stat', [
          ['FileName', ''],
          ['Tag', 4],
        ])
      ).keys['Tag'],
      '4',
    );
    void login;
  });
});

describe('several open files (docs/protocol.md, 17.6)', () => {
  it('have each a position and a mode of their own; without a Handle 0 is meant', async () => {
    await using server = await TestServer.start();
    await writeFile(server.path('a'), 'aaaaa');
    await writeFile(server.path('b'), 'bbbbb');
    using peer = await extended(server);
    await peer.send(openRequest('a', 0), openRequest('b', 1, [['Handle', 63]]));
    assert.deepEqual(await answer(peer), ['Command=OpenFile', 'Code=0', 'Size=5']);
    assert.deepEqual(await answer(peer), ['Command=OpenFile', 'Code=0', 'Size=5']);
    assert.equal(
      (
        await asked(peer, 'Read', [
          ['Count', 2],
          ['Handle', 63],
        ])
      ).data.toString(),
      'bb',
    );
    assert.equal((await asked(peer, 'Read', [['Count', 3]])).data.toString(), 'aaa');
    assert.equal((await asked(peer, 'GetPosition', [['Handle', 63]])).keys['Position'], '2');
    assert.equal((await asked(peer, 'GetPosition', [['Handle', 0]])).keys['Position'], '3');
    assert.equal((await asked(peer, 'Write', [], Buffer.from('x'))).keys['Code'], '6');
    assert.equal((await asked(peer, 'Write', [['Handle', 63]], Buffer.from('x'))).keys['Code'], '0');
    assert.equal((await asked(peer, 'CloseFile', [['Handle', 63]])).keys['Code'], '0');
    assert.equal((await asked(peer, 'GetPosition', [['Handle', 63]])).keys['Code'], '10');
    assert.equal((await asked(peer, 'GetPosition')).keys['Code'], '0');
    assert.equal(await readFile(server.path('b'), 'utf8'), 'bbxbb');
  });

  it('are 64 at most: a higher Handle, and a negative one, is code 6, with the Tag', async () => {
    await using server = await TestServer.start();
    using peer = await extended(server);
    for (const handle of ['64', '-1', '', 'x', '4294967296']) {
      const { keys } = await asked(peer, 'GetSize', [
        ['Handle', handle],
        ['Tag', 3],
      ]);
      assert.deepEqual([keys['Code'], keys['Tag']], ['6', '3'], handle);
    }
    for (let handle = 0; handle < 64; handle++) {
      await peer.send(openRequest(`f${handle}`, 1, [['Handle', handle]]));
      assert.equal((await nextAnswer(peer)).keys['Code'], '0');
    }
  });

  it('of one connection are in use for one another as those of two are', async () => {
    await using server = await TestServer.start();
    using peer = await extended(server);
    await peer.send(openRequest('f', 1), openRequest('f', 0, [['Handle', 1]]), openRequest('f', 1));
    const codes = [await nextAnswer(peer), await nextAnswer(peer), await nextAnswer(peer)].map(
      ({ keys }) => keys['Code'],
    );
    assert.deepEqual(codes, ['0', '11', '0']);
  });

  it('are closed with their connection, all of them', async () => {
    await using server = await TestServer.start();
    const peer = await extended(server);
    for (let handle = 0; handle < 5; handle++) await peer.send(openRequest(`f${handle}`, 1, [['Handle', handle]]));
    for (let handle = 0; handle < 5; handle++) await nextAnswer(peer);
    peer.destroy();
    using other = await extended(server);
    for (let handle = 0; handle < 5; handle++) {
      await eventually(`f${handle} is free`, async () => {
        await other.send(openRequest(`f${handle}`, 1, [['Handle', handle]]));
        return (await nextAnswer(other)).keys['Code'] === '0';
      });
    }
  });
});

describe('ReadAt, WriteAt, Sync and Stat (docs/protocol.md, 17.6)', () => {
  it('read and write at a place, and leave the position where it is', async () => {
    await using server = await TestServer.start();
    await writeFile(server.path('f'), '0123456789');
    using peer = await extended(server);
    await peer.send(openRequest('f', 1), request('SetPosition', [['Position', 4]]));
    await nextAnswer(peer);
    await nextAnswer(peer);
    assert.equal(
      (
        await asked(peer, 'ReadAt', [
          ['Position', 7],
          ['Count', 9],
        ])
      ).data.toString(),
      '789',
    );
    assert.equal(
      (
        await asked(peer, 'ReadAt', [
          ['Position', 99],
          ['Count', 9],
        ])
      ).keys['Count'],
      '0',
    );
    assert.equal((await asked(peer, 'WriteAt', [['Position', 9]], Buffer.from('xyz'))).keys['Count'], '3');
    assert.equal((await asked(peer, 'GetPosition')).keys['Position'], '4');
    assert.equal(await readFile(server.path('f'), 'utf8'), '012345678xyz');
  });

  it('take the places and counts that SetPosition, Read and Write take', async () => {
    await using server = await TestServer.start();
    using peer = await extended(server);
    await peer.send(openRequest('f', 1));
    await nextAnswer(peer);
    const bad: [string, [string, string | number][]][] = [
      ['ReadAt', [['Count', 1]]],
      ['ReadAt', [['Position', 0]]],
      [
        'ReadAt',
        [
          ['Position', -1],
          ['Count', 1],
        ],
      ],
      [
        'ReadAt',
        [
          ['Position', '9007199254740992'],
          ['Count', 1],
        ],
      ],
      [
        'ReadAt',
        [
          ['Position', 0],
          ['Count', -1],
        ],
      ],
      [
        'ReadAt',
        [
          ['Position', 0],
          ['Count', 10_485_687],
        ],
      ],
      ['WriteAt', []],
      ['WriteAt', [['Position', -1]]],
      ['WriteAt', [['Position', '9223372036854775807']]],
      ['WriteAt', [['Position', '9007199254740991']]],
      [
        'WriteAt',
        [
          ['Position', 0],
          ['Count', 2],
        ],
      ],
    ];
    for (const [command, fields] of bad)
      assert.equal((await asked(peer, command, fields, Buffer.from('x'))).keys['Code'], '6', `${command} ${fields}`);
    assert.equal((await asked(peer, 'GetSize')).keys['Size'], '0');
    await asked(peer, 'CloseFile');
    for (const [command, fields] of [
      [
        'ReadAt',
        [
          ['Position', 0],
          ['Count', 1],
        ],
      ],
      ['WriteAt', [['Position', 0]]],
      ['Sync', []],
      ['Stat', []],
    ] as [string, [string, number][]][])
      assert.equal((await asked(peer, command, fields)).keys['Code'], '10', command);
  });

  it('fill the largest packet, with the longest Tag', async () => {
    await using server = await TestServer.start();
    await writeFile(server.path('f'), Buffer.alloc(10_485_686, 3));
    using peer = await extended(server);
    await peer.send(openRequest('f', 0));
    await nextAnswer(peer);
    const { data } = await asked(peer, 'ReadAt', [
      ['Tag', 2_147_483_647],
      ['Position', 0],
      ['Count', 10_485_686],
    ]);
    assert.equal(data.length, 10_485_686);
    assert.equal(peer.received.length, peer.received.lastIndexOf(Buffer.from('[Response]')) - 8 + 10_485_756 + 4);
  });

  it('sync what was written, also with a file that is only read', async () => {
    await using server = await TestServer.start();
    await writeFile(server.path('g'), '');
    using peer = await extended(server);
    await peer.send(openRequest('f', 1), openRequest('g', 0, [['Handle', 1]]));
    await nextAnswer(peer);
    await nextAnswer(peer);
    await asked(peer, 'Write', [], Buffer.from('x'));
    assert.deepEqual(await ask(peer, 'Sync'), ['Command=Sync', 'Code=0']);
    assert.deepEqual(await ask(peer, 'Sync', [['Handle', 1]]), ['Command=Sync', 'Code=0']);
  });

  it('tell kind, size and time of the open file, and of whatever has a name', async () => {
    await using server = await TestServer.start();
    await mkdir(server.path('d/e'), { recursive: true });
    await writeFile(server.path('d/f'), 'abc');
    using peer = await extended(server);
    const { mtimeNs } = await stat(server.path('d/f'), { bigint: true });
    const expected = { Command: 'Stat', Code: '0', Kind: 'file', Size: '3', ModifiedNs: `${mtimeNs}` };
    assert.deepEqual((await asked(peer, 'Stat', [['FileName', 'd/f']])).keys, expected);
    await peer.send(openRequest('d/f', 0, [['Handle', 2]]));
    await nextAnswer(peer);
    assert.deepEqual((await asked(peer, 'Stat', [['Handle', 2]])).keys, expected);
    for (const name of ['', '.', 'd', 'd/e']) {
      const { keys } = await asked(peer, 'Stat', [['FileName', name]]);
      assert.deepEqual([keys['Kind'], keys['Size']], ['directory', '0'], name);
    }
    for (const [name, code] of [
      ['x', '9'],
      ['x/y', '9'],
      ['d/f/g', '9'],
      ['..', '6'],
      ['/', '6'],
      ['.sluice', '6'],
      ['d/', '6'],
    ])
      assert.equal((await asked(peer, 'Stat', [['FileName', name!]])).keys['Code'], code, name);
  });
});
