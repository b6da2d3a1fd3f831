import assert from 'node:assert/strict';
import { readFile, stat, truncate, writeFile } from 'node:fs/promises';
import { describe, it } from 'node:test';
import { splitEvery } from '@sluice/testkit';
import { type Field, MAX_READ_BYTES, ProtocolFlag } from '@sluice/wire';
import { done, opened, openFile, read, refusal, write } from '../support/plain-remote-stream.js';
import { slowDisk } from '../support/slow-disk.js';
import { answer, ask, request, TestServer } from '../support/test-server.js';

const { RemoteStream } = ProtocolFlag;

describe('the position', () => {
  const moves: [string, [offset: number | string, origin: number | string], number | string][] = [
    ['from the start', [3, 0], 3],
    ['from the position, forwards', [1, 1], 6],
    ['from the position, backwards', [-4, 1], 1],
    ['from the end, backwards', [-2, 2], 1022],
    ['from the end, to it', [0, 2], 1024],
    ['beyond the end', [2, 2], 1026],
    ['far beyond the end', ['9007199254740991', 0], '9007199254740991'],
  ];
  for (const [what, [offset, origin], expected] of moves) {
    it(`is moved by Seek ${what}`, async () => {
      await using server = await TestServer.start();
      await writeFile(server.path('f'), Buffer.alloc(1024));
      using peer = await opened(server, 'f', 0);
      assert.deepEqual(await ask(peer, 'SetPosition', [['Position', 5]]), done('SetPosition'));
      assert.deepEqual(
        await ask(peer, 'Seek', [
          ['Offset', offset],
          ['SeekOrigin', origin],
        ]),
        done('Seek', `Offset=${expected}`),
      );
      assert.deepEqual(await ask(peer, 'GetPosition'), done('GetPosition', `Position=${expected}`));
    });
  }

  const refused: [string, string, Field[]][] = [
    [
      'Seek to before the start',
      'Seek',
      [
        ['Offset', -6],
        ['SeekOrigin', 1],
      ],
    ],
    [
      'Seek to a negative place from the start',
      'Seek',
      [
        ['Offset', -1],
        ['SeekOrigin', 0],
      ],
    ],
    [
      'Seek to before the start from the end',
      'Seek',
      [
        ['Offset', -1025],
        ['SeekOrigin', 2],
      ],
    ],
    [
      'Seek by the smallest 64-bit number',
      'Seek',
      [
        ['Offset', '-9223372036854775808'],
        ['SeekOrigin', 1],
      ],
    ],
    [
      'Seek by the largest 64-bit number, which does not wrap',
      'Seek',
      [
        ['Offset', '9223372036854775807'],
        ['SeekOrigin', 1],
      ],
    ],
    [
      'Seek by more than 64 bits',
      'Seek',
      [
        ['Offset', '9223372036854775808'],
        ['SeekOrigin', 0],
      ],
    ],
    [
      'Seek to 2^53',
      'Seek',
      [
        ['Offset', '9007199254740992'],
        ['SeekOrigin', 0],
      ],
    ],
    [
      'Seek from a fourth origin',
      'Seek',
      [
        ['Offset', 0],
        ['SeekOrigin', 3],
      ],
    ],
    [
      'Seek from a negative origin',
      'Seek',
      [
        ['Offset', 0],
        ['SeekOrigin', -1],
      ],
    ],
    ['Seek without an origin', 'Seek', [['Offset', 0]]],
    ['Seek without an offset', 'Seek', [['SeekOrigin', 0]]],
    ['SetPosition to a negative place', 'SetPosition', [['Position', -1]]],
    ['SetPosition to 2^53', 'SetPosition', [['Position', '9007199254740992']]],
    ['SetPosition without a place', 'SetPosition', []],
    ['SetPosition to no number', 'SetPosition', [['Position', 'x']]],
  ];
  for (const [what, command, fields] of refused) {
    it(`stays where it is when code 6 answers ${what} (D41)`, async () => {
      await using server = await TestServer.start();
      await writeFile(server.path('f'), Buffer.alloc(1024));
      using peer = await opened(server, 'f', 0);
      await ask(peer, 'SetPosition', [['Position', 5]]);
      assert.equal(await refusal(peer, command, fields), 6);
      assert.deepEqual(await ask(peer, 'GetPosition'), done('GetPosition', 'Position=5'));
    });
  }
});

describe('Read (specification 8)', () => {
  it('returns what was asked for, then less at the end of the file, then nothing, with Code before Count', async () => {
    await using server = await TestServer.start();
    await writeFile(server.path('f'), 'abcdefg');
    using peer = await opened(server, 'f', 0);
    assert.equal((await read(peer, 5)).toString(), 'abcde');
    assert.equal((await read(peer, 5)).toString(), 'fg');
    assert.equal((await read(peer, 5)).toString(), '');
    assert.deepEqual(await ask(peer, 'GetPosition'), done('GetPosition', 'Position=7'));
    await ask(peer, 'SetPosition', [['Position', 100]]);
    assert.equal((await read(peer, 5)).length, 0);
    assert.equal((await read(peer, 0)).length, 0);
    assert.deepEqual(await ask(peer, 'GetPosition'), done('GetPosition', 'Position=100'));
  });

  for (const size of [1, 9, 10, 99, 100, 4096, 32_768, 32_769, 262_144, 262_145, 1_000_000, MAX_READ_BYTES]) {
    for (const pacing of ['fast', 'thread pool', 'changing'] as const) {
      it(`returns ${size} bytes at once, and those in front of the end, with a disk that is ${pacing}`, async () => {
        await using server = await TestServer.start();
        const content = Buffer.alloc(size, 'sluice, not zeros; ');
        await writeFile(server.path('f'), content);
        using disk = pacing === 'fast' ? undefined : slowDisk((await stat(server.root)).dev, pacing);
        void disk;
        using peer = await opened(server, 'f', 0);
        assert.ok((await read(peer, size)).equals(content));
        await ask(peer, 'Seek', [
          ['Offset', -Math.min(7, size)],
          ['SeekOrigin', 2],
        ]);
        assert.ok((await read(peer, size)).equals(content.subarray(-7)));
      });
    }
  }

  for (const count of [-1, MAX_READ_BYTES + 1, 2_147_483_647, '2147483648', '', 'x']) {
    it(`answers 6 for a Count of ${count}, with no data, and goes on (D39)`, async () => {
      await using server = await TestServer.start();
      await writeFile(server.path('f'), 'abc');
      using peer = await opened(server, 'f', 0);
      assert.equal(await refusal(peer, 'Read', [['Count', count]]), 6);
      assert.equal((await read(peer, 3)).toString(), 'abc');
    });
  }

  it('answers 6 without Count and 10 without a file, and never with bytes of an earlier file (D39)', async () => {
    await using server = await TestServer.start();
    await writeFile(server.path('f'), 'secret');
    using peer = await server.login(RemoteStream);
    assert.equal(await refusal(peer, 'Read', [['Count', 6]]), 10);
    assert.equal(await refusal(peer, 'Read'), 6);
    await peer.send(openFile('f', 0));
    await answer(peer);
    await read(peer, 6);
    await ask(peer, 'CloseFile');
    assert.equal(await refusal(peer, 'Read', [['Count', 6]]), 10);
    assert.equal(await refusal(peer, 'Read'), 6);
  });

  it('sees what the file has become', async () => {
    await using server = await TestServer.start();
    await writeFile(server.path('f'), 'abcdef');
    using peer = await opened(server, 'f', 0);
    await truncate(server.path('f'), 2);
    assert.equal((await read(peer, 6)).toString(), 'ab');
    assert.deepEqual(await ask(peer, 'GetSize'), done('GetSize', 'Size=2'));
  });
});

describe('Write (specification 8)', () => {
  it('writes the whole data at the position, and moves it', async () => {
    await using server = await TestServer.start();
    using peer = await opened(server, 'f');
    await peer.send(write('abcdef', 6), write('gh'), write(''));
    for (const count of [6, 2, 0]) assert.deepEqual(await answer(peer), done('Write', `Count=${count}`));
    await ask(peer, 'SetPosition', [['Position', 1]]);
    await peer.send(write('BC'));
    assert.deepEqual(await answer(peer), done('Write', 'Count=2'));
    assert.deepEqual(await ask(peer, 'GetPosition'), done('GetPosition', 'Position=3'));
    assert.equal(await readFile(server.path('f'), 'utf8'), 'aBCdefgh');
  });

  it('extends the file with zeros when the position is beyond the end', async () => {
    await using server = await TestServer.start();
    using peer = await opened(server, 'f');
    await ask(peer, 'Seek', [
      ['Offset', 3],
      ['SeekOrigin', 2],
    ]);
    await peer.send(write('x'));
    assert.deepEqual(await answer(peer), done('Write', 'Count=1'));
    assert.equal(await readFile(server.path('f'), 'latin1'), '\0\0\0x');
  });

  for (const count of [0, 2, 4, -1, 'x']) {
    it(`answers 6 and writes nothing when Count is ${count} and the data has 3 bytes (D40)`, async () => {
      await using server = await TestServer.start();
      using peer = await opened(server, 'f');
      assert.equal(await refusal(peer, 'Write', [['Count', count]], Buffer.from('abc')), 6);
      assert.deepEqual(await ask(peer, 'GetSize'), done('GetSize', 'Size=0'));
      assert.deepEqual(await ask(peer, 'GetPosition'), done('GetPosition', 'Position=0'));
    });
  }

  it('answers 6 on a file that is open for reading (D40), as SetSize does', async () => {
    await using server = await TestServer.start();
    await writeFile(server.path('f'), 'abc');
    using peer = await opened(server, 'f', 0);
    assert.equal(await refusal(peer, 'Write', [], Buffer.from('x')), 6);
    assert.equal(await refusal(peer, 'SetSize', [['Size', 0]]), 6);
    assert.equal((await read(peer, 3)).toString(), 'abc');
  });

  it('answers 10 without a file, and 6 for a bad Count before that', async () => {
    await using server = await TestServer.start();
    using peer = await server.login(RemoteStream);
    assert.equal(await refusal(peer, 'Write', [['Count', 1]], Buffer.from('x')), 10);
    assert.equal(await refusal(peer, 'Write', [['Count', 2]], Buffer.from('x')), 6);
  });

  it('answers 6 where the file would be larger than it can be (D11)', async () => {
    await using server = await TestServer.start();
    using peer = await opened(server, 'f');
    await ask(peer, 'SetPosition', [['Position', '9007199254740991']]);
    assert.equal(await refusal(peer, 'Write', [], Buffer.from('x')), 6);
    assert.deepEqual(await ask(peer, 'GetPosition'), done('GetPosition', 'Position=9007199254740991'));
  });

  for (const pacing of ['fast', 'thread pool', 'changing'] as const) {
    for (const bytes of [1, 300, 65_536, 262_145, 5_000_000]) {
      it(`writes ${bytes} bytes that come in pieces to a disk that is ${pacing}, one after the other`, async () => {
        await using server = await TestServer.start();
        using disk = pacing === 'fast' ? undefined : slowDisk((await stat(server.root)).dev, pacing);
        void disk;
        using peer = await opened(server, 'f');
        const content = Buffer.alloc(bytes, 'sluice, not zeros; ');
        const all = Buffer.concat([write(content), write(content.subarray(0, 5)), request('GetPosition')]);
        for (const piece of splitEvery(all, Math.ceil(all.length / 7))) await peer.send(piece);
        assert.deepEqual(await answer(peer), done('Write', `Count=${bytes}`));
        assert.deepEqual(await answer(peer), done('Write', `Count=${Math.min(5, bytes)}`));
        assert.deepEqual(await answer(peer), done('GetPosition', `Position=${bytes + Math.min(5, bytes)}`));
        assert.ok((await readFile(server.path('f'))).equals(Buffer.concat([content, content.subarray(0, 5)])));
      });
    }
  }
});

describe('SetSize (specification 8)', () => {
  it('cuts and extends, and moves a position beyond the new end to it', async () => {
    await using server = await TestServer.start();
    await writeFile(server.path('f'), 'abcdef');
    using peer = await opened(server, 'f');
    await ask(peer, 'SetPosition', [['Position', 5]]);
    assert.deepEqual(await ask(peer, 'SetSize', [['Size', 3]]), done('SetSize'));
    assert.deepEqual(await ask(peer, 'GetPosition'), done('GetPosition', 'Position=3'));
    assert.deepEqual(await ask(peer, 'SetSize', [['Size', 5]]), done('SetSize'));
    assert.deepEqual(await ask(peer, 'GetPosition'), done('GetPosition', 'Position=3'));
    assert.deepEqual(await ask(peer, 'GetSize'), done('GetSize', 'Size=5'));
    assert.equal(await readFile(server.path('f'), 'latin1'), 'abc\0\0');
  });

  for (const size of [-1, '9007199254740992', '9223372036854775807', '9223372036854775808', '', undefined]) {
    it(`answers 6 for a size of ${size}, also without a file`, async () => {
      await using server = await TestServer.start();
      using peer = await opened(server, 'f');
      const fields: Field[] = size === undefined ? [] : [['Size', size]];
      assert.equal(await refusal(peer, 'SetSize', fields), 6);
      await ask(peer, 'CloseFile');
      assert.equal(await refusal(peer, 'SetSize', fields), 6);
      assert.equal(await refusal(peer, 'SetSize', [['Size', 1]]), 10);
    });
  }

  it('answers 6 for a size that the file system does not take (D11)', async () => {
    await using server = await TestServer.start();
    using peer = await opened(server, 'f');
    const size = 2 ** 53 - 1;
    // Some file systems take any size; whatever they say, it is answered.
    await peer.send(request('SetSize', [['Size', size]]));
    const code = (await answer(peer))[1];
    assert.ok(code === 'Code=6' || code === 'Code=0', code);
  });
});
