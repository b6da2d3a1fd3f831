import assert from 'node:assert/strict';
import { mkdir, mkdtemp, open, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, it } from 'node:test';
import { ServedPlace } from './support/served-place.js';
import { Workplace } from './support/workplace.js';

const CHUNK = 4 << 20;
const TIME = new Date('2026-01-01T00:00:00Z');

/** A served place with files in it, and a directory for files here. */
class Place implements AsyncDisposable {
  readonly #served: ServedPlace;
  readonly #folder: string;

  private constructor(served: ServedPlace, folder: string) {
    this.#served = served;
    this.#folder = folder;
  }

  static async open(): Promise<Place> {
    return new Place(await ServedPlace.open(), await mkdtemp(path.join(tmpdir(), 'sluice-verify-')));
  }

  served(name: string): string {
    return path.join(this.#served.root, name);
  }

  local(name: string): string {
    return path.join(this.#folder, name);
  }

  sluice(...args: string[]) {
    return this.#served.sluice(args);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#served[Symbol.asyncDispose]();
    await rm(this.#folder, { recursive: true, force: true });
  }
}

async function plant(file: string, bytes: number): Promise<void> {
  await mkdir(path.dirname(file), { recursive: true });
  await writeFile(file, Buffer.alloc(bytes, file.length));
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

function events(stdout: string): Record<string, unknown>[] {
  return stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

describe('sluice verify', { concurrency: 2 }, () => {
  it('says what a file is, and names the chunks of one that has rotted on the disk, with exit code 1', async () => {
    await using place = await Place.open();
    await plant(place.served('f'), 6 * CHUNK);
    const first = await place.sluice('verify', 'f');
    assert.deepEqual(
      [first.code, first.stdout],
      [0, 'f  24.0 MiB  nothing was recorded of it; now it is\n'],
      first.stderr,
    );
    assert.equal((await place.sluice('verify', 'f')).stdout, 'f  24.0 MiB  intact\n');
    for (const chunk of [1, 3, 4]) await flipBit(place.served('f'), chunk * CHUNK + 77);
    const damaged = await place.sluice('verify', 'f');
    assert.equal(damaged.code, 1);
    assert.equal(damaged.stdout, 'f  24.0 MiB  DAMAGED: chunks 1, 3-4 (bytes 4194304-8388607, 12582912-20971519)\n');
    const [event, summary] = events((await place.sluice('verify', '--json', 'f')).stdout);
    assert.equal(event?.['state'], 'damaged');
    assert.deepEqual(event?.['damaged'], [
      { firstChunk: 1, lastChunk: 1, firstByte: CHUNK, lastByte: 2 * CHUNK - 1 },
      { firstChunk: 3, lastChunk: 4, firstByte: 3 * CHUNK, lastByte: 5 * CHUNK - 1 },
    ]);
    assert.deepEqual([summary?.['event'], summary?.['damaged'], summary?.['files']], ['summary', 1, 1]);
  });

  it('checks a tree, has a line for each file that is not as it should be, and ends with 3 when others are', async () => {
    await using place = await Place.open();
    for (const name of ['t/a', 't/d/b', 't/d/e/c']) await plant(place.served(name), 1000);
    const first = await place.sluice('verify', '-r', 't');
    assert.deepEqual([first.code, first.stdout], [0, '3 files, 2.93 KiB: 3 unrecorded\n'], first.stderr);
    await flipBit(place.served('t/d/b'), 5);
    await writeFile(place.served('t/a'), 'new');
    const second = await place.sluice('verify', '-r', 't');
    assert.equal(second.code, 3);
    assert.equal(
      second.stdout,
      't/d/b  1000 B  DAMAGED: chunk 0 (bytes 0-999)\n3 files, 1.96 KiB: 1 intact, 1 changed, 1 damaged\n',
    );
    const quiet = await place.sluice('verify', '-rq', 't');
    assert.deepEqual([quiet.code, quiet.stdout], [3, 't/d/b  1000 B  DAMAGED: chunk 0 (bytes 0-999)\n']);
    await rm(place.served('t/d/b'));
    assert.deepEqual((await place.sluice('verify', '-r', 't')).stdout, '2 files, 1003 B: 2 intact\n');
  });

  it('compares a file, or a tree, with what is here', async () => {
    await using place = await Place.open();
    for (const name of ['t/same', 't/other', 't/there']) await plant(place.served(name), 1000);
    await mkdir(place.local('t'));
    for (const name of ['same', 'other'])
      await writeFile(place.local(`t/${name}`), await readFile(place.served(`t/${name}`)));
    await writeFile(place.local('t/here'), 'x');
    await flipBit(place.local('t/other'), 3);
    const same = await place.sluice('verify', 't/same', '--local', place.local('t'));
    assert.match(same.stdout, /^t\/same {2}1000 B {2}nothing was recorded of it; now it is, and the same here\n$/);
    const other = await place.sluice('verify', 't/other', '--local', place.local('t/other'));
    assert.deepEqual(
      [other.code, other.stdout],
      [1, `t/other  1000 B  not as ${place.local('t/other')}: chunk 0 (bytes 0-999)\n`],
    );
    const tree = await place.sluice('verify', '-r', '--local', place.local('t'), 't');
    assert.equal(tree.code, 3);
    assert.deepEqual(tree.stdout.split('\n').slice(0, 3).sort(), [
      `${place.local('t/here')}  missing on the server`,
      `t/other  1000 B  not as ${place.local('t/other')}: chunk 0 (bytes 0-999)`,
      't/there  missing here',
    ]);
    const found = events((await place.sluice('verify', '-r', '--json', '--local', place.local('t'), 't')).stdout);
    assert.equal(found.filter(({ event }) => event === 'missing').length, 2);
    assert.deepEqual(found.at(-1)?.['different'], 1);
  });

  it('escapes names, and goes on with others when one cannot be verified', async () => {
    await using place = await Place.open();
    await plant(place.served('esc\x1b[2J'), 3);
    const { code, stdout, stderr } = await place.sluice('verify', 'none', 'esc\x1b[2J');
    assert.equal(code, 3);
    assert.match(stdout, /^1 file, 3 B: 1 unrecorded, 1 failed\n$/);
    assert.match(stderr, /^sluice: none: file does not exist/);
    assert.match((await place.sluice('verify', 'esc\x1b[2J')).stdout, /^esc\\e\[2J {2}3 B {2}intact\n$/);
  });

  it('says what needs -r, and what a server cannot do', async () => {
    await using place = await Place.open();
    await mkdir(place.served('d'));
    for (const name of ['d', 'd/']) {
      const { code, stderr } = await place.sluice('verify', name);
      assert.deepEqual([code, stderr.includes('is a directory: verify it with -r')], [1, true], stderr);
    }
    assert.equal((await place.sluice('verify')).code, 2);
    assert.equal((await place.sluice('verify', 'a', 'b', '--local', 'x')).code, 2);
    await using original = await Workplace.open();
    await writeFile(original.served('f'), 'x');
    const { code, stderr } = await original.sluice(['verify', 'f']);
    assert.deepEqual([code, stderr], [1, 'sluice: f: the server cannot verify files\n']);
  });
});

describe('sluice stat', { concurrency: 2 }, () => {
  it('shows what the server knows of a file, the digest when it is recorded', async () => {
    await using place = await Place.open();
    await plant(place.served('d/f'), 2048);
    await place.sluice('verify', 'd/f');
    const { code, stdout } = await place.sluice('stat', 'd/f', 'd');
    assert.equal(code, 0);
    assert.match(
      stdout,
      /^name {6}d\/f\nkind {6}file\nsize {6}2048 B, 2\.00 KiB\nmodified {2}2026-01-01T00:00:00\.000000000Z\nmode {6}0644 rw-r--r--\ndigest {4}[0-9a-f]{16}\nname {6}d\nkind {6}directory\nmodified {2}20.*\nmode {6}0755 rwxr-xr-x\n$/,
    );
    const [object] = events((await place.sluice('stat', '--json', 'd/f')).stdout);
    assert.deepEqual(Object.keys(object ?? {}), [
      'name',
      'kind',
      'size',
      'modified',
      'modifiedNs',
      'mode',
      'version',
      'contentDigest',
    ]);
    const missing = await place.sluice('stat', 'none');
    assert.equal(missing.code, 1);
    assert.match(missing.stderr, /^sluice: none: file does not exist/);
  });

  it('shows what a server of the original system tells', async () => {
    await using place = await Workplace.open();
    await writeFile(place.served('f'), 'x');
    assert.equal((await place.sluice(['stat', 'f'])).stdout, 'name      f\nkind      file\nsize      1 B\n');
  });
});
