import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { describe, it } from 'node:test';
import { Scratch } from './support/command.js';
import { type PowerCut, powerCutEnvironment } from './support/power-cut/environment.js';

/** What the programs below have in scope. */
const PRELUDE = `
import { appendFileSync, closeSync, createWriteStream, fsyncSync, fdatasyncSync, ftruncateSync, linkSync, mkdirSync, openSync, renameSync, rmSync, symlinkSync, unlinkSync, write as writeLater, writeFileSync, writeSync, writevSync } from 'node:fs';
import * as later from 'node:fs/promises';
import { once } from 'node:events';
import { promisify } from 'node:util';
const syncDirectory = (path = '.') => { const fd = openSync(path, 'r'); fsyncSync(fd); closeSync(fd); };
const syncFile = (path) => { const fd = openSync(path, 'r+'); fdatasyncSync(fd); closeSync(fd); };
`;

/** Runs a program that loses its power at its end, in a folder of its own. @returns what it has said on standard error */
async function runAndCut(scratch: Scratch, program: string, options: Partial<PowerCut> = {}): Promise<string> {
  const file = scratch.path('program.mjs');
  const end = `process.kill(process.pid, 'SIGUSR2'); setTimeout(() => {}, 1 << 30);`;
  await writeFile(file, PRELUDE + program + end);
  await mkdir(scratch.path('disk'), { recursive: true });
  const env = { ...process.env, ...powerCutEnvironment({ store: scratch.path('store'), ...options }) };
  const child = spawn(process.execPath, [file], { cwd: scratch.path('disk'), env });
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => {
    said += chunk.toString();
  });
  const [, signal] = await once(child, 'close');
  assert.equal(signal, 'SIGKILL', said);
  assert.match(said, /^power cut at operation \d+: \d+ changes of data and \d+ of names lost\n$/);
  return said;
}

const content = (scratch: Scratch, name = 'f') => readFile(scratch.path('disk', name), 'utf8');

describe('a power cut, as tests make it', () => {
  const writes: [string, string][] = [
    ['writeSync', `const fd = openSync('f', 'r+'); writeSync(fd, Buffer.from('NEW'), 0, 3, 1);`],
    ['writevSync', `const fd = openSync('f', 'r+'); writevSync(fd, [Buffer.from('N'), Buffer.from('EW')], 1);`],
    ['write', `const fd = openSync('f', 'r+'); await promisify(writeLater)(fd, Buffer.from('NEW'), 0, 3, 1);`],
    ['FileHandle.write', `const f = await later.open('f', 'r+'); await f.write(Buffer.from('NEW'), { position: 1 });`],
    ['FileHandle.writev', `const f = await later.open('f', 'r+'); await f.writev([Buffer.from('NEW')], 1);`],
    ['a write at the end', `const f = await later.open('f', 'a'); await f.write('more');`],
    ['FileHandle.appendFile', `const f = await later.open('f', 'a'); await f.appendFile('more');`],
    ['FileHandle.truncate', `const f = await later.open('f', 'r+'); await f.truncate(2);`],
    ['ftruncateSync', `const fd = openSync('f', 'r+'); ftruncateSync(fd, 2);`],
    ['truncate', `await later.truncate('f', 2);`],
    ['open with w', `await later.open('f', 'w');`],
    ['writeFile', `await later.writeFile('f', 'something else');`],
    ['writeFileSync', `writeFileSync('f', 'something else');`],
    ['appendFileSync', `appendFileSync('f', 'more');`],
    ['a stream', `const s = createWriteStream('f'); s.end('something else'); await once(s, 'close');`],
  ];
  for (const [name, program] of writes) {
    it(`takes back what ${name} has written, and leaves it when it was synced`, async () => {
      await using lost = await Scratch.make();
      await mkdir(lost.path('disk'));
      await writeFile(lost.path('disk', 'f'), 'as it was');
      await runAndCut(lost, program);
      assert.equal(await content(lost), 'as it was');

      await using kept = await Scratch.make();
      await mkdir(kept.path('disk'));
      await writeFile(kept.path('disk', 'f'), 'as it was');
      await runAndCut(kept, `${program} syncFile('f');`);
      assert.notEqual(await content(kept), 'as it was');
    });
  }

  it('takes back only what came after the sync', async () => {
    await using scratch = await Scratch.make();
    await runAndCut(
      scratch,
      `const f = await later.open('f', 'w+');
       await f.write('first'); await f.datasync(); syncDirectory();
       await f.write(' second'); await f.write('FI', 0);`,
    );
    assert.equal(await content(scratch), 'first');
  });

  it('does not count a write that goes on while the sync begins', async () => {
    await using scratch = await Scratch.make();
    await runAndCut(
      scratch,
      `const f = await later.open('f', 'w+'); syncDirectory();
       const writing = f.write(Buffer.alloc(1 << 20, 1), 0, 1 << 20, 0); await f.sync(); await writing;`,
    );
    assert.equal(await content(scratch), '');
  });

  const names: [string, string, string, string, readonly string[], readonly string[]][] = [
    ['a file that was made', '', `writeFileSync('f', 'x');`, '.', [], ['f']],
    ['a directory that was made', '', `mkdirSync('d/e', { recursive: true });`, '.', [], ['d']],
    ['a link that was made', `writeFileSync('f', 'x');`, `linkSync('f', 'g');`, '.', ['f'], ['f', 'g']],
    ['a symbolic link that was made', '', `symlinkSync('f', 'g');`, '.', [], ['g']],
    ['a file that was removed', `writeFileSync('f', 'x');`, `unlinkSync('f');`, '.', ['f'], []],
    [
      'a tree that was removed',
      `mkdirSync('d'); writeFileSync('d/f', 'x');`,
      `rmSync('d', { recursive: true });`,
      '.',
      ['d'],
      [],
    ],
    ['a file that was renamed', `writeFileSync('f', 'x');`, `renameSync('f', 'g');`, '.', ['f'], ['g']],
    [
      'a file that was moved here',
      `mkdirSync('d'); writeFileSync('d/f', 'x');`,
      `await later.rename('d/f', 'f');`,
      '.',
      ['d'],
      ['d', 'f'],
    ],
    [
      'a file that was moved away',
      `mkdirSync('d'); writeFileSync('f', 'x');`,
      `await later.rename('f', 'd/f');`,
      'd',
      ['d', 'f'],
      ['d'],
    ],
  ];
  for (const [title, before, program, directory, whenLost, whenKept] of names) {
    it(`takes back ${title}, and leaves it when the directory was synced`, async () => {
      for (const isSynced of [false, true]) {
        await using scratch = await Scratch.make();
        await mkdir(scratch.path('disk'));
        const prepare = `${before} syncDirectory(); try { syncFile('f'); syncDirectory('d'); } catch {}`;
        await runAndCut(scratch, `${prepare} ${program} ${isSynced ? `syncDirectory('${directory}');` : ''}`);
        assert.deepEqual((await readdir(scratch.path('disk'))).sort(), isSynced ? whenKept : whenLost);
      }
    });
  }

  it('brings a file back that another was renamed over', async () => {
    await using scratch = await Scratch.make();
    await runAndCut(
      scratch,
      `writeFileSync('f', 'old'); syncFile('f'); syncDirectory();
       writeFileSync('f.new', 'new'); syncFile('f.new'); renameSync('f.new', 'f');`,
    );
    assert.equal(await content(scratch), 'old');
  });

  it('leaves an empty file when the name was synced and its bytes were not', async () => {
    await using scratch = await Scratch.make();
    await runAndCut(scratch, `writeFileSync('f.new', 'new'); renameSync('f.new', 'f'); syncDirectory();`);
    assert.deepEqual([await readdir(scratch.path('disk')), await content(scratch)], [['f'], '']);
  });

  it('loses a file whose directory had no name yet, although that directory was synced', async () => {
    await using scratch = await Scratch.make();
    await runAndCut(scratch, `mkdirSync('d'); writeFileSync('d/f', 'x'); syncFile('d/f'); syncDirectory('d');`);
    assert.deepEqual(await readdir(scratch.path('disk')), []);
  });

  it('may come at an operation by its number, which then has not happened', async () => {
    for (const cutAt of [1, 2, 3, 4]) {
      await using scratch = await Scratch.make();
      const program = `for (const name of ['a', 'b', 'c', 'd']) { closeSync(openSync(name, 'w')); syncDirectory(); }`;
      const said = await runAndCut(scratch, program, { cutAt });
      assert.match(said, new RegExp(`^power cut at operation ${cutAt}:`));
      assert.deepEqual(await readdir(scratch.path('disk')), ['a', 'b'].slice(0, Math.floor((cutAt - 1) / 2)));
    }
  });

  it('keeps some of the unsynced by a seed, always the same, and the last length or the one before', async () => {
    const outcomes = new Map<number, string>();
    const program = `const f = openSync('f', 'w+'); syncDirectory();
      for (let i = 0; i < 8; i++) writeSync(f, Buffer.alloc(4096, 'x'), 0, 4096, i * 4096);`;
    for (const seed of [1, 2, 3, 4, 5, 6, 1, 2]) {
      await using scratch = await Scratch.make();
      await runAndCut(scratch, program, { seed });
      const pages = (await content(scratch)).replaceAll('x'.repeat(4096), 'x').replaceAll('\0'.repeat(4096), '0');
      assert.match(pages, /^([x0]{8})?$/);
      assert.equal(outcomes.get(seed) ?? pages, pages);
      outcomes.set(seed, pages);
    }
    assert.ok(new Set(outcomes.values()).size > 2, [...outcomes.values()].join());
  });

  it('covers what other threads write, and lets them wait for ever', async () => {
    const work = `import { closeSync, fsyncSync, openSync, renameSync, writeSync } from 'node:fs';
      import { parentPort, workerData } from 'node:worker_threads';
      for (const name of ['a', 'b']) {
        const fd = openSync(name + '.new', 'wx'); writeSync(fd, Buffer.from('content'));
        if (name === 'a') fsyncSync(fd);
        closeSync(fd); renameSync(name + '.new', name);
        try { openSync('none/' + name, 'w'); } catch (error) { if (error.code !== 'ENOENT') throw error; }
      }
      parentPort.postMessage('done');`;
    const program = `import { Worker } from 'node:worker_threads';
      const worker = new Worker(new URL('data:text/javascript,' + encodeURIComponent(${JSON.stringify(work)})));
      await once(worker, 'message');`;
    await using lost = await Scratch.make();
    await runAndCut(lost, program);
    assert.deepEqual(await readdir(lost.path('disk')), []);
    await using kept = await Scratch.make();
    await runAndCut(kept, `${program} syncDirectory();`);
    assert.deepEqual([await content(kept, 'a'), await content(kept, 'b')], ['content', '']);
  });

  it('does not show in the time of a file that its bytes were taken back', async () => {
    await using scratch = await Scratch.make();
    await runAndCut(
      scratch,
      `const f = await later.open('f', 'w'); syncDirectory(); await f.write('x'); await f.utimes(12345, 12345);`,
    );
    const { size, mtimeMs } = await stat(scratch.path('disk', 'f'));
    assert.deepEqual([size, mtimeMs], [0, 12_345_000]);
  });

  it('leaves nothing of its own on the disk', async () => {
    await using scratch = await Scratch.make();
    await runAndCut(
      scratch,
      `writeFileSync('f', 'x'); unlinkSync('f'); writeFileSync('f', 'y'); renameSync('f', 'g');`,
    );
    await assert.rejects(stat(scratch.path('store')));
    assert.deepEqual(await readdir(scratch.path('disk')), []);
  });
});
