import type { ReadingsScenario } from './readings.js';

export type Direction = 'upload' | 'download';

/** The same bytes in total for every transfer, so that figures per GB compare across them. */
export interface TransferScenario {
  readonly kind: 'transfer';
  readonly name: string;
  readonly direction: Direction;
  readonly connections: number;
}

/** Reads of 4 KiB at random places of one file, over one connection. */
export interface ReadScenario {
  readonly kind: 'random-reads';
  readonly name: string;
  /** Reads that are under way at a time. */
  readonly depth: number;
  readonly reads: number;
}

/** A directory with files of 4 KiB, a hundred in each directory below it. */
export interface TreeScenario {
  readonly kind: 'small-files';
  readonly name: string;
  readonly direction: Direction;
  readonly files: number;
}

export type Scenario = TransferScenario | ReadScenario | TreeScenario | ReadingsScenario;

export const MAX_CONNECTIONS = 256;

/** Of files; `selection.ts` has all. */
export const FILE_SCENARIOS: readonly (TransferScenario | ReadScenario | TreeScenario)[] = [
  { kind: 'transfer', name: 'upload-1g', direction: 'upload', connections: 1 },
  { kind: 'transfer', name: 'download-1g', direction: 'download', connections: 1 },
  { kind: 'transfer', name: 'upload-256', direction: 'upload', connections: MAX_CONNECTIONS },
  { kind: 'transfer', name: 'download-256', direction: 'download', connections: MAX_CONNECTIONS },
  { kind: 'random-reads', name: 'read-4k-1', depth: 1, reads: 10_000 },
  { kind: 'random-reads', name: 'read-4k-32', depth: 32, reads: 100_000 },
  { kind: 'small-files', name: 'upload-10k', direction: 'upload', files: 10_000 },
  { kind: 'small-files', name: 'download-10k', direction: 'download', files: 10_000 },
];
