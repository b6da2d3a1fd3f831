import assert from 'node:assert/strict';
import { mkdir, readdir, symlink, writeFile } from 'node:fs/promises';
import { describe, it } from 'node:test';
import { type Field, ProtocolFlag } from '@sluice/wire';
import { ListingQueue } from '../../../../packages/server/dist/storage/listing-queue.js';
import { ask, eventually, TestServer } from '../support/test-server.js';

const { Upload, Download } = ProtocolFlag;

async function populated(): Promise<TestServer> {
  const server = await TestServer.start();
  await mkdir(server.path('sub', 'deep'), { recursive: true });
  await mkdir(server.path('.sluice'), { recursive: true });
  await writeFile(server.path('b=c.txt'), '12');
  await writeFile(server.path('数据.txt'), '12345');
  await writeFile(server.path('.hidden'), '');
  await writeFile(server.path('line\nbreak'), '');
  await symlink('/etc', server.path('link'));
  return server;
}

for (const [name, flag] of [
  ['Upload', Upload],
  ['Download', Download],
] as const) {
  describe(`listings on ${name} (specification 6)`, () => {
    it('lists directories by name, without links and without its own', async () => {
      await using server = await populated();
      using peer = await server.login(flag);
      assert.deepEqual(await ask(peer, 'Dir', [['ParentDir', '']]), ['Command=Dir', 'Code=0', 'Item=sub']);
      assert.deepEqual(await ask(peer, 'Dir', [['ParentDir', 'sub\\']]), ['Command=Dir', 'Code=0', 'Item=deep']);
    });

    it('lists files with sizes, sorted, and leaves out and logs names that would break a line (D21)', async () => {
      await using server = await populated();
      using peer = await server.login(flag);
      assert.deepEqual(await ask(peer, 'FileList', [['DirName', '']]), [
        'Command=FileList',
        'Code=0',
        'Item=.hidden\u00010',
        'Item=b=c.txt\u00012',
        'Item=数据.txt\u00015',
      ]);
      assert.ok(server.events.some(({ event }) => event === 'a name cannot be listed'));
    });

    for (const [command, key] of [
      ['Dir', 'ParentDir'],
      ['FileList', 'DirName'],
    ] as const) {
      it(`answers ${command} without its key with code 6, of a missing directory with 0x02000001, outside the root with 6`, async () => {
        await using server = await populated();
        using peer = await server.login(flag);
        assert.equal((await ask(peer, command))[1], 'Code=6');
        assert.equal((await ask(peer, command, [[key, 'none']]))[1], 'Code=33554433');
        assert.equal((await ask(peer, command, [[key, 'b=c.txt']]))[1], 'Code=33554433');
        assert.equal((await ask(peer, command, [[key, 'link']]))[1], 'Code=33554433');
        for (const outside of ['..', '../..', '/etc', '/', 'sub/../..', 'C:\\', '.sluice', '.SLUICE/']) {
          assert.equal((await ask(peer, command, [[key, outside]]))[1], 'Code=6', outside);
        }
      });
    }

    it('lists 20,000 files in one answer (D45)', async () => {
      await using server = await TestServer.start();
      await mkdir(server.path('many'));
      for (let from = 0; from < 20_000; from += 500) {
        await Promise.all(Array.from({ length: 500 }, (_, i) => writeFile(server.path('many', `f${from + i}`), '')));
      }
      using peer = await server.login(flag);
      assert.equal((await ask(peer, 'FileList', [['DirName', 'many']])).length, 20_002);
    });
  });
}

describe('listing queue', () => {
  it('makes two at once, gives who asks for a waiting one the same, and does not make what nobody waits for', async () => {
    const queue = new ListingQueue();
    const made: string[] = [];
    const ends: (() => void)[] = [];
    const make = (name: string) => () =>
      new Promise<string>((resolve) => {
        made.push(name);
        ends.push(() => resolve(name));
      });
    const here = new AbortController();
    const gone = new AbortController();
    const [a, b] = [queue.list('a', here.signal, make('a')), queue.list('b', here.signal, make('b'))];
    const [c, sameC] = [queue.list('c', here.signal, make('c')), queue.list('c', gone.signal, make('never'))];
    const left = assert.rejects(queue.list('d', gone.signal, make('d')));
    assert.deepEqual(made, ['a', 'b']);
    gone.abort();
    for (const end of ends) end();
    assert.deepEqual(await Promise.all([a, b]), ['a', 'b']);
    await eventually('the next one', () => made.length === 3);
    ends[2]!();
    assert.deepEqual(await Promise.all([c, sameC]), ['c', 'c']);
    await left;
    assert.deepEqual(made, ['a', 'b', 'c']);
  });
});

describe('changing directories (specification 6)', () => {
  const steps: [string, string, Field[], number][] = [
    [
      'creates a directory',
      'CreateDir',
      [
        ['ParentDir', ''],
        ['DirName', 'new'],
      ],
      0,
    ],
    [
      'creates intermediate ones',
      'CreateDir',
      [
        ['ParentDir', 'sub'],
        ['DirName', 'x/y\\z'],
      ],
      0,
    ],
    [
      'takes an existing one as done',
      'CreateDir',
      [
        ['ParentDir', ''],
        ['DirName', 'sub'],
      ],
      0,
    ],
    [
      'misses the parent',
      'CreateDir',
      [
        ['ParentDir', 'none'],
        ['DirName', 'a'],
      ],
      0x02000001,
    ],
    [
      'meets a file',
      'CreateDir',
      [
        ['ParentDir', ''],
        ['DirName', 'b=c.txt'],
      ],
      0x02000002,
    ],
    [
      'needs a name (D26)',
      'CreateDir',
      [
        ['ParentDir', ''],
        ['DirName', ''],
      ],
      6,
    ],
    ['needs the keys', 'CreateDir', [['ParentDir', '']], 6],
    [
      'stays inside',
      'CreateDir',
      [
        ['ParentDir', ''],
        ['DirName', '../out'],
      ],
      6,
    ],
    [
      'removes a whole tree',
      'DeleteDir',
      [
        ['ParentDir', ''],
        ['DirName', 'sub'],
      ],
      0,
    ],
    [
      'removes by a path',
      'DeleteDir',
      [
        ['ParentDir', 'sub'],
        ['DirName', 'deep\\'],
      ],
      0,
    ],
    [
      'misses the target',
      'DeleteDir',
      [
        ['ParentDir', ''],
        ['DirName', 'none'],
      ],
      0x02000003,
    ],
    [
      'misses the parent of the target',
      'DeleteDir',
      [
        ['ParentDir', 'none'],
        ['DirName', 'x'],
      ],
      0x02000001,
    ],
    [
      'does not remove the root (D26)',
      'DeleteDir',
      [
        ['ParentDir', ''],
        ['DirName', ''],
      ],
      6,
    ],
    [
      'does not remove the parent (D26)',
      'DeleteDir',
      [
        ['ParentDir', 'sub'],
        ['DirName', ''],
      ],
      6,
    ],
    [
      'does not remove by dots',
      'DeleteDir',
      [
        ['ParentDir', 'sub'],
        ['DirName', '.'],
      ],
      6,
    ],
    [
      'does not follow a link',
      'DeleteDir',
      [
        ['ParentDir', ''],
        ['DirName', 'link'],
      ],
      0x02000003,
    ],
    [
      "does not touch the server's own",
      'DeleteDir',
      [
        ['ParentDir', ''],
        ['DirName', '.sluice'],
      ],
      6,
    ],
    [
      'removes files',
      'DeleteFile',
      [
        ['DirName', ''],
        ['Item', '.hidden'],
        ['Item', 'b=c.txt'],
      ],
      0,
    ],
    [
      'takes a missing file as removed',
      'DeleteFile',
      [
        ['DirName', ''],
        ['Item', 'none'],
      ],
      0,
    ],
    ['takes no file at all as done', 'DeleteFile', [['DirName', 'sub']], 0],
    [
      'needs the directory',
      'DeleteFile',
      [
        ['DirName', 'none'],
        ['Item', 'x'],
      ],
      0x02000001,
    ],
    [
      'does not remove a directory as a file',
      'DeleteFile',
      [
        ['DirName', ''],
        ['Item', 'sub'],
      ],
      0x02000007,
    ],
    [
      'takes bare names only',
      'DeleteFile',
      [
        ['DirName', ''],
        ['Item', 'sub/../b=c.txt'],
      ],
      6,
    ],
  ];
  for (const [title, command, fields, code] of steps) {
    it(`${command} ${title}: code ${code}`, async () => {
      await using server = await populated();
      using peer = await server.login(Upload);
      assert.deepEqual((await ask(peer, command, fields)).slice(0, 2), [`Command=${command}`, `Code=${code}`]);
      const left = await readdir(server.root);
      assert.ok(left.includes('.sluice') && left.includes('link'));
      assert.equal(left.includes('sub'), title !== 'removes a whole tree');
      assert.equal(left.includes('.hidden'), title !== 'removes files');
    });
  }

  it('stops deleting at the first error; earlier files stay removed', async () => {
    await using server = await populated();
    using peer = await server.login(Upload);
    const items: Field[] = [
      ['Item', '.hidden'],
      ['Item', 'sub'],
      ['Item', 'b=c.txt'],
    ];
    assert.equal((await ask(peer, 'DeleteFile', [['DirName', ''], ...items]))[1], 'Code=33554439');
    const left = await readdir(server.root);
    assert.deepEqual([left.includes('.hidden'), left.includes('b=c.txt')], [false, true]);
  });

  for (const command of ['CreateDir', 'DeleteDir', 'DeleteFile', 'Upload', 'Eof', 'Data']) {
    it(`does not know ${command} on Download`, async () => {
      await using server = await populated();
      using peer = await server.login(Download);
      assert.equal(
        (
          await ask(peer, command, [
            ['ParentDir', ''],
            ['DirName', 'sub'],
          ])
        )[1],
        'Code=1',
      );
    });
  }
});
