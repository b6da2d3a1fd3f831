import type { OptionTable, OptionValues } from '../options/option-table.js';

/** Options of serve about who may connect. */
export const admissionOptions = {
  'max-connections': {
    kind: 'integer',
    placeholder: 'N',
    min: 1,
    max: 1_000_000,
    default: 10_000,
    summary: 'connections at once; lowered to what the limit on open files allows',
  },
  'max-waiting': {
    kind: 'integer',
    placeholder: 'N',
    min: 0,
    max: 1_000_000,
    default: 1024,
    summary: 'connections that may wait for a free place',
  },
  'when-full': {
    kind: 'choice',
    placeholder: 'WHAT',
    choices: ['wait', 'refuse'],
    default: 'wait',
    summary:
      'what becomes of connections that cannot be served at once: wait, in turns by address; or refuse, with code 12 and a time to come back',
  },
  'max-unestablished': {
    kind: 'integer',
    placeholder: 'N',
    min: 0,
    max: 1_000_000,
    default: 1000,
    summary:
      'connections that have not logged in, or, where no login is needed, not made a request; above it newcomers take the place of those that have had 3 s; ' +
      '0 for no limit',
  },
  'connection-rate': {
    kind: 'integer',
    placeholder: 'N',
    min: 0,
    max: 1_000_000,
    default: 0,
    summary: 'new connections a second; 0 for no limit',
  },
  'max-per-address': {
    kind: 'integer',
    placeholder: 'N',
    min: 0,
    max: 1_000_000,
    default: 1000,
    summary:
      'connections from one address, or one /64 of IPv6; 0 for no limit. Addresses of this machine are counted only if the option is given',
  },
  'connection-rate-per-address': {
    kind: 'integer',
    placeholder: 'N',
    min: 0,
    max: 1_000_000,
    default: 200,
    summary: 'new connections a second from one address, twice as many after a quiet time; likewise',
  },
} as const satisfies OptionTable;

/** @param given names of the options that somebody has set */
export function admissionOf(options: OptionValues<typeof admissionOptions>, given: ReadonlySet<string>) {
  const countsAll = given.has('max-per-address') || given.has('connection-rate-per-address');
  return {
    maxConnections: options['max-connections'],
    maxWaiting: options['when-full'] === 'refuse' ? 0 : options['max-waiting'],
    maxUnestablished: options['max-unestablished'],
    connectionRate: options['connection-rate'],
    maxPerAddress: options['max-per-address'],
    connectionRatePerAddress: options['connection-rate-per-address'],
    ...(countsAll && { isUncounted: () => false }),
  };
}
