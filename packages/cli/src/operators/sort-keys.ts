/** What connections can be sorted by. */
export const SORT_KEYS = [
  'id',
  'user',
  'protocol',
  'remote',
  'connected',
  'idle',
  'in',
  'out',
  'rate',
  'queued',
] as const;

export type SortKey = (typeof SORT_KEYS)[number];
