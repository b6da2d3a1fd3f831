import assert from 'node:assert/strict';
import { mkdir, open, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { describe, it, type TestContext } from 'node:test';
import { splitEvery } from '@sluice/testkit';
import { decodeClientRecords, encodePacket, type Field, ProtocolFlag } from '@sluice/wire';
import { done, opened, openFile, read, refusal, write } from '../support/plain-remote-stream.js';
import { slowDisk } from '../support/slow-disk.js';
import { answer, ask, eventually, login, request, TestServer } from '../support/test-server.js';

const { Upload, Download, RemoteStream } = ProtocolFlag;

describe('RemoteStream without a login (D25)', () => {
  it('refuses every command with code 8, and does not touch a file', async () => {
    await using server = await TestServer.start();
    await writeFile(server.path('f'), 'secret');
    using peer = await server.connect();
    await peer.send(Uint8Array.of(RemoteStream));
    for (const command of ['FileExists', 'OpenFile', 'Read', 'Write', 'GetSize', 'CloseFile', 'Nonsense']) {
      const fields: Field[] = [
        ['FileName', 'f'],
        ['Mode', 1],
        ['Count', 1],
      ];
      assert.equal(await refusal(peer, command, fields), 8, command);
    }
    assert.equal(await readFile(server.path('f'), 'utf8'), 'secret');
  });

  it('is open to anybody when the server is told so, below the root and nowhere else', async () => {
    await using server = await TestServer.start({ openProtocols: ['remote-stream'] });
    using peer = await server.connect();
    await peer.send(Uint8Array.of(RemoteStream), openFile('f'), write('abc'));
    assert.deepEqual(await answer(peer), done('OpenFile'));
    assert.deepEqual(await answer(peer), done('Write', 'Count=3'));
    assert.equal(
      await refusal(peer, 'OpenFile', [
        ['FileName', '../f'],
        ['Mode', 0],
      ]),
      6,
    );
    assert.equal(await readFile(server.path('f'), 'utf8'), 'abc');
    assert.deepEqual(await ask(peer, 'Active'), done('Active'));
  });
});

describe('FileExists (specification 8)', () => {
  it('answers 0 for a file, and 9 for what is missing or is no file', async () => {
    await using server = await TestServer.start();
    await mkdir(server.path('a/b'), { recursive: true });
    await writeFile(server.path('a/b/f'), '');
    await symlink('b/f', server.path('a/link'));
    using peer = await server.login(RemoteStream);
    for (const name of ['a/b/f', 'a\\b\\f', 'a//b/./f'])
      assert.deepEqual(await ask(peer, 'FileExists', [['FileName', name]]), done('FileExists'), name);
    for (const name of ['a/b/g', 'x/f', 'a/b/f/g', 'a/b', 'a/link', 'f'])
      assert.equal(await refusal(peer, 'FileExists', [['FileName', name]]), 9, name);
    assert.equal(await refusal(peer, 'FileExists'), 6);
  });
});

describe('names of RemoteStream (D26)', () => {
  const names = [
    '/f',
    '\\f',
    '../f',
    'd/../../f',
    '..',
    'C:\\f',
    'c:',
    '',
    '.',
    'd/',
    'd/.',
    'f\0',
    '.sluice/users.json',
    '.sluice',
    '.SLUICE',
  ];
  for (const name of names) {
    it(`does not take ${JSON.stringify(name)}`, async () => {
      await using server = await TestServer.start();
      await mkdir(server.path('.sluice'));
      await mkdir(server.path('d'));
      await writeFile(server.path('.sluice/users.json'), 'x');
      using peer = await server.login(RemoteStream);
      assert.equal(await refusal(peer, 'FileExists', [['FileName', name]]), 6);
      for (const mode of [0, 1])
        assert.equal(
          await refusal(peer, 'OpenFile', [
            ['FileName', name],
            ['Mode', mode],
          ]),
          6,
        );
      assert.deepEqual((await readdir(server.root)).sort(), ['.sluice', 'd']);
    });
  }

  it('are not followed where they are links', async () => {
    await using server = await TestServer.start();
    await using outside = await TestServer.start();
    await writeFile(outside.path('f'), 'secret');
    await symlink(outside.root, server.path('d'));
    await symlink(outside.path('f'), server.path('l'));
    using peer = await server.login(RemoteStream);
    for (const mode of [0, 1]) {
      assert.equal(
        await refusal(peer, 'OpenFile', [
          ['FileName', 'd/f'],
          ['Mode', mode],
        ]),
        9,
      );
      assert.equal(
        await refusal(peer, 'OpenFile', [
          ['FileName', 'l'],
          ['Mode', mode],
        ]),
        6,
      );
    }
  });
});

describe('OpenFile (specification 8)', () => {
  it('opens what is there without changing it, at position 0', async () => {
    await using server = await TestServer.start();
    await writeFile(server.path('f'), 'abc');
    for (const mode of [0, 1]) {
      using peer = await opened(server, 'f', mode);
      assert.deepEqual(await ask(peer, 'GetPosition'), done('GetPosition', 'Position=0'));
      assert.deepEqual(await ask(peer, 'GetSize'), done('GetSize', 'Size=3'));
      assert.deepEqual(await ask(peer, 'CloseFile'), done('CloseFile'));
    }
    assert.equal(await readFile(server.path('f'), 'utf8'), 'abc');
  });

  it('makes a missing file in mode 1, and not in mode 0, which answers 9 (D38)', async () => {
    await using server = await TestServer.start();
    using peer = await server.login(RemoteStream);
    assert.equal(
      await refusal(peer, 'OpenFile', [
        ['FileName', 'f'],
        ['Mode', 0],
      ]),
      9,
    );
    assert.deepEqual(await readdir(server.root), []);
    await peer.send(openFile('f', 1));
    assert.deepEqual(await answer(peer), done('OpenFile'));
    assert.deepEqual(await readdir(server.root), ['f']);
  });

  it('answers 9 in a missing directory, in both modes (D11)', async () => {
    await using server = await TestServer.start();
    using peer = await server.login(RemoteStream);
    for (const mode of [0, 1])
      assert.equal(
        await refusal(peer, 'OpenFile', [
          ['FileName', 'd/f'],
          ['Mode', mode],
        ]),
        9,
      );
  });

  it('answers 6 for a directory, in both modes (D11)', async () => {
    await using server = await TestServer.start();
    await mkdir(server.path('d'));
    using peer = await server.login(RemoteStream);
    for (const mode of [0, 1])
      assert.equal(
        await refusal(peer, 'OpenFile', [
          ['FileName', 'd'],
          ['Mode', mode],
        ]),
        6,
      );
  });

  for (const mode of ['', '2', '-1', '65536', '0x1', '1.0', 'r']) {
    it(`answers 6 for the mode "${mode}", and makes no file`, async () => {
      await using server = await TestServer.start();
      using peer = await server.login(RemoteStream);
      assert.equal(
        await refusal(peer, 'OpenFile', [
          ['FileName', 'f'],
          ['Mode', mode],
        ]),
        6,
      );
      assert.deepEqual(await readdir(server.root), []);
    });
  }

  it('answers 6 without a name or a mode', async () => {
    await using server = await TestServer.start();
    using peer = await server.login(RemoteStream);
    assert.equal(await refusal(peer, 'OpenFile', [['Mode', 1]]), 6);
    assert.equal(await refusal(peer, 'OpenFile', [['FileName', 'f']]), 6);
  });

  it('closes the file that was open, also when the second one cannot be opened, but not for a bad key (D38)', async () => {
    await using server = await TestServer.start();
    using peer = await opened(server, 'f');
    using other = await server.login(RemoteStream);
    assert.equal(
      await refusal(other, 'OpenFile', [
        ['FileName', 'f'],
        ['Mode', 0],
      ]),
      11,
    );
    assert.equal(
      await refusal(peer, 'OpenFile', [
        ['FileName', 'g'],
        ['Mode', 9],
      ]),
      6,
    );
    assert.deepEqual(await ask(peer, 'GetPosition'), done('GetPosition', 'Position=0'));
    assert.equal(
      await refusal(peer, 'OpenFile', [
        ['FileName', 'g'],
        ['Mode', 0],
      ]),
      9,
    );
    assert.equal(await refusal(peer, 'GetPosition'), 10);
    await other.send(openFile('f', 0));
    assert.deepEqual(await answer(other), done('OpenFile'));
  });

  it('opens the file again that it has open', async () => {
    await using server = await TestServer.start();
    using peer = await opened(server, 'f');
    for (const mode of [1, 0, 1]) {
      await peer.send(openFile('f', mode));
      assert.deepEqual(await answer(peer), done('OpenFile'));
    }
  });
});

describe('a file that somebody has open', () => {
  it('is read by any number, and written by one who is alone with it', async () => {
    await using server = await TestServer.start();
    await writeFile(server.path('f'), 'abc');
    using reader = await opened(server, 'f', 0);
    using second = await opened(server, 'f', 0);
    using writer = await server.login(RemoteStream);
    assert.equal(
      await refusal(writer, 'OpenFile', [
        ['FileName', 'f'],
        ['Mode', 1],
      ]),
      11,
    );
    await ask(reader, 'CloseFile');
    assert.equal(
      await refusal(writer, 'OpenFile', [
        ['FileName', 'f'],
        ['Mode', 1],
      ]),
      11,
    );
    second.destroy();
    await eventually('closed', () => server.server.listener.connections.size === 2);
    await writer.send(openFile('f'));
    assert.deepEqual(await answer(writer), done('OpenFile'));
    assert.equal(
      await refusal(reader, 'OpenFile', [
        ['FileName', 'f'],
        ['Mode', 0],
      ]),
      11,
    );
  });

  it('is in use for uploads and downloads while it is open for writing, and not taken over', async () => {
    await using server = await TestServer.start();
    using writer = await opened(server, 'f');
    using uploader = await server.login(Upload);
    using downloader = await server.login(Download);
    const named: Field[] = [
      ['DirName', ''],
      ['FileName', 'f'],
    ];
    assert.equal(await refusal(uploader, 'Upload', named), 11);
    assert.equal(await refusal(downloader, 'Download', [...named, ['FileSize', 0], ['PacketSize', 1]]), 11);
    await ask(writer, 'CloseFile');
    assert.deepEqual(await ask(uploader, 'Upload', named), done('Upload', 'FileSize=0'));
    for (const mode of [0, 1])
      assert.equal(
        await refusal(writer, 'OpenFile', [
          ['FileName', 'f'],
          ['Mode', mode],
        ]),
        11,
      );
  });
});

describe('commands without a file', () => {
  const commands: [string, Field[]][] = [
    ['GetSize', []],
    ['GetPosition', []],
    ['SetPosition', [['Position', 0]]],
    [
      'Seek',
      [
        ['Offset', 0],
        ['SeekOrigin', 0],
      ],
    ],
    ['CloseFile', []],
  ];
  for (const [command, fields] of commands) {
    it(`${command} answers 10, before the first and after the last`, async () => {
      await using server = await TestServer.start();
      using peer = await server.login(RemoteStream);
      assert.equal(await refusal(peer, command, fields), 10);
      await peer.send(openFile('f'));
      await answer(peer);
      await ask(peer, 'CloseFile');
      assert.equal(await refusal(peer, command, fields), 10);
    });
  }
});

describe('a RemoteStream connection', () => {
  it('answers an unknown command with code 1, and a missing one with 5, and stays open (D27, D20)', async () => {
    await using server = await TestServer.start();
    using peer = await opened(server, 'f');
    for (const command of ['Rename', 'Upload', 'Data', 'ReadAt', 'WriteAt', 'Sync', 'Stat', 'ResumeFile'])
      assert.equal(await refusal(peer, command), 1, command);
    await peer.send(encodePacket(Buffer.from('[Request]\r\nA=1')));
    assert.deepEqual((await answer(peer)).slice(0, 2), ['Command=', 'Code=5']);
    assert.deepEqual(await ask(peer, 'Active'), done('Active'));
  });

  it('repeats the command as it was spelled', async () => {
    await using server = await TestServer.start();
    await writeFile(server.path('f'), 'abc');
    using peer = await opened(server, 'f', 0);
    assert.equal((await read(peer, 3, 'rEAD')).toString(), 'abc');
    assert.deepEqual(await ask(peer, 'getsize'), done('getsize', 'Size=3'));
  });

  it('shows a client that has not asked for extensions none of them, whatever keys it sends', async () => {
    await using server = await TestServer.start();
    using peer = await server.login(RemoteStream);
    const keys: Field[] = [
      ['Tag', 7],
      ['Handle', 3],
      ['KeepMs', 1000],
    ];
    await peer.send(openFile('f', 1, keys));
    assert.deepEqual(await answer(peer), done('OpenFile'));
    assert.deepEqual(
      await ask(peer, 'GetSize', [
        ['Tag', 'x'],
        ['Handle', 64],
      ]),
      done('GetSize', 'Size=0'),
    );
  });

  it('answers requests one after the other, whatever the pieces they come in', async () => {
    await using server = await TestServer.start();
    const requests = Buffer.concat([
      Uint8Array.of(RemoteStream),
      login(),
      openFile('f'),
      write('deadbeef'),
      request('Seek', [
        ['Offset', -6],
        ['SeekOrigin', 2],
      ]),
      request('Read', [['Count', 4]]),
      request('SetSize', [['Size', 3]]),
      request('GetPosition'),
      request('CloseFile'),
    ]);
    let expected: string | undefined;
    for (let size = requests.length; size > 0; size = size > 60 ? size - 41 : size - 1) {
      using peer = await server.connect();
      for (const piece of splitEvery(requests, size)) await peer.send(piece);
      for (let i = 0; i < 8; i++) await peer.nextPacket();
      const received = peer.received.toString('latin1');
      expected ??= received;
      assert.equal(received, expected, `${size} bytes at a time`);
    }
    assert.match(expected!, /Command=Read\r\nCode=0\r\nCount=4adbe/);
  });

  it('answers what came before the end of the sending side, then closes, and the file with it', async () => {
    await using server = await TestServer.start();
    await writeFile(server.path('f'), 'abc');
    using disk = slowDisk((await stat(server.root)).dev, 'thread pool');
    void disk;
    using peer = await opened(server, 'f');
    void peer.send(request('Read', [['Count', 3]]));
    peer.halfClose();
    assert.match((await peer.waitForClose()).toString(), /Count=3abc$/);
    using other = await server.login(RemoteStream);
    await eventually('closed', async () => {
      await other.send(openFile('f'));
      return (await answer(other))[1] === 'Code=0';
    });
  });

  it('reads no more requests of a peer that does not read its answers (D44)', async () => {
    await using server = await TestServer.start();
    await writeFile(server.path('f'), Buffer.alloc(100_000, 1));
    using peer = await opened(server, 'f', 0);
    peer.pause();
    const round = Buffer.concat([request('SetPosition', [['Position', 0]]), request('Read', [['Count', 100_000]])]);
    for (let i = 0; i < 1000; i++) void peer.send(round);
    const [connection] = server.server.listener.connections;
    await eventually('the queue is full', () => (connection?.queuedBytes ?? 0) > 512 << 10);
    assert.ok((connection?.queuedBytes ?? 0) < 2 << 20);
    peer.resume();
    for (let i = 0; i < 2000; i++) await peer.nextPacket();
  });
});

describe('a disk that refuses', () => {
  /** Makes a method of all file handles fail with a system error, until it is restored. */
  async function failing(
    t: TestContext,
    server: TestServer,
    method: 'read' | 'write' | 'datasync' | 'truncate',
    code: string,
  ) {
    const handle = await open(server.path('f'));
    const mock = t.mock.method(Object.getPrototypeOf(handle), method, async () => {
      throw Object.assign(new Error(`${code}: text of the system, /path`), { code });
    });
    await handle.close();
    return { [Symbol.dispose]: () => mock.mock.restore() };
  }

  const cases: ['read' | 'write' | 'truncate', string, Uint8Array, number][] = [
    ['read', 'EIO', request('Read', [['Count', 3]]), 4],
    ['write', 'EIO', write('xyz'), 4],
    ['write', 'ENOSPC', write('xyz'), 4],
    ['write', 'EDQUOT', write('xyz'), 4],
    ['write', 'EFBIG', write('xyz'), 6],
    ['truncate', 'ENOSPC', request('SetSize', [['Size', 1]]), 4],
    ['truncate', 'EFBIG', request('SetSize', [['Size', 1]]), 6],
    ['truncate', 'EINVAL', request('SetSize', [['Size', 1]]), 6],
  ];
  for (const [method, systemCode, bytes, code] of cases) {
    it(`to ${method} with ${systemCode} makes the answer ${code}, without a word of the system, and the position stays (D11, D22)`, async (t) => {
      await using server = await TestServer.start();
      await writeFile(server.path('f'), 'abcdef');
      using disk = slowDisk((await stat(server.root)).dev, 'thread pool');
      void disk;
      using peer = await opened(server, 'f');
      await ask(peer, 'SetPosition', [['Position', 2]]);
      {
        using fault = await failing(t, server, method, systemCode);
        void fault;
        await peer.send(bytes);
        const packet = await peer.nextPacket();
        assert.match(packet.text, new RegExp(`\r\nCode=${code}\r\nMessage=[a-z ]+$`));
        assert.doesNotMatch(packet.text, /path|system/);
        assert.equal(packet.data.length, 0);
      }
      assert.deepEqual(await ask(peer, 'GetPosition'), done('GetPosition', 'Position=2'));
      assert.equal((await read(peer, 9)).toString(), 'cdef');
    });
  }

  it('to sync once makes every Sync of that open file fail: what it has forgotten would count as written', async (t) => {
    await using server = await TestServer.start();
    await writeFile(server.path('f'), '');
    using peer = await server.login(RemoteStream, [['Features', '']]);
    await peer.send(openFile('f'));
    await answer(peer);
    {
      using fault = await failing(t, server, 'datasync', 'EIO');
      void fault;
      assert.equal(await refusal(peer, 'Sync'), 4);
    }
    assert.equal(await refusal(peer, 'Sync'), 4);
    await peer.send(openFile('f'));
    await answer(peer);
    assert.deepEqual(await ask(peer, 'Sync'), done('Sync'));
  });
});

describe('a remote file as operators see it', () => {
  it('is the transfer of its connection, with the bytes that were moved', async () => {
    await using server = await TestServer.start();
    using peer = await opened(server, 'f');
    await peer.send(write('abcdef'), request('SetPosition', [['Position', 0]]));
    await answer(peer);
    await answer(peer);
    await read(peer, 4);
    using control = await server.login(ProtocolFlag.Control, [['Features', '']]);
    await control.send(request('ListClients'));
    const { data } = await control.nextPacket();
    const records = decodeClientRecords(data);
    assert.deepEqual(records.find(({ protocol }) => protocol === 'RemoteStream')?.transfer, {
      direction: 'stream',
      name: 'f',
      doneBytes: 10,
    });
  });
});
