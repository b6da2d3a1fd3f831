import type { UploadResult } from './transfer.js';

/** What the attempt that succeeds says; size, time and number of attempts are known elsewhere. */
export type UploadOutcome = Omit<UploadResult, 'bytes' | 'seconds' | 'attempts'>;
