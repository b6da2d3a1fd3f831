import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdir, open, readdir, readFile, stat, utimes, writeFile } from 'node:fs/promises';
import { describe, it } from 'node:test';
import { randomBytes, randomNumbers } from '@sluice/testkit';
import { Command, type Ended, events, Scratch, ServeCommand, sluice, urlOf } from './support/command.js';
import { Link } from './support/link.js';
import { powerCutEnvironment } from './support/power-cut/environment.js';

const CHUNK = 4 << 20;
const SIZE = 12 * CHUNK + 1_000;
/** Different in each run; a failure names it, and `DOWNLOAD_KILL_SEED` runs it again. `DOWNLOAD_KILLS=1000` is for those who want to be sure. */
const SEED = Number(process.env['DOWNLOAD_KILL_SEED'] ?? 1 + Math.floor(Math.random() * 1e9));
const KILLS = Number(process.env['DOWNLOAD_KILLS'] ?? 10);

/** What of the data that has come is lost at most with a kill: a chunk of each connection, and what was on its way. */
const LOST_BYTES = 4 * CHUNK + (16 << 20);

function done(ended: Ended): Record<string, unknown> {
  assert.equal(ended.exitCode, 0, ended.stderr);
  return events(ended)[0]!;
}

describe('sluice get', () => {
  it('goes on where it was when it was killed, without reading what was synced', async () => {
    await using scratch = await Scratch.make();
    await mkdir(scratch.path('root'));
    const content = randomBytes(SEED, 30 * CHUNK);
    await writeFile(scratch.path('root', 'f'), content);
    await using server = await ServeCommand.start(scratch.path('root'));
    await using link = await Link.to(server.port);
    const held = link.holdAfter(22 * CHUNK);
    await using first = new Command(['get', `${urlOf(link.port)}f`, scratch.path('f')]);
    await held;
    await first.kill('SIGKILL');
    link.release();
    assert.ok(existsSync(scratch.path('f.sluice-journal')));
    const event = done(await sluice(['get', '--json', `${urlOf(link.port)}f`, scratch.path('f')]));
    // What had passed the link may still have been in the system's buffers of four connections, and in the chunks that these had begun.
    assert.ok((event['bytesResumed'] as number) > 7 * CHUNK, `${event['bytesResumed']} resumed`);
    assert.equal(event['damaged'], undefined);
    assert.equal(Buffer.compare(await readFile(scratch.path('f')), content), 0);
  });

  it('says what of its part was damaged, and to programs where', async () => {
    await using scratch = await Scratch.make();
    await mkdir(scratch.path('root'));
    const content = randomBytes(SEED, SIZE);
    await writeFile(scratch.path('root', 'f'), content);
    await using server = await ServeCommand.start(scratch.path('root'));
    await using link = await Link.to(server.port);
    for (const format of ['--json', '--parallel=1']) {
      const target = scratch.path(format);
      const held = link.holdAfter(9 * CHUNK);
      await using first = new Command(['get', '--streams', '1', `${urlOf(link.port)}f`, target]);
      await held;
      await first.kill('SIGKILL');
      link.release();
      await using part = await open(`${target}.sluice-part`, 'r+');
      await part.write(Buffer.alloc(100), 0, 100, CHUNK);
      const ended = await sluice(['get', format, `${urlOf(link.port)}f`, target]);
      assert.equal(Buffer.compare(await readFile(target), content), 0);
      if (format === '--json') {
        assert.deepEqual(done(ended)['damaged'], [{ file: 'partial', position: CHUNK, bytes: CHUNK }]);
      } else {
        const text =
          /--parallel=1: 4.00 MiB at byte 4194304 had been damaged since the earlier run, and were fetched again\n/;
        assert.match(ended.stderr, text);
        assert.equal(ended.exitCode, 0);
      }
    }
  });

  it('leaves a target alone that is there or not older, and gives it the time of now, when told to', async () => {
    await using scratch = await Scratch.make();
    await mkdir(scratch.path('root'));
    await writeFile(scratch.path('root', 'f'), 'new');
    await utimes(scratch.path('root', 'f'), 1_000_000, 1_000_000);
    await writeFile(scratch.path('t'), 'old');
    await using server = await ServeCommand.start(scratch.path('root'));
    const get = (...args: string[]) => sluice(['get', ...args, `${server.url}f`, scratch.path('t')]);
    const failed = await get('--if-exists', 'fail');
    assert.deepEqual([failed.exitCode, failed.stdout], [1, '']);
    assert.match(failed.stderr, /^sluice: .*\/t exists already: replace it with --if-exists replace/);
    for (const [how, text] of [
      ['skip', 'is there already'],
      ['newer', 'is not older'],
    ] as const) {
      const skipped = await get('--if-exists', how);
      assert.deepEqual([skipped.exitCode, skipped.stdout], [0, `${scratch.path('t')}  ${text}\n`]);
    }
    const [event, summary] = events(await get('--if-exists', 'skip', '--json'));
    assert.deepEqual([event!['event'], event!['reason'], summary!['failed']], ['skipped', 'exists', 0]);
    assert.equal(await readFile(scratch.path('t'), 'utf8'), 'old');

    assert.equal((await get('--no-preserve')).exitCode, 0);
    assert.ok((await stat(scratch.path('t'))).mtimeMs > Date.now() - 60_000);
    assert.equal((await get()).exitCode, 0);
    assert.equal((await stat(scratch.path('t'))).mtimeMs, 1_000_000_000);
  });

  it(`comes to the end through ${KILLS} kills of itself, at any time`, async () => {
    const random = randomNumbers(SEED);
    await using scratch = await Scratch.make();
    await mkdir(scratch.path('root'));
    await using server = await ServeCommand.start(scratch.path('root'));
    await using link = await Link.to(server.port);
    for (let kills = 0, file = 0; kills < KILLS; file++) {
      const told = `DOWNLOAD_KILL_SEED=${SEED}, file ${file}, ${kills} kills`;
      const content = randomBytes(SEED + file, SIZE);
      await writeFile(scratch.path('root', 'f'), content);
      const before = link.bytes;
      let killed = 0;
      let isThere = false;
      for (let ended: Ended | undefined; ended?.exitCode !== 0; ) {
        const target = scratch.path(`f${file}`);
        await using get = new Command([
          'get',
          '--json',
          '--streams',
          String(1 + Math.floor(random() * 4)),
          `${urlOf(link.port)}f`,
          target,
        ]);
        const held = link.holdAfter(random() * SIZE);
        await Promise.race([held.then(() => random() < 0.5 && link.release()), get.ended]);
        await Promise.race([get.ended, new Promise((resolve) => setTimeout(resolve, random() * 20))]);
        if (get.child.exitCode === null) killed += 1;
        ended = await get.kill('SIGKILL');
        link.release();
        assert.ok(ended.exitCode === 0 || ended.signal === 'SIGKILL', `${told}: ${ended.stderr}`);
        if (ended.exitCode !== 0 && existsSync(target)) {
          // Killed behind the rename.
          assert.equal(Buffer.compare(await readFile(target), content), 0, `${told}: a target before its time`);
          isThere = true;
          break;
        }
        if (killed > 3) break;
      }
      // Whoever was killed behind the rename may have left its lock, which one that has nothing to do leaves there, too.
      const how = isThere ? [] : ['--if-exists', 'skip'];
      const rest = await sluice(['get', '--json', ...how, `${urlOf(link.port)}f`, scratch.path(`f${file}`)]);
      assert.equal(rest.exitCode, 0, `${told}: ${rest.stderr}`);
      assert.equal(Buffer.compare(await readFile(scratch.path(`f${file}`)), content), 0, told);
      assert.ok(link.bytes - before < SIZE + killed * LOST_BYTES, `${told}: ${link.bytes - before} bytes moved`);
      kills += Math.max(1, killed);
    }
    const left = (await readdir(scratch.folder)).filter((name) => /sluice-(part|lock)/.test(name));
    assert.deepEqual(left, []);
  });

  it('comes to the end through kills of the server', async () => {
    const random = randomNumbers(SEED);
    await using scratch = await Scratch.make();
    await mkdir(scratch.path('root'));
    const content = randomBytes(SEED, 2 * SIZE);
    await writeFile(scratch.path('root', 'f'), content);
    let server = await ServeCommand.start(scratch.path('root'));
    const { port } = server;
    await using link = await Link.to(port);
    await using get = new Command(['get', '--json', '--retries', '50', `${urlOf(link.port)}f`, scratch.path('f')]);
    for (let kill = 0; kill < 3; kill++) {
      await Promise.race([link.holdAfter(random() * (SIZE / 2)), get.ended]);
      await server.command.kill('SIGKILL');
      link.cut();
      server = await ServeCommand.start(scratch.path('root'), [], port);
    }
    await using _last = server;
    const event = done(await get.ended);
    assert.equal(event['bytesReceived'], content.length, 'no byte came twice');
    assert.equal(Buffer.compare(await readFile(scratch.path('f')), content), 0);
  });

  it('believes nothing that a power cut has taken back, wherever it comes', async () => {
    const random = randomNumbers(SEED);
    await using served = await Scratch.make();
    const content = randomBytes(SEED, SIZE);
    await writeFile(served.path('f'), content);
    await using server = await ServeCommand.start(served.folder);
    for (let round = 0; round < 7; round++) {
      await using scratch = await Scratch.make();
      await mkdir(scratch.path('here'));
      const target = scratch.path('here', 'f');
      const cutAt = 1 + Math.floor(random() ** 2 * 200);
      const told = `DOWNLOAD_KILL_SEED=${SEED}, round ${round}, cut at operation ${cutAt}`;
      const survival = round % 2 === 0 ? {} : { seed: round };
      const env = powerCutEnvironment({ store: scratch.path('store'), cutAt, ...survival });
      const cut = await sluice(['get', `${server.url}f`, target], { env });
      if (cut.exitCode !== 0) assert.match(cut.stderr, /power cut at operation \d+/, told);
      if (existsSync(target))
        assert.equal(Buffer.compare(await readFile(target), content), 0, `${told}: ${cut.stderr}`);
      // A lock of which only the name was saved holds for a minute.
      if (existsSync(`${target}.sluice-lock`)) await utimes(`${target}.sluice-lock`, 1, 1);
      const rest = await sluice(['get', `${server.url}f`, target]);
      assert.equal(rest.exitCode, 0, `${told}: ${rest.stderr}`);
      assert.equal(Buffer.compare(await readFile(target), content), 0, told);
    }
  });
});
