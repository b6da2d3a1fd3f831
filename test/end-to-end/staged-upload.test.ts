import assert from 'node:assert/strict';
import { randomFillSync } from 'node:crypto';
import { chmod, mkdir, open, readdir, readFile, stat, utimes, writeFile } from 'node:fs/promises';
import { describe, it } from 'node:test';
import { ClientError, type ConnectOptions, connect, type SluiceClient } from '@sluice/client';
import { Command, events, Scratch, ServeCommand, sluice, urlOf } from './support/command.js';
import { Link } from './support/link.js';

const MIB = 1 << 20;
/** Heads, texts and logins beside the content. */
const OVERHEAD = MIB;

/** A server, a link to it, and a client that goes through the link. */
class Place implements AsyncDisposable {
  readonly scratch: Scratch;
  server: ServeCommand;
  readonly link: Link;
  readonly client: SluiceClient;

  private constructor(scratch: Scratch, server: ServeCommand, link: Link, client: SluiceClient) {
    this.scratch = scratch;
    this.server = server;
    this.link = link;
    this.client = client;
  }

  static async open(options: ConnectOptions = {}): Promise<Place> {
    const scratch = await Scratch.make();
    await mkdir(scratch.path('root'));
    const server = await ServeCommand.start(scratch.path('root'));
    const link = await Link.to(server.port);
    return new Place(scratch, server, link, await connect(urlOf(link.port), { retryDelayMs: 1, ...options }));
  }

  async source(bytes: number): Promise<string> {
    await writeFile(this.scratch.path('source'), randomFillSync(Buffer.alloc(bytes)));
    return this.scratch.path('source');
  }

  async assertUploaded(name = 'up'): Promise<void> {
    const [here, there] = await Promise.all([readFile(this.scratch.path('source')), readFile(this.served(name))]);
    assert.ok(here.equals(there), 'the file on the server is another');
  }

  served(...names: string[]): string {
    return this.scratch.path('root', ...names);
  }

  /** The file in which the only partial has its data. */
  async partialData(): Promise<string> {
    const names = await readdir(this.served('.sluice/staging'));
    const name = names.find((each) => each.endsWith('.part'));
    assert.ok(name !== undefined, 'there is a partial');
    return this.served('.sluice/staging', name);
  }

  /** Breaks an upload off when about so many bytes have passed. */
  async breakOff(source: string, bytes: number): Promise<void> {
    const stop = new AbortController();
    const held = this.link.holdAfter(bytes);
    const upload = this.client.upload(source, 'up', { signal: stop.signal, streams: 1 });
    await held;
    stop.abort(new Error('enough'));
    await assert.rejects(upload, /enough/);
    this.link.cut();
    await this.leftBehind();
  }

  /** Settles when there is a partial that nobody is at. */
  async leftBehind(): Promise<void> {
    await until(async () => (await this.client.listPartials()).some(({ isHeld }) => !isHeld));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.client.close();
    await this.link[Symbol.asyncDispose]();
    await this.server[Symbol.asyncDispose]();
    await this.scratch[Symbol.asyncDispose]();
  }
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  while (!(await holds())) await new Promise((resolve) => setTimeout(resolve, 5));
}

async function flip(file: string, position: number): Promise<void> {
  await using handle = await open(file, 'r+');
  const { buffer } = await handle.read(Buffer.alloc(1), 0, 1, position);
  await handle.write(Buffer.of(buffer[0]! ^ 1), 0, 1, position);
}

describe('a staged upload', () => {
  it('gives the file its time and its permissions, says digest and level, and the next time sends nothing', async () => {
    await using place = await Place.open();
    const source = await place.source(9 * MIB + 5);
    await chmod(source, 0o640);
    await utimes(source, 1e9, 1e9);
    const first = await place.client.upload(source, 'up');
    assert.deepEqual([first.bytesSent, first.bytesResumed, first.durability], [9 * MIB + 5, 0, 'durable']);
    assert.match(first.digest ?? '', /^[0-9a-f]{16}$/);
    await place.assertUploaded();
    const found = await stat(place.served('up'));
    assert.deepEqual([found.mode & 0o777, found.mtimeMs], [0o640, 1e12]);

    const before = place.link.bytesToServer;
    for (const checksum of [false, true]) {
      const again = await place.client.upload(source, 'up', { checksum });
      assert.deepEqual([again.unchanged, again.bytesSent, again.digest], [true, 0, first.digest]);
    }
    assert.ok(place.link.bytesToServer - before < 10_000);
  });

  it('mends a file that the disk of the server has damaged without a trace, when asked to compare', async () => {
    await using place = await Place.open();
    const source = await place.source(9 * MIB + 5);
    await utimes(source, 1e9, 1e9);
    await place.client.upload(source, 'up');
    const file = await open(place.served('up'), 'r+');
    await file.write(Buffer.from('rotten'), 0, 6, 5 * MIB);
    await file.close();
    await utimes(place.served('up'), 1e9, 1e9);
    assert.equal((await place.client.upload(source, 'up')).unchanged, true);
    const mended = await place.client.upload(source, 'up', { checksum: true });
    assert.deepEqual([mended.unchanged, mended.bytesSent], [undefined, 4 * MIB]);
    await place.assertUploaded();
  });

  it('sends a chunk again that the link has changed, and no other, before the file gets its name', async () => {
    await using place = await Place.open();
    const source = await place.source(12 * 4 * MIB);
    place.link.flipAfter(30_000_000);
    const sent = await place.client.upload(source, 'up', { streams: 1 });
    assert.deepEqual([sent.bytesSent, sent.attempts], [13 * 4 * MIB, 1]);
    await place.assertUploaded();
  });

  for (const bytes of [0, 1, 70_000, 4 * MIB, 4 * MIB + 1]) {
    it(`brings ${bytes} bytes as they are, over nothing and over another file`, async () => {
      await using place = await Place.open();
      await place.client.upload(await place.source(bytes), 'up');
      await place.assertUploaded();
      await place.client.upload(await place.source(bytes), 'up');
      await place.assertUploaded();
    });
  }

  it('moves about 4 MiB of a file of 64 MiB in which one MiB has changed', async () => {
    await using place = await Place.open();
    const source = await place.source(64 * MIB);
    await place.client.upload(source, 'up');
    await using handle = await open(source, 'r+');
    await handle.write(randomFillSync(Buffer.alloc(MIB)), 0, MIB, 21 * MIB);
    const before = place.link.bytesToServer;
    const result = await place.client.upload(source, 'up');
    assert.deepEqual([result.bytesSent, result.bytesResumed], [4 * MIB, 60 * MIB]);
    assert.ok(place.link.bytesToServer - before < 4 * MIB + OVERHEAD);
    await place.assertUploaded();
  });

  it('goes on where the link was cut, and sends no more than what was on its way twice', async () => {
    await using place = await Place.open();
    const source = await place.source(64 * MIB);
    const held = place.link.holdAfter(30 * MIB);
    const upload = place.client.upload(source, 'up', { streams: 1 });
    await held;
    place.link.cut();
    const result = await upload;
    assert.equal(result.attempts, 2);
    assert.ok(place.link.bytesToServer < 64 * MIB + 16 * MIB, `${place.link.bytesToServer} bytes`);
    await place.assertUploaded();
  });

  it('sends only the chunks that have changed between two attempts', async () => {
    await using place = await Place.open();
    const source = await place.source(64 * MIB);
    await place.breakOff(source, 40 * MIB);
    const [partial] = await place.client.listPartials();
    const staged = partial?.stagedBytes ?? 0;
    assert.ok(staged >= 8 * MIB, `${staged} bytes are staged`);
    await flip(source, 5 * MIB);
    const result = await place.client.upload(source, 'up');
    assert.equal(result.bytesSent, 64 * MIB - staged + 4 * MIB);
    await place.assertUploaded();
  });

  it('fails, and leaves the file on the server as it was, when the source changes meanwhile', async () => {
    await using place = await Place.open();
    const source = await place.source(64 * MIB);
    await place.client.upload(source, 'up');
    const old = await readFile(source);
    await place.source(64 * MIB);
    let hasChanged: Promise<void> | undefined;
    const upload = place.client.upload(source, 'up', {
      onProgress: () => {
        hasChanged ??= flip(source, 1);
      },
    });
    await assert.rejects(upload, { code: 'ERR_SOURCE_CHANGED', message: /changed while it was being uploaded/ });
    await hasChanged;
    assert.ok(old.equals(await readFile(place.served('up'))));
    await place.client.upload(source, 'up');
    await place.assertUploaded();
  });

  it('sends again what has been damaged in the partial before it is committed, and only that', async () => {
    await using place = await Place.open();
    const source = await place.source(64 * MIB);
    await place.breakOff(source, 40 * MIB);
    const staged = (await place.client.listPartials())[0]?.stagedBytes ?? 0;
    await place.server.command.kill('SIGKILL');
    await flip(await place.partialData(), 2 * MIB);
    place.server = await ServeCommand.start(place.served(), [], place.server.port);
    const result = await place.client.upload(source, 'up');
    assert.equal(result.bytesSent, 64 * MIB - staged + 4 * MIB);
    await place.assertUploaded();
  });

  it('is a success when only the answer to its last request was lost, whatever was to become of a file that is there', async () => {
    for (const ifExists of ['replace', 'fail', 'skip', 'newer'] as const) {
      await using place = await Place.open();
      const source = await place.source(5 * MIB);
      place.link.cutOnAnswer('Command=CommitUpload');
      const result = await place.client.upload(source, 'up', { ifExists });
      assert.deepEqual(
        [result.attempts, result.bytesSent, result.bytesResumed, result.unchanged, result.skipped],
        [2, 5 * MIB, 0, undefined, undefined],
      );
      await place.assertUploaded();
    }
  });

  it('goes over several connections, and does without one that breaks', async () => {
    await using place = await Place.open();
    const source = await place.source(160 * MIB);
    let most = 0;
    let hasCut = false;
    const result = await place.client.upload(source, 'up', {
      streams: 3,
      onProgress: ({ bytesDone }) => {
        most = Math.max(most, place.link.connections);
        if (hasCut || place.link.connections < 3 || bytesDone < 24 * MIB) return;
        hasCut = true;
        place.link.cutNewest();
      },
    });
    assert.equal(most, 3);
    assert.ok(hasCut);
    assert.ok(result.bytesSent < 160 * MIB + 16 * MIB, `${result.bytesSent} bytes`);
    await place.assertUploaded();
  });

  it('takes over at once from a session of the same upload that has stalled', async () => {
    await using place = await Place.open();
    const source = await place.source(32 * MIB);
    const held = place.link.holdAfter(12 * MIB);
    const stalled = place.client.upload(source, 'up', { streams: 1 });
    stalled.catch(() => {}); // seen below
    await held;
    await using other = await connect(place.server.url, { retries: 0 });
    const result = await other.upload(source, 'up');
    assert.equal(result.attempts, 1);
    await place.assertUploaded();
    place.link.release();
    await assert.rejects(stalled, ClientError);
  });

  it('replaces, skips or fails as it is told, and says which', async () => {
    await using place = await Place.open();
    const source = await place.source(10);
    await writeFile(place.served('up'), 'there');
    await utimes(source, 1e9, 1e9);
    await assert.rejects(place.client.upload(source, 'up', { ifExists: 'fail' }), { code: 'ERR_EXISTS' });
    assert.equal((await place.client.upload(source, 'up', { ifExists: 'skip' })).skipped, 'exists');
    assert.equal((await place.client.upload(source, 'up', { ifExists: 'newer' })).skipped, 'newer');
    assert.equal(await readFile(place.served('up'), 'utf8'), 'there');
    await utimes(source, 4e9, 4e9);
    assert.equal((await place.client.upload(source, 'up', { ifExists: 'newer' })).bytesSent, 10);
    await place.assertUploaded();
  });

  it('of a stream shows nothing of it before its end, and leaves nothing behind when it fails', async () => {
    await using place = await Place.open();
    await writeFile(place.served('up'), 'there');
    const seen: string[] = [];
    async function* pieces(fails: boolean) {
      for (let i = 0; i < 5; i++) yield Buffer.alloc(MIB + 3, i);
      seen.push(await readFile(place.served('up'), 'utf8'));
      if (fails) throw new Error('the pipe burst');
    }
    await assert.rejects(place.client.upload(pieces(true), 'up'), /the pipe burst/);
    await until(async () => (await place.client.listPartials()).length === 0);
    const { bytes, digest } = await place.client.upload(pieces(false), 'up', { durability: 'memory' });
    assert.deepEqual(seen, ['there', 'there']);
    assert.equal(bytes, 5 * MIB + 15);
    assert.match(digest ?? '', /^[0-9a-f]{16}$/);
    assert.equal((await stat(place.served('up'))).size, bytes);
  });
});

describe('sluice put and sluice partials', () => {
  it('say what is unchanged and what is skipped', async () => {
    await using scratch = await Scratch.make();
    await mkdir(scratch.path('root'));
    await using server = await ServeCommand.start(scratch.path('root'));
    await writeFile(scratch.path('a'), 'content');
    const put = (...options: string[]) => sluice(['put', ...options, scratch.path('a'), `${server.url}a`]);
    assert.equal((await put()).exitCode, 0);
    assert.match((await put()).stdout, /a {2}7 B {2}unchanged\n$/);
    assert.match((await put('--if-exists', 'skip')).stdout, /a {2}is there already\n$/);
    assert.match((await put('--if-exists', 'newer')).stdout, /a {2}is not older\n$/);
    assert.equal(events(await put('--json'))[0]?.['unchanged'], true);
    const refused = await put('--if-exists', 'fail');
    assert.equal(refused.exitCode, 1);
    assert.match(refused.stderr, /a file of this name exists: replace it with --if-exists replace/);
  });

  it('list what was broken off by kill -9, drop it by its id, and else go on with it', async () => {
    await using place = await Place.open();
    const source = await place.source(64 * MIB);
    for (const isDropped of [true, false]) {
      const held = place.link.holdAfter(40 * MIB);
      await using put = new Command(['put', '--streams', '1', source, `${urlOf(place.link.port)}up`]);
      await held;
      await put.kill('SIGKILL');
      place.link.cut();
      await place.leftBehind();
      const [partial] = events(await sluice(['partials', '--json', place.server.url]));
      assert.deepEqual([partial?.['name'], partial?.['user'], partial?.['size']], ['up', 'admin', 64 * MIB]);
      const table = (await sluice(['partials', place.server.url])).stdout;
      assert.match(
        table,
        /^ID +USER +STAGED +SIZE +AGE +IDLE +HELD +NAME\n[0-9a-f]{32} +admin +[\d.]+ MiB +64\.0 MiB .* up\n$/,
      );
      if (isDropped) {
        assert.equal((await sluice(['partials', '--drop', String(partial?.['id']), place.server.url])).exitCode, 0);
        assert.equal((await sluice(['partials', place.server.url])).stdout, '');
      } else {
        const [done] = events(await sluice(['put', '--json', source, `${place.server.url}up`]));
        assert.equal(done?.['bytesSent'], 64 * MIB - Number(partial?.['stagedBytes']));
        await place.assertUploaded();
      }
    }
  });
});
