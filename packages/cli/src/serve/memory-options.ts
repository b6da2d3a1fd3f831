import type { ServerMemoryOptions } from '@sluice/server';
import type { OptionTable, OptionValues } from '../options/option-table.js';

const MIB = 2 ** 20;

/** What the server may hold in memory. */
export const memoryOptions = {
  'memory-limit': {
    kind: 'bytes',
    placeholder: 'SIZE',
    min: 64 * MIB,
    max: 2 ** 50,
    summary:
      'memory for connections and requests, beside what the process takes at its start; without it half of that of the machine or its control group',
  },
} as const satisfies OptionTable;

/** The limit as it was given, or what the machine suggests; a number of connections that nobody has given is lowered to it. */
export function memoryOf(
  { defaultMemoryLimit }: typeof import('@sluice/server'),
  options: OptionValues<typeof memoryOptions>,
  given: ReadonlySet<string>,
): ServerMemoryOptions {
  const limitBytes = options['memory-limit'] ?? defaultMemoryLimit();
  return { limitBytes, lowersConnections: !given.has('max-connections') };
}
