import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';

const places = new Set<Place>();

/** The temporary directory of one trial: the server's root, the client's folder, and whatever the server's programs need. */
export class Place implements Disposable {
  readonly directory: string;
  /** What the server serves. */
  readonly root: string;
  /** Where the client runs, and where a download goes. */
  readonly client: string;
  /** Configuration, keys, journals: nothing that a fault befalls. */
  readonly other: string;
  readonly #mounts: string[] = [];

  constructor() {
    this.directory = mkdtempSync(path.join(os.tmpdir(), 'sluice-crash-demo-'));
    places.add(this);
    [this.root, this.client, this.other] = ['root', 'client', 'other'].map((name) => {
      const folder = path.join(this.directory, name);
      mkdirSync(folder);
      return folder;
    }) as [string, string, string];
  }

  /** Puts a small file system in memory there. @returns how to make it larger; `undefined` where that needs rights that we have not */
  mountSmall(folder: string, mebibytes: number): ((mebibytes: number) => void) | undefined {
    const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${mebibytes}m`, 'tmpfs', folder]);
    if (mounted.status !== 0) return undefined;
    this.#mounts.push(folder);
    return (larger) => {
      const again = spawnSync('mount', ['-o', `remount,size=${larger}m`, folder], { encoding: 'utf8' });
      if (again.status !== 0) throw new Error(`remount: ${again.stderr}`);
    };
  }

  [Symbol.dispose](): void {
    places.delete(this);
    for (const folder of this.#mounts.splice(0)) spawnSync('umount', ['-l', folder]);
    rmSync(this.directory, { recursive: true, force: true, maxRetries: 10 }); // who was killed may still be ending
  }
}

/** For the way out. */
export function removeAllPlaces(): void {
  for (const place of places) place[Symbol.dispose]();
}

/** The largest file below a folder, if any has the length: that is where the bytes of a transfer are, whatever the program calls it. */
export function largestFile(folder: string, minBytes: number): string | undefined {
  let found: { readonly file: string; readonly bytes: number } | undefined;
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const file = path.join(entry.parentPath ?? entry.path, entry.name);
    const bytes = statSync(file, { throwIfNoEntry: false })?.size ?? 0;
    if (bytes >= minBytes && bytes > (found?.bytes ?? 0)) found = { file, bytes };
  }
  return found?.file;
}
