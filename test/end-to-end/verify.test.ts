import assert from 'node:assert/strict';
import { mkdir, mkdtemp, open, rm, utimes, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { describe, it } from 'node:test';
import { connect, type SluiceClient, type TreeEntry } from '@sluice/client';
import { ServerLog, SluiceServer, UserStore } from '@sluice/server';

const CHUNK = 4 << 20;
const TIME = new Date('2026-01-01T00:00:00Z');
const users = UserStore.fromPairs([{ name: 'admin', password: 'admin' }]);

/** A server in this process, a client of it, and a directory for files here. */
class Place implements AsyncDisposable {
  readonly #folder: string;
  readonly #server: SluiceServer;
  readonly client: SluiceClient;

  private constructor(folder: string, server: SluiceServer, client: SluiceClient) {
    this.#folder = folder;
    this.#server = server;
    this.client = client;
  }

  static async make(): Promise<Place> {
    const folder = await mkdtemp(path.join(os.tmpdir(), 'sluice-verify-'));
    await mkdir(path.join(folder, 'root'));
    const log = new ServerLog({ level: 'info', sinks: [] });
    const where = { host: '127.0.0.1', port: 0, root: path.join(folder, 'root') };
    const server = await SluiceServer.start({ ...where, users: await users, log });
    const client = await connect(`sluice://admin:admin@127.0.0.1:${server.address.port}/`);
    return new Place(folder, server, client);
  }

  local(name: string): string {
    return path.join(this.#folder, name);
  }

  served(name: string): string {
    return path.join(this.#folder, 'root', name);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.client.close();
    await this.#server.close();
    await rm(this.#folder, { recursive: true, force: true });
  }
}

function content(bytes: number): Buffer {
  return Buffer.from(Array.from({ length: bytes }, (_, i) => (i * 7 + (i >> 10)) & 0xff));
}

async function plant(file: string, bytes: Buffer): Promise<void> {
  await writeFile(file, bytes);
  await utimes(file, TIME, TIME);
}

/** As a disk that goes bad: neither size nor time tell. */
async function flipBit(file: string, at: number): Promise<void> {
  await using handle = await open(file, 'r+');
  const byte = Buffer.alloc(1);
  await handle.read(byte, 0, 1, at);
  byte[0]! ^= 1;
  await handle.write(byte, 0, 1, at);
  await handle.utimes(TIME, TIME);
}

describe('verify', () => {
  it('finds each chunk of a finished file in which a bit has flipped on the disk', async () => {
    await using place = await Place.make();
    await plant(place.served('f'), content(3 * CHUNK + 5));
    assert.equal((await place.client.verify('f')).state, 'unrecorded');
    const intact = await place.client.verify('f');
    assert.deepEqual([intact.state, intact.bytes, intact.damagedChunks], ['intact', 3 * CHUNK + 5, []]);
    for (const at of [2 * CHUNK - 1, 3 * CHUNK]) await flipBit(place.served('f'), at);
    const damaged = await place.client.verify('f');
    assert.deepEqual([damaged.state, damaged.damagedChunks], ['damaged', [1, 3]]);
    assert.notEqual(damaged.contentDigest, intact.contentDigest);
    assert.equal((await place.client.stat('f')).contentDigest, intact.contentDigest, 'of what was recorded');
  });

  it('knows a file that was uploaded, without having seen it before', async () => {
    await using place = await Place.make();
    await writeFile(place.local('f'), content(2 * CHUNK));
    await utimes(place.local('f'), TIME, TIME);
    await place.client.upload(place.local('f'), 'f');
    const first = await place.client.verify('f', { local: place.local('f') });
    assert.deepEqual(first.local, { bytes: 2 * CHUNK, isEqual: true, differentChunks: [] });
    assert.equal(first.state, 'intact');
    await flipBit(place.served('f'), CHUNK + 1);
    assert.deepEqual((await place.client.verify('f')).damagedChunks, [1]);
  });

  it('compares with a file here, chunk by chunk, whatever is recorded', async () => {
    await using place = await Place.make();
    const bytes = content(2 * CHUNK + 9);
    await plant(place.served('f'), bytes);
    await writeFile(place.local('same'), bytes);
    await writeFile(place.local('longer'), Buffer.concat([bytes, Buffer.alloc(CHUNK)]));
    await writeFile(place.local('shorter'), bytes.subarray(0, CHUNK));
    const other = Buffer.from(bytes);
    other[CHUNK]! ^= 1;
    await writeFile(place.local('other'), other);
    const compare = async (name: string) => (await place.client.verify('f', { local: place.local(name) })).local;
    assert.deepEqual(await compare('same'), { bytes: bytes.length, isEqual: true, differentChunks: [] });
    assert.deepEqual(await compare('longer'), { bytes: bytes.length + CHUNK, isEqual: false, differentChunks: [2, 3] });
    assert.deepEqual(await compare('shorter'), { bytes: CHUNK, isEqual: false, differentChunks: [1, 2] });
    assert.deepEqual(await compare('other'), { bytes: bytes.length, isEqual: false, differentChunks: [1] });
    await assert.rejects(compare('none'), { code: 'ERR_LOCAL_FILE' });
  });

  it('works for an empty file, tells progress, and rejects for what is no file', async () => {
    await using place = await Place.make();
    await writeFile(place.served('empty'), '');
    const { contentDigest, state } = await place.client.verify('empty');
    assert.deepEqual([contentDigest, state], ['ef46db3751d8e999', 'unrecorded']);
    assert.equal((await place.client.verify('empty')).state, 'intact');
    await plant(place.served('f'), content(2 * CHUNK));
    const seen: number[] = [];
    await place.client.verify('f', { onProgress: ({ bytesDone }) => seen.push(bytesDone) });
    assert.equal(seen.at(-1), 2 * CHUNK);
    await mkdir(place.served('d'));
    await assert.rejects(place.client.verify('none'), { code: 'ERR_REMOTE', resultCode: 9 });
    await assert.rejects(place.client.verify('d'), { code: 'ERR_REMOTE', resultCode: 6 });
  });
});

describe('listTree', () => {
  it('tells all that is known of what is below a directory, in as many parts as it takes', async () => {
    await using place = await Place.make();
    await mkdir(place.served('t/d/e'), { recursive: true });
    for (let i = 0; i < 25; i++) await plant(place.served(`t/d/${i}`), content(i));
    await plant(place.served('t/d/e/x'), content(3));
    await place.client.verify('t/d/e/x');
    const all: TreeEntry[] = [];
    for await (const entry of place.client.listTree('t', { entriesAtOnce: 4 })) all.push(entry);
    assert.equal(all.length, 28);
    const last = all.at(-1);
    assert.deepEqual([last?.path, last?.kind, last?.size, last?.mode], ['d/e/x', 'file', 3, 0o644]);
    assert.equal(last?.modifiedNs, BigInt(TIME.getTime()) * 1_000_000n);
    assert.match(last?.contentDigest ?? '', /^[0-9a-f]{16}$/);
    assert.equal(all.filter(({ contentDigest }) => contentDigest !== undefined).length, 1);
  });
});

describe('stat', () => {
  it('tells permissions, version and content digest as well', async () => {
    await using place = await Place.make();
    await plant(place.served('f'), content(3));
    await place.client.verify('f');
    const { kind, size, modifiedNs, mode, version, contentDigest } = await place.client.stat('f');
    assert.deepEqual([kind, size, modifiedNs, mode], ['file', 3, BigInt(TIME.getTime()) * 1_000_000n, 0o644]);
    assert.match(version ?? '', /^[0-9a-f]{32}$/);
    assert.match(contentDigest ?? '', /^[0-9a-f]{16}$/);
    assert.equal((await place.client.stat('f')).version, version);
  });
});
