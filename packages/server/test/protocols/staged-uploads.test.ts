import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { mkdir, open, readdir, readFile, stat, truncate, utimes, writeFile } from 'node:fs/promises';
import { describe, it } from 'node:test';
import { ChunkHash, contentDigest } from '@sluice/files';
import { ManualClock, type RawPeer } from '@sluice/testkit';
import { type ChunkEntry, decodeChunkEntries, digestText, type Field } from '@sluice/wire';
import { ask, eventually, request, TestServer } from '../support/test-server.js';

const CHUNK = 4 << 20;
const UPLOAD = 2;
const EXTENDED: Field[] = [['Features', 'Staging']];

/** Bytes that differ from one another wherever they are cut. */
function content(bytes: number, seed = 1): Buffer {
  const buffer = Buffer.alloc(bytes);
  let state = seed * 2_654_435_761;
  for (let at = 0; at < bytes; at += 4) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    buffer.writeUInt32LE(state, Math.min(at, Math.max(0, bytes - 4)));
  }
  return buffer;
}

async function digestOf(bytes: Uint8Array): Promise<bigint> {
  const hash = await ChunkHash.create();
  hash.update(bytes);
  return hash.end();
}

function chunksOf(bytes: Buffer): Buffer[] {
  const chunks: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += CHUNK) chunks.push(bytes.subarray(at, at + CHUNK));
  return chunks;
}

async function digestsOf(bytes: Buffer): Promise<bigint[]> {
  return Promise.all(chunksOf(bytes).map(digestOf));
}

async function begin(peer: RawPeer, size: number | undefined, extra: Field[] = [], name = 'f.bin'): Promise<string[]> {
  const fields: Field[] = [
    ['DirName', ''],
    ['FileName', name],
  ];
  if (size !== undefined) fields.push(['FileSize', size]);
  return ask(peer, 'BeginUpload', [...fields, ...extra]);
}

function fieldOf(answer: readonly string[], key: string): string | undefined {
  return answer.find((line) => line.startsWith(`${key}=`))?.slice(key.length + 1);
}

/** Sends one chunk at its place, without waiting for anything. */
async function sendChunk(peer: RawPeer, bytes: Buffer, number: number, digest?: bigint): Promise<void> {
  const data = bytes.subarray(number * CHUNK, (number + 1) * CHUNK);
  await peer.send(request('PlaceData', [['Position', number * CHUNK]]));
  for (let at = 0; at < data.length; at += 1 << 20)
    await peer.send(request('Data', [], data.subarray(at, at + (1 << 20))));
  await peer.send(request('EndChunk', [['Digest', digestText(digest ?? (await digestOf(data)))]]));
}

async function commit(peer: RawPeer, bytes: Buffer): Promise<string[]> {
  return ask(peer, 'CommitUpload', [
    ['FileSize', bytes.length],
    ['Digest', digestText(await contentDigest(await digestsOf(bytes)))],
  ]);
}

async function chunkEntries(peer: RawPeer, first = 0, count = 1000): Promise<ChunkEntry[]> {
  await peer.send(
    request('UploadChunks', [
      ['Position', first],
      ['Count', count],
    ]),
  );
  const { text, data } = await peer.nextPacket();
  assert.match(text, /Code=0/);
  return decodeChunkEntries(data);
}

async function states(peer: RawPeer): Promise<number[]> {
  return (await chunkEntries(peer)).map(({ state }) => state);
}

/** A whole upload on a connection of its own. */
async function upload(server: TestServer, bytes: Buffer, extra: Field[] = [], name = 'f.bin'): Promise<string[]> {
  using peer = await server.login(UPLOAD, EXTENDED);
  const begun = await begin(peer, bytes.length, extra, name);
  if (fieldOf(begun, 'UploadId') === undefined) return begun;
  for (let number = 0; number * CHUNK < bytes.length; number += 1) await sendChunk(peer, bytes, number);
  return await commit(peer, bytes);
}

function stagingFiles(server: TestServer): string[] {
  try {
    return readdirSync(server.path('.sluice', 'staging')).sort();
  } catch {
    return [];
  }
}

/** The data file of the one partial. */
function partial(server: TestServer): string {
  const name = stagingFiles(server).find((file) => file.endsWith('.part'));
  assert.ok(name, 'there is a partial');
  return server.path('.sluice', 'staging', name);
}

async function overwrite(path: string, position: number, bytes: Uint8Array): Promise<void> {
  const handle = await open(path, 'r+');
  await handle.write(bytes, 0, bytes.length, position);
  await handle.close();
}

async function parked(server: TestServer): Promise<void> {
  await eventually('the upload is parked', () => server.events.some(({ event }) => event === 'upload broken off'));
  server.events.length = 0;
  await using again = await server.login(UPLOAD, EXTENDED);
  await eventually('nobody is at it', async () => !(await partials(again)).some(({ isHeld }) => isHeld));
}

async function partials(peer: RawPeer): Promise<{ id: string; isHeld: boolean; stagedBytes: number; name: string }[]> {
  await peer.send(request('ListPartials'));
  const { text, data } = await peer.nextPacket();
  assert.match(text, /Code=0/);
  return JSON.parse(Buffer.from(data).toString());
}

const three = content(2 * CHUNK + 1000);
const SOURCE: Field[] = [['SourceId', 'source-1']];

describe('a staged upload', () => {
  it('is found under its name when it is committed, and not before', async () => {
    await using server = await TestServer.start();
    using peer = await server.login(UPLOAD, EXTENDED);
    const begun = await begin(peer, three.length);
    assert.equal(begun[1], 'Code=0');
    assert.equal(fieldOf(begun, 'Source'), 'none');
    for (const number of [2, 0, 1]) await sendChunk(peer, three, number);
    assert.deepEqual(await states(peer), [1, 1, 1]);
    assert.deepEqual((await readdir(server.root)).sort(), ['.sluice']);
    const answer = await commit(peer, three);
    assert.deepEqual(answer.slice(0, 3), ['Command=CommitUpload', 'Code=0', 'Durability=durable']);
    assert.deepEqual(await readFile(server.path('f.bin')), three);
    assert.deepEqual(stagingFiles(server), []);
  });

  it('may be empty', async () => {
    await using server = await TestServer.start();
    const answer = await upload(server, Buffer.alloc(0));
    assert.equal(fieldOf(answer, 'Digest'), 'ef46db3751d8e999');
    assert.equal((await stat(server.path('f.bin'))).size, 0);
  });

  it('gives the file its time of change and its permissions', async () => {
    await using server = await TestServer.start();
    await upload(server, content(10), [
      ['ModifiedNs', '1767225600123456000'],
      ['Mode', 0o640],
    ]);
    const { mtimeNs, mode } = await stat(server.path('f.bin'), { bigint: true });
    assert.ok(mtimeNs - 1_767_225_600_123_456_000n < 1000n && mtimeNs >= 1_767_225_600_123_455_000n, `${mtimeNs}`);
    assert.equal(mode & 0o777n, 0o640n);
  });

  it('leaves the old file readable until the new one is complete', async () => {
    await using server = await TestServer.start();
    await writeFile(server.path('f.bin'), 'old');
    using peer = await server.login(UPLOAD, EXTENDED);
    await begin(peer, three.length);
    for (const number of [0, 1, 2]) await sendChunk(peer, three, number);
    await states(peer);
    assert.equal(await readFile(server.path('f.bin'), 'utf8'), 'old');
    using reader = await server.login(3);
    await ask(reader, 'Download', [
      ['DirName', ''],
      ['FileName', 'f.bin'],
      ['FileSize', 0],
      ['PacketSize', 100],
    ]);
    assert.equal(fieldOf(await commit(peer, three), 'Durability'), 'durable');
    assert.deepEqual(await readFile(server.path('f.bin')), three);
  });

  it('is not committed as long as chunks are missing, and then may go on', async () => {
    await using server = await TestServer.start();
    using peer = await server.login(UPLOAD, EXTENDED);
    await begin(peer, three.length);
    await sendChunk(peer, three, 0);
    await sendChunk(peer, three, 2);
    assert.equal(fieldOf(await commit(peer, three), 'Code'), '17');
    assert.deepEqual(await states(peer), [1, 0, 1]);
    await sendChunk(peer, three, 1);
    assert.equal(fieldOf(await commit(peer, three), 'Code'), '0');
  });

  it('does not take a chunk whose bytes are not those that the client has digested', async () => {
    await using server = await TestServer.start();
    using peer = await server.login(UPLOAD, EXTENDED);
    await begin(peer, three.length);
    await sendChunk(peer, three, 0, 7n);
    assert.deepEqual(await states(peer), []);
    await sendChunk(peer, three, 0);
    assert.deepEqual(await states(peer), [1]);
  });

  it('is not committed under another digest than that of its chunks', async () => {
    await using server = await TestServer.start();
    using peer = await server.login(UPLOAD, EXTENDED);
    const small = content(100);
    await begin(peer, small.length);
    await sendChunk(peer, small, 0);
    assert.equal(fieldOf(await commit(peer, content(100, 2)), 'Code'), '17');
    assert.equal(fieldOf(await commit(peer, small), 'Code'), '0');
  });

  it('may be of a size that is not known before its end', async () => {
    await using server = await TestServer.start();
    using peer = await server.login(UPLOAD, EXTENDED);
    await begin(peer, undefined);
    for (const number of [0, 1, 2]) await sendChunk(peer, three, number);
    assert.equal(fieldOf(await commit(peer, three), 'Code'), '0');
    assert.deepEqual(await readFile(server.path('f.bin')), three);
  });

  it('is sent over several connections', async () => {
    await using server = await TestServer.start();
    using peer = await server.login(UPLOAD, EXTENDED);
    using other = await server.login(UPLOAD, EXTENDED);
    const id = fieldOf(await begin(peer, three.length), 'UploadId')!;
    assert.equal(fieldOf(await ask(other, 'JoinUpload', [['UploadId', id]]), 'Code'), '0');
    await Promise.all([sendChunk(peer, three, 0), sendChunk(other, three, 1)]);
    await sendChunk(other, three, 2);
    assert.equal(fieldOf(await ask(other, 'Active'), 'Code'), '0');
    assert.equal(fieldOf(await commit(peer, three), 'Code'), '0');
    assert.deepEqual(await readFile(server.path('f.bin')), three);
  });

  it('lets one connection write a chunk at a time', async () => {
    await using server = await TestServer.start();
    using peer = await server.login(UPLOAD, EXTENDED);
    using other = await server.login(UPLOAD, EXTENDED);
    const id = fieldOf(await begin(peer, three.length), 'UploadId')!;
    await ask(other, 'JoinUpload', [['UploadId', id]]);
    await peer.send(request('Data', [], three.subarray(0, 100)));
    await ask(peer, 'Active');
    await other.send(request('Data', [], three.subarray(0, 100)));
    assert.equal((await other.nextPacket()).text.includes('Code=11'), true);
    assert.equal(fieldOf(await commit(peer, three), 'Code'), '11');
  });

  it('is made in directories that are missing, if asked to', async () => {
    await using server = await TestServer.start();
    using peer = await server.login(UPLOAD, EXTENDED);
    const fields: Field[] = [
      ['DirName', 'a/b'],
      ['FileName', 'f'],
      ['FileSize', 0],
    ];
    assert.equal(fieldOf(await ask(peer, 'BeginUpload', fields), 'Code'), '33554433');
    assert.equal(fieldOf(await ask(peer, 'BeginUpload', [...fields, ['Parents', 'yes']]), 'Code'), '0');
    assert.equal(fieldOf(await commit(peer, Buffer.alloc(0)), 'Code'), '0');
    assert.equal((await stat(server.path('a', 'b', 'f'))).size, 0);
  });

  it('is unknown to clients that do not know extensions', async () => {
    await using server = await TestServer.start();
    using peer = await server.login(UPLOAD);
    assert.equal(fieldOf(await begin(peer, 10), 'Code'), '1');
  });

  it('ends the connection of a client that sends data which belong nowhere', async () => {
    await using server = await TestServer.start();
    const cases: [string, Field[], number][] = [
      ['PlaceData', [['Position', 5]], 6],
      ['PlaceData', [['Position', 100 * CHUNK]], 6],
      ['EndChunk', [['Digest', '0000000000000000']], 6],
      ['EndChunk', [['Digest', 'x']], 6],
    ];
    for (const [command, fields, code] of cases) {
      using peer = await server.login(UPLOAD, EXTENDED);
      await begin(peer, three.length);
      await peer.send(request(command, fields));
      assert.match((await peer.nextPacket()).text, new RegExp(`Command=Data\r\nCode=${code}\r`));
      await peer.waitForClose();
    }
    using peer = await server.login(UPLOAD, EXTENDED);
    await begin(peer, 10);
    await peer.send(request('Data', [], Buffer.alloc(11)));
    assert.match((await peer.nextPacket()).text, /Command=Data\r\nCode=6/);
  });
});

describe('a staged upload that was broken off', () => {
  it('goes on with the chunks that are missing', async () => {
    await using server = await TestServer.start();
    {
      using peer = await server.login(UPLOAD, EXTENDED);
      await begin(peer, three.length, SOURCE);
      await sendChunk(peer, three, 0);
      await sendChunk(peer, three, 2);
      await peer.send(
        request('PlaceData', [['Position', CHUNK]]),
        request('Data', [], three.subarray(CHUNK, CHUNK + 5000)),
      );
      await states(peer);
    }
    await parked(server);
    using peer = await server.login(UPLOAD, EXTENDED);
    const begun = await begin(peer, three.length, SOURCE);
    assert.equal(fieldOf(begun, 'Source'), 'same');
    assert.equal(fieldOf(begun, 'Staged'), `${CHUNK + 1000}`);
    assert.deepEqual(await states(peer), [1, 0, 1]);
    await sendChunk(peer, three, 1);
    assert.equal(fieldOf(await commit(peer, three), 'Code'), '0');
    assert.deepEqual(await readFile(server.path('f.bin')), three);
    assert.deepEqual(stagingFiles(server), []);
  });

  it('tells the digests of what it has to a client whose source is another now', async () => {
    await using server = await TestServer.start();
    await brokenOff(server, [0, 1]);
    using peer = await server.login(UPLOAD, EXTENDED);
    const begun = await begin(peer, three.length, [['SourceId', 'source-2']]);
    assert.equal(fieldOf(begun, 'Source'), 'other');
    const [first, second] = await chunkEntries(peer);
    const [digest] = await digestsOf(three);
    assert.deepEqual(first, { state: 1, digest });
    const changed = Buffer.concat([three.subarray(0, CHUNK), content(CHUNK, 9), three.subarray(2 * CHUNK)]);
    assert.notEqual(second?.digest, await digestOf(changed.subarray(CHUNK, 2 * CHUNK)));
    await sendChunk(peer, changed, 1);
    await sendChunk(peer, changed, 2);
    assert.equal(fieldOf(await commit(peer, changed), 'Code'), '0');
    assert.deepEqual(await readFile(server.path('f.bin')), changed);
  });

  const damages: [string, (path: string) => Promise<void>, number[]][] = [
    ['flipped', (path) => overwrite(path, CHUNK + 77, Buffer.from([three[CHUNK + 77]! ^ 1])), [1, 0, 1]],
    ['zeroed', (path) => overwrite(path, 0, Buffer.alloc(CHUNK)), [0, 1, 1]],
    ['truncated', (path) => truncate(path, CHUNK + 5), [1, 0, 0]],
    [
      'flipped by a disk, which leaves the time of the file as it was,',
      async (path) => {
        const { atime, mtime } = await stat(path);
        await overwrite(path, 2 * CHUNK, Buffer.from([three[2 * CHUNK]! ^ 64]));
        await utimes(path, atime, mtime);
      },
      [1, 1, 0],
    ],
    ['extended', (path) => truncate(path, 50 * CHUNK), [1, 1, 1]],
  ];
  for (const [what, damage, expected] of damages) {
    it(`finds chunks that were ${what} meanwhile, names them, and keeps the others`, async () => {
      await using server = await TestServer.start();
      await brokenOff(server, [0, 1, 2]);
      await damage(partial(server));
      using peer = await server.login(UPLOAD, EXTENDED);
      await begin(peer, three.length, SOURCE);
      const found = await states(peer);
      assert.deepEqual(
        [0, 1, 2].map((number) => found[number] ?? 0),
        expected,
      );
      const named = server.events.filter(({ event }) => event === 'a chunk of a partial is damaged');
      assert.deepEqual(
        named.map(({ fields }) => fields['chunk']),
        [0, 1, 2].filter((number) => expected[number] === 0),
      );
      for (const number of [0, 1, 2]) if (expected[number] === 0) await sendChunk(peer, three, number);
      assert.equal(fieldOf(await commit(peer, three), 'Code'), '0');
      assert.deepEqual(await readFile(server.path('f.bin')), three);
    });
  }

  it('loses no chunk when its journal is damaged: the client compares what stands there', async () => {
    for (const damage of [
      (path: string) => overwrite(path, 20, Buffer.from('damage')),
      (path: string) => truncate(path, 0),
    ]) {
      await using server = await TestServer.start();
      await brokenOff(server, [0, 1]);
      await damage(partial(server).replace('.part', '.journal'));
      using peer = await server.login(UPLOAD, EXTENDED);
      const begun = await begin(peer, three.length, SOURCE);
      assert.equal(fieldOf(begun, 'Source'), 'other');
      const [first, second] = await chunkEntries(peer);
      const digests = await digestsOf(three);
      assert.deepEqual(
        [first, second],
        [
          { state: 2, digest: digests[0] },
          { state: 2, digest: digests[1] },
        ],
      );
      await peer.send(
        request('UseTarget', [
          ['Position', 0],
          ['Count', 2],
        ]),
      );
      await sendChunk(peer, three, 2);
      assert.equal(fieldOf(await commit(peer, three), 'Code'), '0');
      assert.deepEqual(await readFile(server.path('f.bin')), three);
    }
  });

  it('is found again by another server, and only what was not synced is read again', async () => {
    await using first = await TestServer.start();
    await brokenOff(first, [0, 1]);
    // A server that is killed in the middle leaves the stamp, and a journal without the last sync.
    const journal = partial(first).replace('.part', '.journal');
    const bytes = await readFile(journal);
    await first.server.close();
    await writeFile(journal, bytes.subarray(0, bytes.length - 10));
    await using second = await TestServer.start({ root: first.root });
    using peer = await second.login(UPLOAD, EXTENDED);
    assert.equal((await partials(peer)).length, 1);
    const begun = await begin(peer, three.length, SOURCE);
    assert.equal(fieldOf(begun, 'Source'), 'same');
    assert.deepEqual(await states(peer), [1, 1]);
  });

  it('is listed for its user, and removed when it asks', async () => {
    await using server = await TestServer.start();
    await brokenOff(server, [0]);
    using peer = await server.login(UPLOAD, EXTENDED);
    const [only] = await partials(peer);
    assert.equal(only?.name, 'f.bin');
    assert.equal(only.stagedBytes, CHUNK);
    assert.equal(fieldOf(await ask(peer, 'DropPartial', [['UploadId', 'f'.repeat(32)]]), 'Code'), '9');
    assert.equal(fieldOf(await ask(peer, 'DropPartial', [['UploadId', only.id]]), 'Code'), '0');
    assert.deepEqual(stagingFiles(server), []);
  });

  it('is removed when it is too old, and nothing else is', async () => {
    const clock = new ManualClock();
    await using server = await TestServer.start({ clock, keepPartialsMs: 3_600_000 });
    await brokenOff(server, [0]);
    await upload(server, content(10), [], 'finished.bin');
    const old = new Date(Date.now() - 7_200_000);
    await server.server.close();
    await utimes(partial(server).replace('.part', '.journal'), old, old);
    await writeFile(server.path('.sluice', 'staging', 'somebody-elses.txt'), 'x');
    await utimes(server.path('finished.bin'), old, old);
    await using _again = await TestServer.start({ root: server.root, clock, keepPartialsMs: 3_600_000 });
    clock.advance(60_000);
    await eventually('it is gone', () => stagingFiles(server).length === 1);
    assert.deepEqual(stagingFiles(server), ['somebody-elses.txt']);
    assert.equal((await stat(server.path('finished.bin'))).size, 10);
  });

  it('is given up when the client says so', async () => {
    await using server = await TestServer.start();
    using peer = await server.login(UPLOAD, EXTENDED);
    await begin(peer, three.length, SOURCE);
    await sendChunk(peer, three, 0);
    assert.equal(fieldOf(await ask(peer, 'AbortUpload'), 'Code'), '0');
    assert.deepEqual(stagingFiles(server), []);
  });
});

/** Leaves some chunks of `three` behind. */
async function brokenOff(server: TestServer, numbers: readonly number[]): Promise<void> {
  {
    using peer = await server.login(UPLOAD, EXTENDED);
    await begin(peer, three.length, SOURCE);
    for (const number of numbers) await sendChunk(peer, three, number);
    await states(peer);
  }
  await parked(server);
}

describe('a file that has the name already', () => {
  it('gives its chunks to the new one, so that only what differs is sent', async () => {
    await using server = await TestServer.start();
    await upload(server, three);
    const changed = Buffer.from(three);
    changed.writeUInt8(changed[CHUNK + 1]! ^ 255, CHUNK + 1);
    using peer = await server.login(UPLOAD, EXTENDED);
    await begin(peer, changed.length, [['SourceId', 'changed']]);
    const entries = await chunkEntries(peer);
    const digests = await digestsOf(changed);
    assert.deepEqual(
      entries.map(({ digest }, number) => digest === digests[number]),
      [true, false, true],
    );
    await peer.send(
      request('UseTarget', [
        ['Position', 0],
        ['Count', 1],
      ]),
      request('UseTarget', [
        ['Position', 2],
        ['Count', 1],
      ]),
    );
    await sendChunk(peer, changed, 1);
    assert.equal(fieldOf(await commit(peer, changed), 'Code'), '0');
    assert.deepEqual(await readFile(server.path('f.bin')), changed);
  });

  it('gives no chunk that is another than the client was told', async () => {
    await using server = await TestServer.start();
    await upload(server, three);
    using peer = await server.login(UPLOAD, EXTENDED);
    await begin(peer, three.length, [['SourceId', 'x']]);
    await chunkEntries(peer);
    await overwrite(server.path('f.bin'), 5, Buffer.from('other bytes'));
    await peer.send(
      request('UseTarget', [
        ['Position', 0],
        ['Count', 3],
      ]),
    );
    assert.equal(fieldOf(await commit(peer, three), 'Code'), '17');
  });

  it('is not sent again when it came from the same source and nobody has touched it', async () => {
    await using server = await TestServer.start();
    await upload(server, three, SOURCE);
    const again = await upload(server, three, SOURCE);
    assert.equal(fieldOf(again, 'Unchanged'), 'yes');
    assert.equal(fieldOf(again, 'Digest'), digestText(await contentDigest(await digestsOf(three))));
    await overwrite(server.path('f.bin'), 5, Buffer.from('other bytes'));
    assert.equal(fieldOf(await upload(server, three, SOURCE), 'Durability'), 'durable');
    assert.deepEqual(await readFile(server.path('f.bin')), three);
  });

  it('stays if the client says so, and the answer says why', async () => {
    await using server = await TestServer.start();
    await writeFile(server.path('f.bin'), 'old');
    await utimes(server.path('f.bin'), 1000, 1000);
    const answers: [string, Field[], RegExp][] = [
      ['fail', [], /^Code=16$/m],
      ['skip', [], /^Skip=exists$/m],
      ['newer', [['ModifiedNs', 1000n * 1_000_000_000n]], /^Skip=newer$/m],
    ];
    for (const [ifExists, extra, expected] of answers)
      assert.match((await upload(server, content(10), [['IfExists', ifExists], ...extra])).join('\n'), expected);
    assert.equal(await readFile(server.path('f.bin'), 'utf8'), 'old');
    const newer = await upload(server, content(10), [
      ['IfExists', 'newer'],
      ['ModifiedNs', 2000n * 1_000_000_000n],
    ]);
    assert.equal(fieldOf(newer, 'Code'), '0');
    assert.deepEqual(await readFile(server.path('f.bin')), content(10));
  });

  it('is not replaced by an upload that found none and must not replace one', async () => {
    await using server = await TestServer.start();
    using peer = await server.login(UPLOAD, EXTENDED);
    const bytes = content(10);
    await begin(peer, bytes.length, [['IfExists', 'fail']]);
    await sendChunk(peer, bytes, 0);
    await states(peer);
    await writeFile(server.path('f.bin'), 'somebody else');
    assert.equal(fieldOf(await commit(peer, bytes), 'Code'), '16');
    assert.equal(await readFile(server.path('f.bin'), 'utf8'), 'somebody else');
  });

  it('is not replaced while an old client writes it', async () => {
    await using server = await TestServer.start();
    using peer = await server.login(UPLOAD, EXTENDED);
    const bytes = content(10);
    await begin(peer, bytes.length);
    await sendChunk(peer, bytes, 0);
    await states(peer);
    using old = await server.login(UPLOAD);
    await ask(old, 'Upload', [
      ['DirName', ''],
      ['FileName', 'f.bin'],
    ]);
    assert.equal(fieldOf(await commit(peer, bytes), 'Code'), '11');
    await ask(old, 'Eof');
    assert.equal(fieldOf(await commit(peer, bytes), 'Code'), '0');
  });

  it('that is a directory, or a link, is not replaced', async () => {
    await using server = await TestServer.start();
    await mkdir(server.path('f.bin'));
    using peer = await server.login(UPLOAD, EXTENDED);
    assert.equal(fieldOf(await begin(peer, 10), 'Code'), '6');
  });
});

describe('one writer', () => {
  it('takes the same upload over at once from a holder that is silent', async () => {
    await using server = await TestServer.start();
    using stalled = await server.login(UPLOAD, EXTENDED);
    await begin(stalled, three.length, SOURCE);
    await sendChunk(stalled, three, 0);
    await stalled.send(request('Data', [], three.subarray(CHUNK, CHUNK + 1000)));
    await states(stalled);
    using peer = await server.login(UPLOAD, EXTENDED);
    const begun = await begin(peer, three.length, SOURCE);
    assert.equal(fieldOf(begun, 'Staged'), `${CHUNK}`);
    assert.match((await stalled.nextPacket()).text, /Command=Data\r\nCode=11/);
    await stalled.waitForClose();
    await sendChunk(peer, three, 1);
    await sendChunk(peer, three, 2);
    assert.equal(fieldOf(await commit(peer, three), 'Code'), '0');
    assert.deepEqual(await readFile(server.path('f.bin')), three);
  });

  it('lets another upload to the name wait, or refuses it', async () => {
    await using server = await TestServer.start();
    using peer = await server.login(UPLOAD, EXTENDED);
    const [mine, others] = [content(10, 1), content(10, 2)];
    await begin(peer, 10, SOURCE);
    using other = await server.login(UPLOAD, EXTENDED);
    const refused = await begin(other, 10, [
      ['SourceId', 'other'],
      ['WhenBusy', 'refuse'],
    ]);
    assert.equal(fieldOf(refused, 'Code'), '12');
    const waiting = begin(other, 10, [['SourceId', 'other']]);
    await sendChunk(peer, mine, 0);
    assert.equal(fieldOf(await commit(peer, mine), 'Code'), '0');
    assert.equal(fieldOf(await waiting, 'Code'), '0');
    await sendChunk(other, others, 0);
    assert.equal(fieldOf(await commit(other, others), 'Code'), '0');
    assert.deepEqual(await readFile(server.path('f.bin')), others);
  });

  it('does not let one that has gone hold up others', async () => {
    await using server = await TestServer.start();
    using peer = await server.login(UPLOAD, EXTENDED);
    await begin(peer, 10, SOURCE);
    {
      using waiting = await server.login(UPLOAD, EXTENDED);
      await waiting.send(
        request('BeginUpload', [
          ['DirName', ''],
          ['FileName', 'f.bin'],
          ['FileSize', 5],
          ['SourceId', 'w'],
        ]),
      );
    }
    const bytes = content(10);
    await sendChunk(peer, bytes, 0);
    assert.equal(fieldOf(await commit(peer, bytes), 'Code'), '0');
    assert.equal(fieldOf(await upload(server, content(20), [['SourceId', 'z']]), 'Code'), '0');
  });
});

describe('room for uploads', () => {
  it('is looked at before the first byte, beside what others have declared and the floor', async () => {
    await using server = await TestServer.start();
    using peer = await server.login(UPLOAD, EXTENDED);
    const refused = await begin(peer, 2 ** 52);
    assert.equal(fieldOf(refused, 'Code'), '18');
    assert.deepEqual(stagingFiles(server), []);
    assert.equal(fieldOf(await begin(peer, 1000), 'Code'), '0');
  });

  it('is promised once: what one upload has declared is not there for another', async () => {
    await using server = await TestServer.start({ keepFreeBytes: 0 });
    using peer = await server.login(UPLOAD, EXTENDED);
    using other = await server.login(UPLOAD, EXTENDED);
    const message = fieldOf(await begin(peer, 2 ** 52), 'Message') ?? '';
    const free = Number(/(\d+) are free/.exec(message)?.[1]);
    assert.equal(fieldOf(await begin(peer, Math.floor(free * 0.7)), 'Code'), '0');
    assert.equal(fieldOf(await begin(other, Math.floor(free * 0.7), [], 'g.bin'), 'Code'), '18');
    assert.equal(fieldOf(await ask(peer, 'AbortUpload'), 'Code'), '0');
    assert.equal(fieldOf(await begin(other, Math.floor(free * 0.7), [], 'g.bin'), 'Code'), '0');
  });
});
