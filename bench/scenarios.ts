export type Direction = 'upload' | 'download';

/** The same bytes in total for every scenario, so that figures per GB compare across them. */
export interface Scenario {
  readonly name: string;
  readonly direction: Direction;
  readonly connections: number;
}

export const MAX_CONNECTIONS = 256;

export const SCENARIOS: readonly Scenario[] = [
  { name: 'upload-1g', direction: 'upload', connections: 1 },
  { name: 'download-1g', direction: 'download', connections: 1 },
  { name: 'upload-256', direction: 'upload', connections: MAX_CONNECTIONS },
  { name: 'download-256', direction: 'download', connections: MAX_CONNECTIONS },
];
