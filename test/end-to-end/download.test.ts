import assert from 'node:assert/strict';
import { existsSync, renameSync, writeFileSync } from 'node:fs';
import {
  chmod,
  copyFile,
  mkdir,
  open,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  truncate,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { describe, it } from 'node:test';
import {
  type ConnectOptions,
  connect,
  type DownloadOptions,
  type DownloadResult,
  type SluiceClient,
} from '@sluice/client';
import { randomBytes, randomNumbers } from '@sluice/testkit';
import { Scratch } from './support/command.js';
import { FileServer } from './support/file-server.js';
import { Link } from './support/link.js';

const CHUNK = 4 << 20;
/** More than the data: packets, requests, digests. */
const OVERHEAD = 64 << 10;

/** A server, a link to it, a client by way of the link, and the file `f` on the server and here. */
class Place implements AsyncDisposable {
  readonly scratch: Scratch;
  readonly server: FileServer;
  readonly link: Link;
  readonly client: SluiceClient;

  private constructor(scratch: Scratch, server: FileServer, link: Link, client: SluiceClient) {
    this.scratch = scratch;
    this.server = server;
    this.link = link;
    this.client = client;
  }

  static async make(options: ConnectOptions = {}): Promise<Place> {
    const scratch = await Scratch.make();
    await mkdir(scratch.path('root'));
    await mkdir(scratch.path('here'));
    const server = await FileServer.start(scratch.path('root'));
    const link = await Link.to(server.port);
    const client = await connect(`sluice://admin:admin@127.0.0.1:${link.port}/`, { retryDelayMs: 1, ...options });
    return new Place(scratch, server, link, client);
  }

  get remote(): string {
    return this.scratch.path('root', 'f');
  }

  get target(): string {
    return this.scratch.path('here', 'f');
  }

  get partial(): string {
    return `${this.target}.sluice-part`;
  }

  get journal(): string {
    return `${this.target}.sluice-journal`;
  }

  get(options: DownloadOptions = {}): Promise<DownloadResult> {
    return this.client.download('f', this.target, options);
  }

  /** Begins the download, and calls it off when so many bytes are here. */
  async begin(bytes: number, options: DownloadOptions = {}): Promise<void> {
    const controller = new AbortController();
    const onProgress = ({ bytesDone }: { bytesDone: number }) => {
      if (bytesDone >= bytes) controller.abort(new Error('enough'));
    };
    await assert.rejects(this.get({ ...options, onProgress, signal: controller.signal }), /enough/);
  }

  async assertFetched(content: Buffer): Promise<void> {
    assert.equal(Buffer.compare(await readFile(this.target), content), 0, 'other bytes');
    assert.deepEqual(await readdir(this.scratch.path('here')), ['f']);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.client.close();
    await this.link[Symbol.asyncDispose]();
    await this.server[Symbol.asyncDispose]();
    await this.scratch[Symbol.asyncDispose]();
  }
}

async function writeAt(file: string, position: number, bytes: Uint8Array): Promise<void> {
  await using handle = await open(file, 'r+');
  await handle.write(bytes, 0, bytes.length, position);
}

async function flipBit(file: string, position: number): Promise<void> {
  const byte = (await readFile(file))[position]!;
  await writeAt(file, position, Uint8Array.of(byte ^ 4));
}

describe('a download in chunks', () => {
  for (const size of [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 4 * CHUNK, 4 * CHUNK + 1, 19 * CHUNK + 17]) {
    for (const streams of [1, 4]) {
      it(`brings ${size} bytes here over ${streams}, with time and permissions, and leaves nothing else`, async () => {
        await using place = await Place.make();
        const content = randomBytes(size, size);
        await writeFile(place.remote, content);
        await chmod(place.remote, 0o640);
        await utimes(place.remote, 1_700_000_000.123456, 1_700_000_000.123456);
        const result = await place.get({ streams });
        assert.deepEqual(
          [result.bytes, result.bytesReceived, result.bytesResumed, result.attempts, result.damaged],
          [size, size, 0, 1, []],
        );
        await place.assertFetched(content);
        const { mtimeNs, mode } = await stat(place.target, { bigint: true });
        assert.equal(mtimeNs / 1_000n, (await stat(place.remote, { bigint: true })).mtimeNs / 1_000n);
        assert.equal(Number(mode) & 0o777, 0o640 & ~process.umask());
      });
    }
  }

  it('goes on after the link was cut, again and again, and fetches no byte twice that is here', async () => {
    await using place = await Place.make();
    const content = randomBytes(1, 15 * CHUNK + 5);
    await writeFile(place.remote, content);
    const getting = place.get({ streams: 3 });
    for (let i = 0; i < 6; i++) {
      await place.link.holdAfter(9_000_000);
      place.link.cut();
    }
    const result = await getting;
    assert.ok(result.attempts > 3, `${result.attempts} attempts`);
    assert.equal(result.bytesReceived, content.length);
    await place.assertFetched(content);
  });

  it('fetches a chunk again that the link has changed, and no other', async () => {
    await using place = await Place.make();
    const content = randomBytes(2, 12 * CHUNK);
    await writeFile(place.remote, content);
    place.link.flipAfter(30_000_000);
    const result = await place.get({ streams: 1 });
    assert.equal(result.bytesReceived, 13 * CHUNK);
    await place.assertFetched(content);
  });

  it('goes on when the server is killed and started again', async () => {
    await using place = await Place.make({ retries: 100, retryDelayMs: 10 });
    const content = randomBytes(3, 12 * CHUNK);
    await writeFile(place.remote, content);
    const getting = place.get();
    await place.link.holdAfter(20_000_000);
    place.link.cut();
    await place.server.stop();
    await place.server.startAgain();
    const result = await getting;
    assert.ok(result.bytesReceived <= content.length + OVERHEAD);
    await place.assertFetched(content);
  });

  it('works over one connection when there is no other to be had', async () => {
    await using place = await Place.make({ maxConnections: 1 });
    const content = randomBytes(4, 12 * CHUNK);
    await writeFile(place.remote, content);
    await Promise.all([place.get({ streams: 8 }), place.client.list('')]);
    await place.assertFetched(content);
  });

  it('reports progress that ends with the size', async () => {
    await using place = await Place.make();
    await writeFile(place.remote, randomBytes(5, 5 * CHUNK));
    const reports: number[] = [];
    await place.get({ onProgress: ({ bytesDone }) => reports.push(bytesDone) });
    assert.equal(reports.at(-1), 5 * CHUNK);
    assert.ok(reports.length > 10);
  });

  it('leaves nothing behind when there is no such file', async () => {
    await using place = await Place.make();
    await assert.rejects(place.get(), { code: 'ERR_REMOTE', resultCode: 9 });
    assert.deepEqual(await readdir(place.scratch.path('here')), []);
  });
});

describe('a download that is begun again', () => {
  const SIZE = 12 * CHUNK + 100;

  it('fetches only what is missing', async () => {
    await using place = await Place.make();
    const content = randomBytes(10, SIZE);
    await writeFile(place.remote, content);
    await place.begin(7 * CHUNK);
    const before = place.link.bytes;
    const result = await place.get();
    assert.ok(result.bytesResumed >= 4 * CHUNK, `${result.bytesResumed} resumed`);
    assert.equal(result.bytesResumed + result.bytesReceived, SIZE);
    assert.ok(place.link.bytes - before < result.bytesReceived + OVERHEAD);
    assert.deepEqual(result.damaged, []);
    await place.assertFetched(content);
  });

  /** What is done to it; and which bytes of the partial are damaged then, or whether the journal is. */
  const damages: [string, (place: Place) => Promise<unknown>, { partial?: [number, number][]; journal?: true }][] = [
    [
      'zeroed in one chunk',
      ({ partial }) => writeAt(partial, CHUNK + 5, Buffer.alloc(1_000)),
      { partial: [[CHUNK, CHUNK]] },
    ],
    [
      'zeroed in two chunks that touch',
      ({ partial }) => writeAt(partial, 2 * CHUNK - 10, Buffer.alloc(20)),
      { partial: [[CHUNK, 2 * CHUNK]] },
    ],
    ['changed in one bit', ({ partial }) => flipBit(partial, 3 * CHUNK), { partial: [[3 * CHUNK, CHUNK]] }],
    ['cut within a chunk', ({ partial }) => truncate(partial, 3 * CHUNK + 1), {}],
    ['emptied', ({ partial }) => truncate(partial, 0), {}],
    ['longer than the file', ({ partial }) => writeAt(partial, SIZE + 1_000, Buffer.from('x')), { partial: [] }],
    [
      'replaced by a copy of itself',
      async ({ partial }) => {
        await copyFile(partial, `${partial}2`);
        await rename(`${partial}2`, partial);
      },
      { partial: [] },
    ],
    ['touched', ({ partial }) => utimes(partial, 1, 1), { partial: [] }],
    ['without a journal', ({ journal }) => rm(journal), { partial: [] }],
    ['beside an empty journal', ({ journal }) => truncate(journal, 0), { partial: [] }],
    ['beside a journal with a changed bit', ({ journal }) => flipBit(journal, 40), { journal: true, partial: [] }],
    [
      'beside a journal that was cut',
      async ({ journal }) => truncate(journal, (await stat(journal)).size - 3),
      { journal: true, partial: [] },
    ],
    [
      'beside a zeroed journal',
      async ({ journal }) => writeFile(journal, Buffer.alloc((await stat(journal)).size)),
      { journal: true, partial: [] },
    ],
    [
      'beside a longer journal',
      async ({ journal }) => writeAt(journal, (await stat(journal)).size, Buffer.from('more')),
      { journal: true, partial: [] },
    ],
  ];
  for (const [title, damage, expected] of damages) {
    it(`finds and mends a part that is ${title}`, async () => {
      await using place = await Place.make();
      const content = randomBytes(11, SIZE);
      await writeFile(place.remote, content);
      await place.begin(8 * CHUNK, { streams: 1 });
      assert.equal(existsSync(place.journal), true);
      const had = await readFile(place.partial);
      const whole = Array.from({ length: 12 }, (_, i) => i).filter((chunk) => {
        const [from, to] = [chunk * CHUNK, (chunk + 1) * CHUNK];
        return had.length >= to && Buffer.compare(had.subarray(from, to), content.subarray(from, to)) === 0;
      });
      assert.ok(whole.length >= 6, `${whole.length} chunks`);
      await damage(place);
      const result = await place.get();
      await place.assertFetched(content);

      const partial = result.damaged
        .filter(({ file }) => file === 'partial')
        .map((part) => [part.position, part.bytes]);
      if (expected.partial) {
        assert.deepEqual(partial, expected.partial);
        const damagedBytes = expected.partial.reduce((sum, [, bytes]) => sum + bytes, 0);
        assert.equal(
          result.bytesReceived,
          SIZE - whole.length * CHUNK + damagedBytes,
          'only what was damaged or missing',
        );
      } else {
        assert.ok(partial.length > 0);
      }
      assert.equal(
        result.damaged.some(({ file }) => file === 'journal'),
        expected.journal === true,
      );
    });
  }

  it('starts over when told to, whatever is here', async () => {
    await using place = await Place.make();
    const content = randomBytes(12, SIZE);
    await writeFile(place.remote, content);
    await writeFile(place.target, content);
    await place.begin(2 * CHUNK, { resume: 'never' });
    const result = await place.get({ resume: 'never' });
    assert.deepEqual([result.bytesReceived, result.bytesResumed], [SIZE, 0]);
    await place.assertFetched(content);
  });

  it('keeps of a part with holes no more than its whole beginning when told to trust the length', async () => {
    await using place = await Place.make();
    const content = randomBytes(13, SIZE);
    await writeFile(place.remote, content);
    await place.begin(7 * CHUNK, { streams: 4 });
    const result = await place.get({ resume: 'trust-length' });
    assert.equal(result.bytesReceived + result.bytesResumed, SIZE);
    await place.assertFetched(content);
  });
});

describe("a server's file that changes", () => {
  const SIZE = 12 * CHUNK;

  it('between two attempts: chunks that differ are fetched, and no others', async () => {
    await using place = await Place.make();
    const content = randomBytes(20, SIZE);
    await writeFile(place.remote, content);
    await place.begin(8 * CHUNK, { streams: 1 });
    await place.begin(9 * CHUNK, { streams: 1 });
    const had = (await stat(place.partial)).size;
    content[CHUNK + 7]! ^= 1;
    await writeFile(place.remote, content);
    const result = await place.get();
    assert.ok(result.bytesReceived <= SIZE - had + 3 * CHUNK, `${result.bytesReceived} received, had ${had}`);
    assert.deepEqual(result.damaged, []);
    await place.assertFetched(content);
  });

  for (const [title, size] of [
    ['shorter', 7 * CHUNK + 3],
    ['longer', 15 * CHUNK + 3],
  ] as const) {
    it(`between two attempts, and is ${title} then`, async () => {
      await using place = await Place.make();
      const content = randomBytes(21, 16 * CHUNK);
      await writeFile(place.remote, content.subarray(0, SIZE));
      await place.begin(11 * CHUNK);
      await writeFile(place.remote, content.subarray(0, size));
      const result = await place.get();
      assert.ok(result.bytesReceived < 9 * CHUNK);
      await place.assertFetched(content.subarray(0, size));
    });
  }

  it('while it is fetched: what comes here is one state of it, of which most was here already', async () => {
    await using place = await Place.make();
    const [first, second] = [randomBytes(22, SIZE), randomBytes(22, SIZE)];
    second.fill(7, 9 * CHUNK, 9 * CHUNK + 5);
    await writeFile(place.remote, first);
    await writeFile(place.scratch.path('root', 'g'), second);
    await writeFile(place.target, 'as it was');
    let isReplaced = false;
    const result = await place.get({
      onProgress: ({ bytesDone }) => {
        if (isReplaced || bytesDone < 5 * CHUNK) return;
        isReplaced = true;
        renameSync(place.scratch.path('root', 'g'), place.remote);
      },
    });
    await place.assertFetched(second);
    assert.ok(result.bytesReceived < SIZE + 9 * CHUNK, `${result.bytesReceived}`);
  });

  it('while it is fetched, in place: never a mixture', async () => {
    await using place = await Place.make();
    const content = randomBytes(23, SIZE);
    await writeFile(place.remote, content);
    let isChanged = false;
    await place.get({
      onProgress: ({ bytesDone }) => {
        if (isChanged || bytesDone < 5 * CHUNK) return;
        isChanged = true;
        for (const at of [0, 6 * CHUNK, 11 * CHUNK]) content[at]! ^= 1;
        writeFileSync(place.remote, content);
      },
    });
    await place.assertFetched(content);
  });

  it('again and again: fails, says so, and leaves the target as it is', async () => {
    await using place = await Place.make();
    const content = randomBytes(24, 5 * CHUNK);
    await writeFile(place.remote, content);
    await writeFile(place.target, 'as it was');
    const onProgress = () => {
      content[0]! += 1;
      writeFileSync(place.remote, content);
    };
    await assert.rejects(place.get({ onProgress }), { code: 'ERR_SOURCE_CHANGED', message: /keeps changing/ });
    assert.equal(await readFile(place.target, 'utf8'), 'as it was');
  });
});

describe("a server's disk that has changed bits", () => {
  it('is found out by what was recorded of the file; the rest is kept, and the target left alone', async () => {
    await using place = await Place.make();
    const content = randomBytes(40, 6 * CHUNK);
    await writeFile(place.scratch.path('source'), content);
    await place.client.upload(place.scratch.path('source'), 'f');
    await writeFile(place.target, 'as it was');
    const { mtimeNs } = await stat(place.remote, { bigint: true });
    await flipBit(place.remote, 2 * CHUNK + 9);
    const seconds = (Number(mtimeNs / 1_000n) + 0.5) / 1e6; // the system takes whole microseconds
    await utimes(place.remote, seconds, seconds);
    await assert.rejects(place.get(), {
      code: 'ERR_DAMAGED',
      message: /^the 4 MiB at byte 8388608 of f do not come as/,
    });
    assert.equal(await readFile(place.target, 'utf8'), 'as it was');

    await writeFile(place.remote, content); // mended
    const { bytesReceived } = await place.get();
    assert.ok(bytesReceived <= 3 * CHUNK, `${bytesReceived} received again`);
    await place.assertFetched(content);
  });
});

describe('a target that is there', () => {
  it('gives what the server has, too: of 128 MiB in which 1 MiB changed, about 4 MiB are moved', async () => {
    await using place = await Place.make();
    const content = randomBytes(30, 32 * CHUNK);
    await writeFile(place.target, content);
    content.fill(1, 40 << 20, 41 << 20);
    await writeFile(place.remote, content);
    const before = place.link.bytes;
    const result = await place.get();
    assert.deepEqual([result.bytesReceived, result.bytesResumed], [CHUNK, 31 * CHUNK]);
    assert.ok(place.link.bytes - before < CHUNK + OVERHEAD);
    await place.assertFetched(content);
  });

  it('stays as it is until the new one is complete', async () => {
    await using place = await Place.make({ retries: 0 });
    await writeFile(place.remote, randomBytes(31, 8 * CHUNK));
    await writeFile(place.target, 'old');
    await place.begin(5 * CHUNK);
    assert.equal(await readFile(place.target, 'utf8'), 'old');
  });

  it('is left alone with fail and skip', async () => {
    await using place = await Place.make();
    await writeFile(place.remote, 'new');
    await writeFile(place.target, 'old');
    await assert.rejects(place.get({ ifExists: 'fail' }), { code: 'ERR_EXISTS' });
    assert.equal((await place.get({ ifExists: 'skip' })).skipped, 'exists');
    assert.equal(await readFile(place.target, 'utf8'), 'old');
    assert.deepEqual(await readdir(place.scratch.path('here')), ['f']);
    await rm(place.target);
    await place.get({ ifExists: 'fail' });
    await place.assertFetched(Buffer.from('new'));
  });

  it('is not replaced with fail when it appears meanwhile', async () => {
    await using place = await Place.make();
    await writeFile(place.remote, randomBytes(32, 5 * CHUNK));
    const onProgress = () => writeFileSync(place.target, 'mine');
    await assert.rejects(place.get({ ifExists: 'fail', onProgress }), { code: 'ERR_EXISTS' });
    assert.equal(await readFile(place.target, 'utf8'), 'mine');
  });

  it('is replaced with newer only by a newer one, to the microsecond', async () => {
    await using place = await Place.make();
    await writeFile(place.remote, 'new');
    await writeFile(place.target, 'old');
    await utimes(place.remote, 1_000, 1_000);
    for (const [time, skipped] of [
      [1_000.000001, 'newer'],
      [1_000, 'newer'],
      [999.999, undefined],
    ] as const) {
      await utimes(place.target, time, time);
      assert.equal((await place.get({ ifExists: 'newer' })).skipped, skipped);
    }
    await place.assertFetched(Buffer.from('new'));
    assert.equal(
      (await place.get({ ifExists: 'newer' })).skipped,
      'newer',
      'has the time of the one on the server now',
    );
    await rm(place.target);
    assert.equal((await place.get({ ifExists: 'newer' })).skipped, undefined);
  });

  it('gets the present time, and the permissions of a new file, without preserve', async () => {
    await using place = await Place.make();
    await writeFile(place.remote, 'x');
    await chmod(place.remote, 0o600);
    await utimes(place.remote, 1_000, 1_000);
    const before = Date.now();
    await place.get({ preserve: false });
    const { mtimeMs, mode } = await stat(place.target);
    assert.ok(mtimeMs >= before - 10 && mtimeMs <= Date.now() + 10);
    assert.equal(mode & 0o777, 0o666 & ~process.umask());
  });
});

describe('downloads with random cuts, kinds of damage and changes', () => {
  const seed = Number(process.env['DOWNLOAD_TEST_SEED'] ?? 1 + Math.floor(Math.random() * 1e9));

  it('always come to the bytes that the server has', async () => {
    const random = randomNumbers(seed);
    const pick = (count: number) => Math.floor(random() * count);
    await using place = await Place.make();
    for (let round = 0; round < 12; round++) {
      const told = `DOWNLOAD_TEST_SEED=${seed}, round ${round}`;
      let content = randomBytes(seed + round, pick(10 * CHUNK) + 1);
      await writeFile(place.remote, content);
      for (let step = pick(4); step > 0; step--) {
        const controller = new AbortController();
        const limit = pick(content.length);
        await place
          .get({
            streams: 1 + pick(4),
            signal: controller.signal,
            onProgress: ({ bytesDone }) => bytesDone >= limit && controller.abort(),
          })
          .catch((error: Error) => assert.equal(error.name, 'AbortError', `${told}: ${error.stack}`));
        const file = [place.partial, place.journal, place.remote][pick(3)]!;
        if (!existsSync(file)) continue;
        const { size } = await stat(file);
        const kind = pick(4);
        if (kind === 0) await truncate(file, pick(size + 1));
        else if (kind === 1) await writeAt(file, pick(size + 1), Buffer.alloc(pick(2 * CHUNK)));
        else if (kind === 2 && size > 0) await flipBit(file, pick(size));
        content = await readFile(place.remote);
      }
      await place.get({ streams: 1 + pick(4) });
      assert.equal(Buffer.compare(await readFile(place.target), content), 0, told);
      assert.deepEqual(await readdir(place.scratch.path('here')), ['f'], told);
      if (pick(2) === 0) await rm(place.target);
    }
  });
});
