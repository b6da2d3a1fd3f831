import { usageError } from '../../command-error.js';

/** What can be played, and what it is in a few words. */
export const suites = {
  slowloris: 'requests that come byte by byte, one a second, and are never complete',
  'slow-read': 'requests whose answers are not read',
  'huge-prefix': 'lengths that announce far more than follows',
  storm: 'connections that are made and closed at once, over and over',
  'half-open': 'clients that have vanished, or closed their side, in the middle of a request',
  'rst-storm': 'connections that are reset in the middle of a request, over and over',
  descriptors: 'as many silent connections as there may be, each replaced when the server ends it',
  'silent-tls': 'a complete TLS hello, and then nothing',
} as const;

export type SuiteName = keyof typeof suites;

/** `slowloris,storm` or `all`. @throws {CommandError} exit code 2 */
export function suitesIn(text: string): SuiteName[] {
  const known = Object.keys(suites) as SuiteName[];
  if (text === 'all') return known;
  const wanted = text.split(',').map((name) => name.trim());
  const unknown = wanted.find((name) => !known.includes(name as SuiteName));
  if (unknown !== undefined)
    throw usageError(`--suite ${unknown || '""'} cannot be used: give all, or some of ${known.join(',')}`);
  return [...new Set(wanted)] as SuiteName[];
}
