import { randomFillSync } from 'node:crypto';
import { readFile, rm, writeFile } from 'node:fs/promises';
import type { SluiceClient } from '@sluice/client';
import type { Place } from './place.js';

const MAX_BYTES = 12 << 20;
/** Kicks break transfers: the client goes on by itself, unless it is told that it was kicked. Then it is called again. */
const MAX_CALLS = 20;

export interface TransferFigures {
  uploads: number;
  downloads: number;
  bytesUp: number;
  bytesDown: number;
  /** Calls that failed, and were made again. */
  repeated: number;
  /** Files that came back as they were sent. */
  verified: number;
}

export function noTransfers(): TransferFigures {
  return { uploads: 0, downloads: 0, bytesUp: 0, bytesDown: 0, repeated: 0, verified: 0 };
}

/**
 * Sends a file, fetches it, compares, removes it, again and again until the signal aborts.
 *
 * @param figures are added to
 * @throws {Error} for a file that is not what was sent, and for one that does not get through after many calls
 */
export async function moveFiles(
  place: Place,
  lane: number,
  random: () => number,
  figures: TransferFigures,
  signal: AbortSignal,
): Promise<void> {
  const [source, target] = [place.local(`source-${lane}`), place.local(`target-${lane}`)];
  const call = (work: (client: SluiceClient) => Promise<unknown>) => persistently(place, figures, signal, work);
  await call((client) => client.makeDirectory(`lane-${lane}`, { signal }));
  for (let round = 0; !signal.aborted; round++) {
    const bytes = randomFillSync(Buffer.alloc(1 + Math.floor(random() ** 2 * MAX_BYTES)));
    const name = `lane-${lane}/file-${round % 3}`;
    await writeFile(source, bytes);
    if (!(await call((client) => client.upload(source, name, { signal })))) return;
    figures.uploads += 1;
    figures.bytesUp += bytes.length;
    if (!(await call((client) => client.download(name, target, { signal })))) return;
    figures.downloads += 1;
    figures.bytesDown += bytes.length;
    if (!bytes.equals(await readFile(target))) throw new Error(`${name} did not come back as it was sent`);
    figures.verified += 1;
    await rm(target);
  }
}

/** @returns false if the signal has aborted */
async function persistently(
  place: Place,
  figures: TransferFigures,
  signal: AbortSignal,
  work: (client: SluiceClient) => Promise<unknown>,
): Promise<boolean> {
  for (let calls = 1; ; calls++) {
    if (signal.aborted) return false;
    try {
      await using client = await place.client(5);
      await work(client);
      return true;
    } catch (error) {
      if (signal.aborted) return false;
      if (calls === MAX_CALLS) throw error;
      figures.repeated += 1;
    }
  }
}
