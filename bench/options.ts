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
  /** One round of a tenth of the work, to see that all runs; its figures are rough. */
  readonly isQuick: boolean;
  /** Result of an older run to compare with. */
  readonly compare: string | undefined;
  /** Whether a line that is worse makes the exit code 1. */
  readonly failsOnWorse: boolean;
}

export const DEFAULT_BENCH_OPTIONS = { sizeBytes: 1024 ** 3, rounds: 3 } as const;
const QUICK_OPTIONS = { sizeBytes: 128 * 1024 ** 2, rounds: 1 } as const;
const MIN_SIZE_BYTES = 1024 ** 2;
const MAX_SIZE_BYTES = 8 * 1024 ** 3;
const MAX_ROUNDS = 50;

export const USAGE = `usage: npm run bench -- [--only NAME]... [--rounds N] [--size BYTES|64m|1g] [--directory DIR]
                        [--quick] [--micro] [--compare FILE [--fail-on-worse]]
  --only       a scenario or a contender; may be repeated or hold several names with commas
  --rounds     every contender runs once in each round, 1 to ${MAX_ROUNDS} (default ${DEFAULT_BENCH_OPTIONS.rounds})
  --size       bytes of each transfer, 1m to 8g (default 1g)
  --directory  where the files lie (default /dev/shm if there is room); a directory on a disk measures the disk, too
  --quick      one round, transfers of 128m and a tenth of the messages and connections, unless said otherwise
  --micro      only the parts by themselves: the same as --only micro
  --compare    the JSON of an older run: says line by line what is better, worse, the same or unclear
  --fail-on-worse  exit code 1 when a line of ours is worse`;

/** @throws {Error} with one line for the user when an argument is unknown or out of range */
export function readBenchOptions(args: string[]): BenchOptions | 'help' {
  const { values } = parseArgs({
    args,
    options: {
      size: { type: 'string' },
      rounds: { type: 'string' },
      directory: { type: 'string' },
      only: { type: 'string', multiple: true },
      quick: { type: 'boolean', default: false },
      micro: { type: 'boolean', default: false },
      compare: { type: 'string' },
      'fail-on-worse': { type: 'boolean', default: false },
      help: { type: 'boolean' },
    },
  });
  if (values.help) return 'help';
  const defaults = values.quick ? QUICK_OPTIONS : DEFAULT_BENCH_OPTIONS;
  const sizeBytes = values.size === undefined ? defaults.sizeBytes : parseSize(values.size);
  const rounds = values.rounds === undefined ? defaults.rounds : Number(values.rounds);
  if (!Number.isInteger(rounds) || rounds < 1 || rounds > MAX_ROUNDS) {
    throw new Error(`--rounds ${values.rounds}: expected a whole number from 1 to ${MAX_ROUNDS}`);
  }
  const only = (values.only ?? []).flatMap((names) => names.split(',')).filter((name) => name !== '');
  if (values.micro) only.push('micro');
  if (values['fail-on-worse'] && values.compare === undefined) throw new Error('--fail-on-worse needs --compare FILE');
  return {
    sizeBytes,
    rounds,
    directory: values.directory,
    only,
    isQuick: values.quick,
    compare: values.compare,
    failsOnWorse: values['fail-on-worse'],
  };
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
