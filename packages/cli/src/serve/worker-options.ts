import { availableParallelism } from 'node:os';
import { usageError } from '../command-error.js';
import type { OptionTable, OptionValues } from '../options/option-table.js';

const MAX_WORKERS = 256;

/** In how many processes a server serves. */
export const workerOptions = {
  workers: {
    kind: 'string',
    placeholder: 'N',
    default: '1',
    summary: 'processes that share the connections; auto for one on each core',
  },
  'reload-timeout': {
    kind: 'duration',
    placeholder: 'TIME',
    min: 0,
    max: 86_400_000,
    default: 600_000,
    summary: 'with several workers: how long those that sluice reload replaces may go on with what is begun',
  },
} as const satisfies OptionTable;

/** @throws {CommandError} exit code 2 */
export function workersOf({ workers }: Pick<OptionValues<typeof workerOptions>, 'workers'>): number {
  if (workers === 'auto') return Math.min(MAX_WORKERS, availableParallelism());
  const count = /^\d{1,3}$/.test(workers) ? Number(workers) : 0;
  if (count < 1 || count > MAX_WORKERS)
    throw usageError(`--workers needs a number from 1 to ${MAX_WORKERS}, or auto, not ${workers}`);
  return count;
}
