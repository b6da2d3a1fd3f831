import { parseArgs } from 'node:util';
import { MAX_CONNECTIONS } from './scenarios.js';

export interface BenchOptions {
  /** Bytes moved in total by each transfer; a multiple of the largest number of connections. */
  readonly sizeBytes: number;
  readonly rounds: number;
  /** Where the files lie. @default /dev/shm, or the system's temporary directory */
  readonly directory: string | undefined;
  /** Names of scenarios and contenders; empty for all. */
  readonly only: readonly string[];
}

export const DEFAULT_BENCH_OPTIONS = { sizeBytes: 1024 ** 3, rounds: 3 } as const;
const MIN_SIZE_BYTES = 1024 ** 2;
const MAX_SIZE_BYTES = 8 * 1024 ** 3;
const MAX_ROUNDS = 50;

export const USAGE = `usage: npm run bench -- [--size BYTES|64m|1g] [--rounds N] [--directory DIR] [--only NAME]...
  --size    bytes of each transfer, 1m to 8g (default 1g)
  --rounds  every contender runs once in each round, 1 to ${MAX_ROUNDS} (default ${DEFAULT_BENCH_OPTIONS.rounds})
  --directory  where the files lie (default /dev/shm if there is room); a directory on a disk measures the disk, too
  --only    a scenario or a contender; may be repeated or hold several names with commas`;

/** @throws {Error} with one line for the user when an argument is unknown or out of range */
export function readBenchOptions(args: string[]): BenchOptions | 'help' {
  const { values } = parseArgs({
    args,
    options: {
      size: { type: 'string' },
      rounds: { type: 'string' },
      directory: { type: 'string' },
      only: { type: 'string', multiple: true },
      help: { type: 'boolean' },
    },
  });
  if (values.help) return 'help';
  const sizeBytes = values.size === undefined ? DEFAULT_BENCH_OPTIONS.sizeBytes : parseSize(values.size);
  const rounds = values.rounds === undefined ? DEFAULT_BENCH_OPTIONS.rounds : Number(values.rounds);
  if (!Number.isInteger(rounds) || rounds < 1 || rounds > MAX_ROUNDS) {
    throw new Error(`--rounds ${values.rounds}: expected a whole number from 1 to ${MAX_ROUNDS}`);
  }
  const only = (values.only ?? []).flatMap((names) => names.split(',')).filter((name) => name !== '');
  return { sizeBytes, rounds, directory: values.directory, only };
}

function parseSize(text: string): number {
  const match = /^(\d+)([kmg]?)$/i.exec(text);
  const unit = { '': 1, k: 1024, m: 1024 ** 2, g: 1024 ** 3 }[(match?.[2] ?? '').toLowerCase()] ?? 1;
  const bytes = Number(match?.[1]) * unit;
  if (!(bytes >= MIN_SIZE_BYTES && bytes <= MAX_SIZE_BYTES)) {
    throw new Error(`--size ${text}: expected bytes, or a number with k, m or g, from 1m to 8g`);
  }
  return bytes - (bytes % MAX_CONNECTIONS);
}
