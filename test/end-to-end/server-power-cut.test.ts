import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, it } from 'node:test';
import { randomBytes, randomNumbers } from '@sluice/testkit';
import { Command, events, Scratch, ServeCommand, sluice } from './support/command.js';
import { powerCutEnvironment } from './support/power-cut/environment.js';

const SIZES = [0, 1, 5_000, 70_000, 300_000, 3 << 20, 5_000_001, 9 << 20];
/** Different in each run; a failure names it, and `POWER_CUT_TEST_SEED` runs it again. */
const SEED = Number(process.env['POWER_CUT_TEST_SEED'] ?? 1 + Math.floor(Math.random() * 1e9));
const CUTS = 8;

/** Uploads a tree to a server whose power is cut at the operation, or when all is done. @returns names of acknowledged files, and operations */
async function uploadUntilCut(
  scratch: Scratch,
  cut: { readonly seed?: number; readonly cutAt?: number },
  options: readonly string[] = [],
) {
  const env = powerCutEnvironment({ store: scratch.path('store'), ...cut });
  const starting = ServeCommand.start(scratch.path('root'), options, 0, env);
  const server = await starting.catch((error: Error) => {
    if (!error.message.includes('power cut at operation')) throw error;
    return undefined; // while it started
  });
  if (!server) return { acknowledged: [], operations: cut.cutAt! };
  await using put = new Command(['put', '-r', '--json', '--retries', '0', scratch.path('tree'), server.url]);
  const ended = await put.ended;
  server.command.child.kill('SIGUSR2'); // when it is alive yet
  const [, operations, outcome] = await server.command.said(/power cut at operation (\d+)(.*)/);
  assert.ok(!outcome!.includes('FAILED'), outcome);
  await server[Symbol.asyncDispose]();
  const done = events(ended).filter(({ event, durability }) => event === 'done' && durability !== 'memory');
  return { acknowledged: done.map(({ source }) => path.basename(source as string)), operations: Number(operations) };
}

async function filesBelow(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(directory, path.join(entry.parentPath ?? entry.path, entry.name)))
    .sort();
}

describe('a server whose power is cut during uploads', () => {
  it('has every file that it has acknowledged, whole, and lets the others be resumed, wherever the cut comes', async () => {
    const random = randomNumbers(SEED);
    let operations: number | undefined;
    for (let round = 0; round <= CUTS; round++) {
      await using scratch = await Scratch.make();
      await mkdir(scratch.path('root'));
      await mkdir(scratch.path('tree'));
      const names = SIZES.map((size, index) => `${index}-${size}`);
      for (const [index, name] of names.entries()) {
        await writeFile(scratch.path('tree', name), randomBytes(SEED + index, SIZES[index]!));
      }
      // The first one comes when all is done, and says how many operations there are.
      const cutAt = operations === undefined ? undefined : 1 + Math.floor(random() * operations);
      const seed = round % 2 === 0 ? undefined : round;
      const told = `POWER_CUT_TEST_SEED=${SEED}, round ${round}, cut at operation ${cutAt ?? 'the end'}, seed ${seed}`;
      const cut = await uploadUntilCut(scratch, { ...(seed && { seed }), ...(cutAt && { cutAt }) });
      operations ??= cut.operations;
      if (cutAt === undefined) assert.deepEqual(cut.acknowledged.sort(), names, told);

      const isWhole = async (name: string) => {
        const stored = await readFile(scratch.path('root', 'tree', name)).catch(() => undefined);
        return stored?.equals(await readFile(scratch.path('tree', name))) ?? false;
      };
      for (const name of cut.acknowledged) assert.ok(await isWhole(name), `${name} was acknowledged: ${told}`);

      await using again = await ServeCommand.start(scratch.path('root'));
      for (const name of cut.acknowledged) assert.ok(await isWhole(name), `${name} after the restart: ${told}`);
      const put = await sluice(['put', '-r', '--json', scratch.path('tree'), again.url]);
      assert.equal(put.exitCode, 0, `${put.stderr}; ${told}`);
      for (const name of names) assert.ok(await isWhole(name), `${name} sent again: ${told}`);
      const files = await filesBelow(scratch.path('root'));
      const visible = files.filter((file) => !file.startsWith('.sluice/'));
      assert.deepEqual(visible, names.map((name) => `tree/${name}`).sort(), told);
      // What is staged belongs to an upload that goes on; none does.
      assert.deepEqual(
        files.filter((file) => file.startsWith('.sluice/staging/')),
        [],
        told,
      );
    }
  });

  it('has lost them when it was told to keep them in memory: so a sync that is missing is seen', async () => {
    await using scratch = await Scratch.make();
    await mkdir(scratch.path('root'));
    await mkdir(scratch.path('tree'));
    await writeFile(scratch.path('tree', 'file'), 'bytes');
    await uploadUntilCut(scratch, {}, ['--durability', 'memory']);
    await assert.rejects(readFile(scratch.path('root', 'tree', 'file')), { code: 'ENOENT' });
  });
});

/** Renames two files and a directory on a server whose power is cut at the operation, or when all is done. @returns how many were acknowledged, and operations */
async function renameUntilCut(scratch: Scratch, cut: { readonly seed?: number; readonly cutAt?: number }) {
  const env = powerCutEnvironment({ store: scratch.path('store'), ...cut });
  const starting = ServeCommand.start(scratch.path('root'), [], 0, env);
  const server = await starting.catch((error: Error) => {
    if (!error.message.includes('power cut at operation')) throw error;
    return undefined; // while it started
  });
  if (!server) return { acknowledged: 0, operations: cut.cutAt! };
  let acknowledged = 0;
  for (const args of [
    ['a', 'd/b'],
    ['--force', 'c', 'taken'],
    ['d', 'e'],
  ]) {
    const urls = args.map((arg) => (arg.startsWith('-') ? arg : `${server.url}${arg}`));
    if ((await sluice(['mv', '--retries', '0', ...urls])).exitCode !== 0) break;
    acknowledged += 1;
  }
  server.command.child.kill('SIGUSR2'); // when it is alive yet
  const [, operations, outcome] = await server.command.said(/power cut at operation (\d+)(.*)/);
  assert.ok(!outcome!.includes('FAILED'), outcome);
  await server[Symbol.asyncDispose]();
  return { acknowledged, operations: Number(operations) };
}

describe('a server whose power is cut during renames', () => {
  it('has every name that it has acknowledged, and at no time a file without a name', async () => {
    const random = randomNumbers(SEED);
    let operations: number | undefined;
    for (let round = 0; round <= CUTS; round++) {
      await using scratch = await Scratch.make();
      await mkdir(scratch.path('root', 'd'), { recursive: true });
      for (const name of ['a', 'c', 'taken']) await writeFile(scratch.path('root', name), `content of ${name}`);
      const cutAt = operations === undefined ? undefined : 1 + Math.floor(random() * operations);
      const seed = round % 2 === 0 ? undefined : round;
      const told = `POWER_CUT_TEST_SEED=${SEED}, round ${round}, cut at operation ${cutAt ?? 'the end'}, seed ${seed}`;
      const result = await renameUntilCut(scratch, {
        ...(cutAt !== undefined && { cutAt }),
        ...(seed !== undefined && { seed }),
      });
      operations ??= result.operations;
      const { acknowledged } = result;
      const found = new Map<string, string>();
      for (const name of await filesBelow(scratch.path('root'))) {
        if (!name.startsWith('.sluice')) found.set(name, await readFile(scratch.path('root', name), 'utf8'));
      }
      if (round === 0) assert.equal(acknowledged, 3, told);
      const names = (content: string): string[] => [...found.keys()].filter((name) => found.get(name) === content);
      assert.ok(names('content of a').length > 0 && names('content of c').length > 0, `${told}: ${[...found.keys()]}`);
      if (acknowledged >= 1) assert.ok(['d/b', 'e/b'].includes(names('content of a').join()), told);
      if (acknowledged >= 2) assert.deepEqual(names('content of c'), ['taken'], told);
      if (acknowledged >= 3) assert.deepEqual([...found.keys()].sort(), ['e/b', 'taken'], told);
    }
  });
});
