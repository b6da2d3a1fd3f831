import assert from 'node:assert/strict';
import { mkdir, open, readFile, stat, symlink, truncate, writeFile } from 'node:fs/promises';
import { describe, it } from 'node:test';
import { splitEvery } from '@sluice/testkit';
import { ProtocolFlag } from '@sluice/wire';
import { slowDisk } from '../support/slow-disk.js';
import { answer, ask, eventually, login, request, TestServer } from '../support/test-server.js';

const { Upload, Download } = ProtocolFlag;
const uploadOf = (fileName: string, dirName = ''): Uint8Array =>
  request('Upload', [
    ['DirName', dirName],
    ['FileName', fileName],
  ]);
const data = (bytes: Uint8Array | string): Uint8Array => request('Data', [], Buffer.from(bytes as string));
const eof = (fileSize?: number): Uint8Array => request('Eof', fileSize === undefined ? [] : [['FileSize', fileSize]]);
const ok = (command: string): string[] => [`Command=${command}`, 'Code=0'];

describe('upload (specification 6.1)', () => {
  it('stores what Data packets bring, answers none of them, and confirms with Eof', async () => {
    await using server = await TestServer.start();
    using peer = await server.login(Upload);
    await peer.send(uploadOf('u.bin'), data(Uint8Array.of(0xde, 0xad)), data(Uint8Array.of(0xbe, 0xef)), eof());
    assert.deepEqual(await answer(peer), ['Command=Upload', 'Code=0', 'FileSize=0']);
    assert.deepEqual(await answer(peer), ok('Eof'));
    assert.deepEqual(await readFile(server.path('u.bin')), Buffer.from('deadbeef', 'hex'));
  });

  it('reports the length on the server and goes on there', async () => {
    await using server = await TestServer.start();
    await writeFile(server.path('u.bin'), 'abcd');
    using peer = await server.login(Upload);
    await peer.send(uploadOf('u.bin'), data('ef'), eof(6));
    assert.deepEqual(await answer(peer), ['Command=Upload', 'Code=0', 'FileSize=4']);
    assert.deepEqual(await answer(peer), ok('Eof'));
    assert.equal(await readFile(server.path('u.bin'), 'utf8'), 'abcdef');
  });

  for (const size of [1, 7, 1000, 100_000]) {
    it(`stores the same bytes when they arrive ${size} at a time`, async () => {
      await using server = await TestServer.start();
      using peer = await server.login(Upload);
      const length = size === 1 ? 300 : 500_000;
      const content = Buffer.from(Array.from({ length }, (_, i) => (i * 7 + (i >> 8)) & 255));
      const packets = [uploadOf('f'), ...[...splitEvery(content, 32_768)].map(data), eof(length), request('Active')];
      for (const piece of splitEvery(Buffer.concat(packets), size)) await peer.send(piece);
      assert.deepEqual(await answer(peer), ['Command=Upload', 'Code=0', 'FileSize=0']);
      assert.deepEqual(await answer(peer), ok('Eof'));
      assert.deepEqual(await answer(peer), ok('Active'));
      assert.ok(content.equals(await readFile(server.path('f'))));
    });
  }

  for (const pacing of ['thread pool', 'changing'] as const) {
    it(`stores the right bytes of 8 peers at once when the disk is slow (D46): ${pacing}`, async () => {
      await using server = await TestServer.start();
      using _pace = slowDisk((await stat(server.root)).dev, pacing);
      const content = Buffer.from(Array.from({ length: 2_000_000 }, (_, i) => (i * 13 + (i >> 9)) & 255));
      const peers = await Promise.all(Array.from({ length: 8 }, () => server.login(Upload)));
      await Promise.all(
        peers.map(async (peer, i) => {
          const own = content.subarray(i * 1000);
          await peer.send(uploadOf(`f${i}`), ...[...splitEvery(own, 50_000 + i)].map(data), eof(own.length));
          await answer(peer);
          assert.deepEqual(await answer(peer), ok('Eof'));
          assert.ok(own.equals(await readFile(server.path(`f${i}`))));
          peer.destroy();
        }),
      );
    });
  }

  it('takes the Delphi form of Data, whose text ends with two line ends, and any case of the name', async () => {
    await using server = await TestServer.start();
    using peer = await server.login(Upload);
    const { encodePacket } = await import('@sluice/wire');
    await peer.send(
      uploadOf('d'),
      encodePacket(Buffer.from('[Request]\r\nCommand=Data\r\n\r\n'), Buffer.from('one ')),
      encodePacket(Buffer.from('[Request]\r\ncommand=DATA'), Buffer.from('two')),
      eof(7),
    );
    await answer(peer);
    assert.deepEqual(await answer(peer), ok('Eof'));
    assert.equal(await readFile(server.path('d'), 'utf8'), 'one two');
  });

  it('does other commands between Data packets', async () => {
    await using server = await TestServer.start();
    using peer = await server.login(Upload);
    await peer.send(
      uploadOf('x'),
      data('ab'),
      request('Active'),
      request('FileList', [['DirName', '']]),
      data('cd'),
      eof(4),
    );
    assert.deepEqual(await answer(peer), ['Command=Upload', 'Code=0', 'FileSize=0']);
    assert.deepEqual(await answer(peer), ok('Active'));
    assert.deepEqual(await answer(peer), [...ok('FileList'), 'Item=x\u00012']);
    assert.deepEqual(await answer(peer), ok('Eof'));
  });

  it('refuses an Eof whose FileSize differs with 0x02000008 and keeps the file open (D30)', async () => {
    await using server = await TestServer.start();
    using peer = await server.login(Upload);
    await peer.send(uploadOf('x'), data('abc'), eof(4), data('d'), eof(4));
    await answer(peer);
    assert.equal((await answer(peer))[1], 'Code=33554440');
    assert.deepEqual(await answer(peer), ok('Eof'));
    assert.equal(await readFile(server.path('x'), 'utf8'), 'abcd');
  });

  it('answers a bad FileSize in Eof with code 6 and keeps the file open', async () => {
    await using server = await TestServer.start();
    using peer = await server.login(Upload);
    await peer.send(uploadOf('x'), request('Eof', [['FileSize', '1.5']]), eof(0));
    await answer(peer);
    assert.equal((await answer(peer))[1], 'Code=6');
    assert.deepEqual(await answer(peer), ok('Eof'));
  });

  it('answers Eof without an open file with code 10', async () => {
    await using server = await TestServer.start();
    using peer = await server.login(Upload);
    assert.equal((await ask(peer, 'Eof'))[1], 'Code=10');
  });

  it('answers Data without an open file with code 10, once, and closes (D28)', async () => {
    await using server = await TestServer.start();
    using peer = await server.login(Upload);
    await peer.send(data('abc'), data('abc'));
    assert.deepEqual(await answer(peer), ['Command=Data', 'Code=10', 'Message=']);
    await peer.waitForClose();
    assert.equal([...peer.received.toString().matchAll(/Command=Data/g)].length, 1);
  });

  it('closes the open file when a second Upload comes', async () => {
    await using server = await TestServer.start();
    using peer = await server.login(Upload);
    await peer.send(uploadOf('a'), data('one'), uploadOf('b'), data('two'), uploadOf('a'), eof(3));
    assert.deepEqual(await answer(peer), ['Command=Upload', 'Code=0', 'FileSize=0']);
    assert.deepEqual(await answer(peer), ['Command=Upload', 'Code=0', 'FileSize=0']);
    assert.deepEqual(await answer(peer), ['Command=Upload', 'Code=0', 'FileSize=3']);
    assert.deepEqual(await answer(peer), ok('Eof'));
    assert.equal(await readFile(server.path('b'), 'utf8'), 'two');
  });

  it('keeps what was written when the connection ends in the middle of a packet', async () => {
    await using server = await TestServer.start();
    using peer = await server.login(Upload);
    const whole = data(Buffer.alloc(100_000, 1));
    await peer.send(uploadOf('x'), whole.subarray(0, 60_000));
    await answer(peer);
    await eventually('written', async () => (await stat(server.path('x'))).size > 50_000);
    peer.reset();
    await eventually('closed', () => server.server.listener.connections.size === 0);
    using next = await server.login(Upload);
    await next.send(uploadOf('x'));
    assert.deepEqual((await answer(next))[2], `FileSize=${60_000 - 31}`);
  });

  it('takes an empty file', async () => {
    await using server = await TestServer.start();
    using peer = await server.login(Upload);
    await peer.send(uploadOf('empty'), eof(0));
    await answer(peer);
    assert.deepEqual(await answer(peer), ok('Eof'));
    assert.equal((await stat(server.path('empty'))).size, 0);
  });

  const refused: [string, [string, string][], number][] = [
    ['without FileName', [['DirName', '']], 6],
    ['without DirName', [['FileName', 'x']], 6],
    [
      'into a missing directory (D29)',
      [
        ['DirName', 'no/such'],
        ['FileName', 'x'],
      ],
      0x02000001,
    ],
    [
      'with an empty name',
      [
        ['DirName', ''],
        ['FileName', ''],
      ],
      6,
    ],
    [
      'with a path as name (D26)',
      [
        ['DirName', ''],
        ['FileName', '../x'],
      ],
      6,
    ],
    [
      'with a backslash in the name',
      [
        ['DirName', ''],
        ['FileName', 'a\\x'],
      ],
      6,
    ],
    [
      'with dots for a directory (D26)',
      [
        ['DirName', '..'],
        ['FileName', 'x'],
      ],
      6,
    ],
    [
      'with dots further down',
      [
        ['DirName', 'a/../../b'],
        ['FileName', 'x'],
      ],
      6,
    ],
    [
      'with an absolute directory',
      [
        ['DirName', '/etc'],
        ['FileName', 'x'],
      ],
      6,
    ],
    [
      'with a drive',
      [
        ['DirName', 'C:\\Windows'],
        ['FileName', 'x'],
      ],
      6,
    ],
    [
      'with NUL in the name',
      [
        ['DirName', ''],
        ['FileName', 'a\0b'],
      ],
      6,
    ],
    [
      'with an overlong name',
      [
        ['DirName', ''],
        ['FileName', 'x'.repeat(256)],
      ],
      6,
    ],
    [
      "into the server's own directory",
      [
        ['DirName', '.sluice'],
        ['FileName', 'users.json'],
      ],
      6,
    ],
    [
      'onto a directory',
      [
        ['DirName', ''],
        ['FileName', 'sub'],
      ],
      6,
    ],
    [
      'onto a link',
      [
        ['DirName', ''],
        ['FileName', 'link'],
      ],
      6,
    ],
    [
      'through a link',
      [
        ['DirName', 'dirlink'],
        ['FileName', 'x'],
      ],
      0x02000001,
    ],
  ];
  for (const [title, fields, code] of refused) {
    it(`refuses an upload ${title} with code ${code}, says no path, and goes on`, async () => {
      await using server = await TestServer.start();
      await mkdir(server.path('sub'));
      await symlink('/etc/passwd', server.path('link'));
      await symlink('/tmp', server.path('dirlink'));
      using peer = await server.login(Upload);
      const lines = await ask(peer, 'Upload', fields);
      assert.deepEqual(lines.slice(0, 2), ['Command=Upload', `Code=${code}`]);
      assert.match(lines[2] ?? '', /^Message=[\w ,.:'-]*$/);
      assert.ok(!lines.join().includes(server.root));
      assert.deepEqual(await ask(peer, 'Active'), ok('Active'));
    });
  }

  it('accepts both separators, trailing ones, and Dir for DirName (V15)', async () => {
    await using server = await TestServer.start();
    await mkdir(server.path('a', 'b'), { recursive: true });
    using peer = await server.login(Upload);
    for (const [key, value, name] of [
      ['DirName', 'a\\b\\', '1'],
      ['DirName', 'a/b/', '2'],
      ['Dir', 'a\\b', '3'],
    ] as const) {
      assert.equal(
        (
          await ask(peer, 'Upload', [
            [key, value],
            ['FileName', name],
          ])
        )[1],
        'Code=0',
      );
      assert.deepEqual(await ask(peer, 'Eof'), ok('Eof'));
      assert.ok((await stat(server.path('a', 'b', name))).isFile());
    }
  });
});

describe('file in use (specification 6.2)', () => {
  it('takes a file over from another upload: closes that connection, and counts what it wrote', async () => {
    await using server = await TestServer.start();
    using first = await server.login(Upload);
    await first.send(uploadOf('f'), data('12345'));
    await answer(first);
    using second = await server.login(Upload);
    await eventually('written', async () => (await stat(server.path('f'))).size === 5);
    await second.send(uploadOf('f'));
    assert.deepEqual(await answer(second), ['Command=Upload', 'Code=0', 'FileSize=5']);
    await first.waitForClose();
    await second.send(data('6'), eof(6));
    assert.deepEqual(await answer(second), ok('Eof'));
  });

  it('gives the file to the last of many that ask at once', async () => {
    await using server = await TestServer.start();
    await writeFile(server.path('f'), '');
    const peers = await Promise.all(Array.from({ length: 8 }, () => server.login(Upload)));
    for (const peer of peers) await peer.send(uploadOf('f'));
    await eventually('one is left', () => server.server.listener.connections.size === 1);
    const [last] = server.server.listener.connections;
    const owner = peers.find((peer) => peer.socket.localPort === last?.remotePort);
    assert.ok(owner);
    assert.deepEqual(await answer(owner), ['Command=Upload', 'Code=0', 'FileSize=0']);
    for (const peer of peers) peer.destroy();
  });

  it('is refused with code 11 while a download has the file', async () => {
    await using server = await TestServer.start();
    await writeFile(server.path('f'), '');
    await truncate(server.path('f'), 50 << 20);
    using reader = await server.login(Download);
    await reader.send(
      request('Download', [
        ['DirName', ''],
        ['FileName', 'f'],
        ['FileSize', 0],
        ['PacketSize', 65536],
      ]),
    );
    reader.pause();
    using writer = await server.login(Upload);
    await eventually(
      'download runs',
      async () =>
        (
          await ask(writer, 'Upload', [
            ['DirName', ''],
            ['FileName', 'f'],
          ])
        )[1] === 'Code=11',
    );
  });

  it('does not remove a file that is being uploaded, nor its directory', async () => {
    await using server = await TestServer.start();
    await mkdir(server.path('d'));
    using holder = await server.login(Upload);
    await holder.send(uploadOf('f', 'd'));
    await answer(holder);
    using other = await server.login(Upload);
    assert.equal(
      (
        await ask(other, 'DeleteFile', [
          ['DirName', 'd'],
          ['Item', 'f'],
        ])
      )[1],
      'Code=33554439',
    );
    assert.equal(
      (
        await ask(other, 'DeleteDir', [
          ['ParentDir', ''],
          ['DirName', 'd'],
        ])
      )[1],
      'Code=33554435',
    );
    await holder.send(data('x'), eof(1));
    assert.deepEqual(await answer(holder), ok('Eof'));
    assert.deepEqual(
      await ask(other, 'DeleteDir', [
        ['ParentDir', ''],
        ['DirName', 'd'],
      ]),
      ok('DeleteDir'),
    );
  });
});

describe('a disk that refuses bytes', () => {
  it('makes Eof fail with code 4 and no word of the system, keeps the connection, and acknowledges nothing (D11, D22)', async (t) => {
    await using server = await TestServer.start();
    using peer = await server.login(Upload);
    await peer.send(uploadOf('f'), data('abc'));
    await answer(peer);
    const handle = await open(server.path('f'));
    const datasync = t.mock.method(Object.getPrototypeOf(handle), 'datasync', async () => {
      throw Object.assign(new Error('EIO: i/o error, fdatasync'), { code: 'EIO' });
    });
    await handle.close();
    assert.deepEqual(await ask(peer, 'Eof'), ['Command=Eof', 'Code=4', 'Message=storage failed']);
    datasync.mock.restore();
    assert.deepEqual(await ask(peer, 'Active'), ok('Active'));
    assert.ok(server.events.some(({ level, event }) => level === 'error' && event === 'request failed'));
    assert.ok(!server.events.some(({ event }) => event === 'upload complete'));
  });

  it('makes the next upload go on in front of them, also when the connection broke before anyone could be told', async (t) => {
    await using server = await TestServer.start();
    using peer = await server.login(Upload);
    await peer.send(uploadOf('f'));
    await answer(peer);
    const handle = await open(server.path('f'));
    const datasync = t.mock.method(Object.getPrototypeOf(handle), 'datasync', async () => {
      throw Object.assign(new Error('EIO: i/o error, fdatasync'), { code: 'EIO' });
    });
    await handle.close();
    const part = data(Buffer.alloc(1 << 20, 'x'));
    for (let i = 0; i < 66; i++) await peer.send(part);
    await eventually('synced in the background', () => datasync.mock.callCount() > 0);
    peer.reset();
    await eventually('dropped', () => server.events.some(({ event }) => event === 'syncing an upload failed'));
    datasync.mock.restore();
    using next = await server.login(Upload);
    await next.send(uploadOf('f'));
    assert.deepEqual(await answer(next), ['Command=Upload', 'Code=0', 'FileSize=0']);
  });
});

describe('verified resume (docs/protocol.md)', () => {
  it('gives the digests of the open file and drops what is behind the place that is asked for', async () => {
    await using server = await TestServer.start();
    await writeFile(server.path('f'), Buffer.alloc((4 << 20) + 10, 'a'));
    using peer = await server.connect();
    await peer.send(Uint8Array.of(Upload), login([['Features', 'VerifiedResume']]), uploadOf('f'));
    await answer(peer);
    await answer(peer);
    await peer.send(
      request('Digest', [
        ['Position', 0],
        ['Count', 1 << 30],
      ]),
    );
    const { text, data: digests } = await peer.nextPacket();
    assert.match(text, /Code=0\r\nFileSize=4194314\r\nChunkSize=4194304$/);
    assert.equal(digests.length, 16);
    assert.deepEqual(
      await ask(peer, 'Upload', [
        ['DirName', ''],
        ['FileName', 'f'],
        ['Resume', 4194304],
      ]),
      ['Command=Upload', 'Code=0', 'FileSize=4194304'],
    );
    await peer.send(data('b'), eof(4194305));
    assert.deepEqual(await answer(peer), [...ok('Eof'), 'Durability=durable']);
    assert.equal((await readFile(server.path('f'))).at(-1), 98);
  });

  it('knows the digest that the page of the protocol names: XXH64 of nothing is not sent, of "a" is d24ec4f1a98c6e5b', async () => {
    await using server = await TestServer.start();
    await writeFile(server.path('f'), 'a');
    using peer = await server.login(Upload);
    await peer.send(
      uploadOf('f'),
      request('Digest', [
        ['Position', 0],
        ['Count', 100],
      ]),
      request('Digest', [
        ['Position', 4194304],
        ['Count', 1],
      ]),
    );
    await answer(peer);
    assert.equal(Buffer.from((await peer.nextPacket()).data).toString('hex'), 'd24ec4f1a98c6e5b');
    assert.equal((await peer.nextPacket()).data.length, 0);
  });

  for (const [title, fields] of [
    [
      'a position between chunks',
      [
        ['Position', 1],
        ['Count', 1],
      ],
    ],
    [
      'a negative position',
      [
        ['Position', -4194304],
        ['Count', 1],
      ],
    ],
    [
      'more than 1 GiB',
      [
        ['Position', 0],
        ['Count', 1073741825],
      ],
    ],
    ['no count', [['Position', 0]]],
  ] as [string, [string, number][]][]) {
    it(`refuses Digest with ${title} with code 6`, async () => {
      await using server = await TestServer.start();
      using peer = await server.login(Upload);
      await peer.send(uploadOf('f'));
      await answer(peer);
      assert.equal((await ask(peer, 'Digest', fields))[1], 'Code=6');
    });
  }

  for (const resume of [-1, 6]) {
    it(`refuses to resume at ${resume} in a file of 5 bytes with code 6, and changes nothing`, async () => {
      await using server = await TestServer.start();
      await writeFile(server.path('f'), '12345');
      using peer = await server.login(Upload);
      assert.equal(
        (
          await ask(peer, 'Upload', [
            ['DirName', ''],
            ['FileName', 'f'],
            ['Resume', resume],
          ])
        )[1],
        'Code=6',
      );
      assert.equal(await readFile(server.path('f'), 'utf8'), '12345');
    });
  }
});
