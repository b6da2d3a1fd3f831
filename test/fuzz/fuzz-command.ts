// npm run fuzz -- [--minutes N] [--target NAME] [--seed S] [--keep]: says strange things to what takes them, until something does not hold.
import { parseArgs } from 'node:util';
import { writeCorpus } from './corpus.js';
import { FuzzError, fuzz } from './fuzzing.js';
import { TARGETS } from './targets/all.js';

const USAGE = `usage: npm run fuzz -- [--minutes N] [--target NAME]... [--seed S] [--keep]
  --minutes  for all targets together (default 1)
  --target   ${[...TARGETS.keys()].join(', ')} (default all)
  --seed     decides all inputs (default a random one)
  --keep     writes an input of each kind of outcome that was seen to test/fuzz/corpus, 40 for a target at most`;

const MAX_KEPT = 40;
/** Longer inputs are not worth their place. */
const MAX_KEPT_LENGTH = 600;

process.exitCode = await main(process.argv.slice(2));

async function main(args: string[]): Promise<number> {
  let names: readonly string[];
  let minutes: number;
  let seed: number;
  let keeps: boolean;
  try {
    const { values } = parseArgs({
      args,
      options: {
        minutes: { type: 'string' },
        target: { type: 'string', multiple: true },
        seed: { type: 'string' },
        keep: { type: 'boolean' },
      },
    });
    names = values.target ?? [...TARGETS.keys()];
    minutes = Number(values.minutes ?? 1);
    seed = Number(values.seed ?? Math.floor(Math.random() * 1e9));
    keeps = values.keep ?? false;
    const unknown = names.find((name) => !TARGETS.has(name));
    if (unknown !== undefined) throw new Error(`there is no target ${unknown}`);
    if (!(minutes > 0) || !Number.isInteger(seed))
      throw new Error('minutes must be more than 0, a seed a whole number');
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : error}\n${USAGE}`);
    return 2;
  }
  let isStopped = false;
  process.once('SIGINT', () => {
    isStopped = true;
  });
  let exitCode = 0;
  for (const name of names) {
    const startedMs = performance.now();
    const untilMs = startedMs + (minutes * 60_000) / names.length;
    try {
      const report = await fuzz(TARGETS.get(name)!, seed, () => isStopped || performance.now() > untilMs);
      const seconds = (performance.now() - startedMs) / 1000;
      console.log(
        `${name}: ${report.runs} inputs in ${seconds.toFixed(0)} s, seed ${seed}, ${report.kinds} kinds of outcomes; all as it should be`,
      );
      if (keeps)
        writeCorpus(
          name,
          report.corpus.filter((input) => JSON.stringify(input).length <= MAX_KEPT_LENGTH).slice(0, MAX_KEPT),
        );
    } catch (error) {
      if (!(error instanceof FuzzError)) throw error;
      console.log(error.message, error.cause);
      exitCode = 1;
    }
    if (isStopped) break;
  }
  return exitCode;
}
