import { createHash } from 'node:crypto';
import type { BigIntStats } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import type { FileVersion } from '@sluice/wire';

/** A file system may give two changes within so many milliseconds the same time. */
const CLOCK_STEP_MS = 20;
/** A file that is changed all the time is not waited for for ever. */
const MAX_PAUSES = 5;

/** A text that stays the same as long as the file is the same and unchanged, and that tells nothing of the server. */
export function versionToken({ dev, ino, size, mtimeNs, ctimeNs }: BigIntStats): string {
  return createHash('sha256').update([dev, ino, size, mtimeNs, ctimeNs].join()).digest('hex').slice(0, 32);
}

/** What clients are told of the file that is open. */
export function fileVersion(stats: BigIntStats): FileVersion {
  return { version: versionToken(stats), modifiedNs: stats.mtimeNs, mode: Number(stats.mode & 0o777n) };
}

/**
 * Waits until the last change of the file is so long ago that a further one would give it another token. Rejects with the system's error, or
 * the signal's reason.
 */
export async function settledStats(handle: FileHandle, signal: AbortSignal): Promise<BigIntStats> {
  for (let pauses = 0; ; pauses += 1) {
    const stats = await handle.stat({ bigint: true });
    const ageMs = Date.now() - Number(stats.ctimeNs / 1_000_000n);
    if (ageMs < 0 || ageMs > CLOCK_STEP_MS || pauses === MAX_PAUSES) return stats;
    await pause(CLOCK_STEP_MS + 1 - ageMs, undefined, { signal });
  }
}
