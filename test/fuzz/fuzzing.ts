import { RandomSource, shrinkList } from '@sluice/testkit';
import { readCorpus } from './corpus.js';
import type { FuzzTarget } from './fuzz-target.js';

export interface FuzzReport {
  readonly runs: number;
  /** One input for each kind of outcome: the corpus, and what was found beside it. */
  readonly corpus: readonly unknown[];
  /** Kinds of outcomes that were seen. */
  readonly kinds: number;
}

/** An input for which something did not hold, as short as it could be made. */
export class FuzzError extends Error {
  override readonly name = 'FuzzError';
  readonly input: unknown;

  constructor(target: string, seed: number, input: unknown, cause: unknown) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    super(`${target}, seed ${seed}: ${reason}\nthe input: ${JSON.stringify(input)}`, { cause });
    this.input = input;
  }
}

const MAX_SHRINKING_RUNS = 300;

/** Runs the corpus, then new inputs and changed ones, until `isEnough`; inputs of a kind not seen before are changed further. @throws {FuzzError} */
export async function fuzz<T>(
  target: FuzzTarget<T>,
  seed: number,
  isEnough: (runs: number) => boolean,
): Promise<FuzzReport> {
  const corpus: T[] = [];
  const kinds = new Set<string>();
  let runs = 0;
  const strays: unknown[] = [];
  const onStray = (error: unknown): void => void strays.push(error);
  process.on('unhandledRejection', onStray);
  process.on('uncaughtException', onStray);
  const run = async (input: T): Promise<string> => {
    const kind = await target.run(input);
    if (strays.length > 0)
      throw new Error(`an error that nobody has handled: ${strays[0]}`, { cause: strays.splice(0)[0] });
    return kind;
  };
  const tryOne = async (input: T): Promise<void> => {
    runs += 1;
    try {
      const kind = await run(input);
      if (kinds.has(kind)) return;
      kinds.add(kind);
      corpus.push(input);
    } catch (error) {
      const shortest = await shrink(target, run, input, error);
      throw new FuzzError(target.name, seed, shortest.input, shortest.error);
    }
  };
  await target.open?.();
  try {
    for (const input of readCorpus<T>(target.name)) await tryOne(input);
    for (let i = 0; !isEnough(runs); i++) {
      const random = new RandomSource(seed).fork(i);
      const isNew = corpus.length === 0 || random.chance(0.2);
      let input = isNew ? target.generate(random) : random.pick(corpus);
      if (!isNew || random.chance(0.5)) input = target.mutate(input, random);
      await tryOne(input);
      if (i % 64 === 0) await new Promise((resolve) => setImmediate(resolve)); // strays show, Ctrl-C is heard
    }
  } finally {
    await target.close?.();
    process.off('unhandledRejection', onStray);
    process.off('uncaughtException', onStray);
  }
  return { runs, corpus, kinds: kinds.size };
}

async function shrink<T>(
  target: FuzzTarget<T>,
  run: (input: T) => Promise<string>,
  input: T,
  error: unknown,
): Promise<{ readonly input: T; readonly error: unknown }> {
  let shortest = { input, error };
  const fails = async (parts: readonly unknown[]): Promise<boolean> => {
    const part = target.join(parts, input);
    try {
      await run(part);
      return false;
    } catch (failure) {
      shortest = { input: part, error: failure };
      return true;
    }
  };
  await shrinkList(target.split(input), fails, MAX_SHRINKING_RUNS);
  return shortest;
}
