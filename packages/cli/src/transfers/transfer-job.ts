import type { DamagedPart, Progress } from '@sluice/client';
import type { CommandError } from '../command-error.js';
import type { TransferReport } from './transfer-report.js';

export interface MoveOptions {
  readonly signal: AbortSignal;
  readonly onProgress: (progress: Progress) => void;
}

export interface MoveResult {
  /** Size of the file. */
  readonly bytes: number;
  /** Bytes that went over the link, in all attempts together. */
  readonly bytesMoved: number;
  readonly bytesResumed: number;
  readonly seconds: number;
  readonly attempts: number;
  /** What an earlier run had left here, and was damaged. */
  readonly damaged?: readonly DamagedPart[];
  /** What the server promises, and the digest of the file that both sides agree on; uploads only, as far as the server says. */
  readonly durability?: string;
  readonly digest?: string;
  /** The very same file was there. */
  readonly unchanged?: true;
  /** Why nothing was moved: the target is there, or it is not older. */
  readonly skipped?: 'exists' | 'newer';
}

/** One file that is to be moved. Its names are as they are: control characters included. */
export interface TransferJob {
  /** The local path: what people know it by. */
  readonly name: string;
  /** What the server's refusals are about, where that is not `name`. */
  readonly remoteName?: string;
  readonly source: string;
  readonly target: string;
  /** Size if it is known beforehand. */
  readonly bytes: number | undefined;
  /** @throws {ClientError} @throws {CommandError} */
  move(options: MoveOptions): Promise<MoveResult>;
}

/** Something that will not be moved, and why. */
export interface Obstacle {
  /**
   * - `failed`: it should have been
   * - `skipped`: it is not a file; everything else is done
   * - `refused`: its name is not safe; everything else is done, and the exit code tells
   */
  readonly kind: 'failed' | 'skipped' | 'refused';
  readonly source: string;
  readonly error: CommandError | Error;
}

/** Told of each file of a bulk once. */
export type OnMoved = (job: BulkJob, outcome: MoveResult | { readonly error: unknown }) => void;

/** A file that is moved together with others. */
export type BulkJob = Omit<TransferJob, 'move'>;

/** Small files that are moved together. */
export interface TransferBulk {
  /** What the display calls all of them. */
  readonly name: string;
  readonly jobs: readonly BulkJob[];
  /** @throws {ClientError} for what concerns all that have not been told of; the signal's reason */
  move(signal: AbortSignal, onMoved: OnMoved): Promise<void>;
}

/** What a command line comes to, once sources and directories have been read. */
export interface TransferPlan {
  readonly jobs: TransferJob[];
  readonly bulk?: TransferBulk | undefined;
  /** Done when nothing is left to be moved, before the summary; not after an interruption. Gets what it reports to. */
  readonly finish?: (report: TransferReport) => Promise<void>;
  readonly obstacles: Obstacle[];
}
