import {
  closeSync,
  constants,
  fchmodSync,
  fsyncSync,
  futimesSync,
  lstatSync,
  openSync,
  readdirSync,
  renameSync,
  type Stats,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { lstat, open, rename, unlink } from 'node:fs/promises';
import { hostname } from 'node:os';
import { dirname, join } from 'node:path';
import { IoPace, xxh64 } from '@sluice/files';
import { localFileError } from '../errors.js';
import { PARTIAL_SUFFIX } from '../partial-file.js';

/** What a file gets besides its content. */
export interface FileFacts {
  readonly modifiedNs?: bigint | undefined;
  /** Nine permission bits; the umask takes away from them. */
  readonly mode?: number | undefined;
}

/** Of this process: who finds such a file knows whether somebody is still at it. */
const OWN_PREFIX = `.sluice-${xxh64(Buffer.from(hostname())).toString(16)}-${process.pid}-`;
const LEFTOVER = /^(\.sluice-[0-9a-f]+-)(\d+)-\d+\.sluice-part$/;

/** Of the files that this process has stored. */
let lastNumber = 0;

const CREATE = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL;

/** A file on a local disk is stored in some 30 µs, with its sync in less than a millisecond; one that takes longer holds the event loop up. */
const PACE = { slowCallMs: 5, fastCallMs: 2 } as const;

/**
 * Stores small files whole, each on the disk before it gets its name: directly until one takes long; then in the background, until they
 * are fast again. Directories are not synced.
 */
export class SmallFileWriter {
  readonly #pace = new IoPace(PACE);
  readonly #umask = process.umask();

  /**
   * @param content stays untouched until it is done
   * @returns a promise when the disk is slow
   * @throws {ClientError} `ERR_LOCAL_FILE`
   */
  store(target: string, content: Uint8Array, facts: FileFacts): void | Promise<void> {
    lastNumber += 1;
    const temporary = join(dirname(target), `${OWN_PREFIX}${lastNumber}${PARTIAL_SUFFIX}`);
    const startedMs = performance.now();
    if (this.#pace.isDirect) {
      try {
        this.#storeDirect(temporary, target, content, facts);
      } catch (error) {
        throw localFileError('write', target, error);
      } finally {
        this.#pace.record(performance.now() - startedMs);
      }
      return;
    }
    return this.#storePooled(temporary, target, content, facts)
      .catch((error: unknown) => {
        throw localFileError('write', target, error);
      })
      .finally(() => this.#pace.record(performance.now() - startedMs));
  }

  #storeDirect(temporary: string, target: string, content: Uint8Array, facts: FileFacts): void {
    requireReplaceable(lstatSync(target, { throwIfNoEntry: false }));
    const descriptor = openSync(temporary, CREATE, 0o666);
    try {
      try {
        for (let at = 0; at < content.length; ) at += writeSync(descriptor, content, at);
        if (facts.mode !== undefined) fchmodSync(descriptor, facts.mode & ~this.#umask);
        if (facts.modifiedNs !== undefined) {
          const seconds = secondsOf(facts.modifiedNs);
          futimesSync(descriptor, seconds, seconds);
        }
        fsyncSync(descriptor);
      } finally {
        closeSync(descriptor);
      }
      renameSync(temporary, target);
    } catch (error) {
      unlinkSync(temporary);
      throw error;
    }
  }

  async #storePooled(temporary: string, target: string, content: Uint8Array, facts: FileFacts): Promise<void> {
    requireReplaceable(await lstat(target).catch(undefinedIfMissing));
    const handle = await open(temporary, CREATE, 0o666);
    try {
      try {
        await handle.writeFile(content);
        if (facts.mode !== undefined) await handle.chmod(facts.mode & ~this.#umask);
        if (facts.modifiedNs !== undefined) {
          const seconds = secondsOf(facts.modifiedNs);
          await handle.utimes(seconds, seconds);
        }
        await handle.sync();
      } finally {
        await handle.close();
      }
      await rename(temporary, target);
    } catch (error) {
      await unlink(temporary);
      throw error;
    }
  }
}

/** Removes from a directory what processes of this machine have begun to store there, and have been killed. @throws the system's error */
export function removeLeftovers(directory: string): void {
  for (const name of readdirSync(directory)) {
    const [, machine, pid] = LEFTOVER.exec(name) ?? [];
    if (machine && OWN_PREFIX.startsWith(machine) && !isRunning(Number(pid))) unlinkSync(join(directory, name));
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}

/** A link is replaced, not what it leads to. */
function requireReplaceable(found: Stats | undefined): void {
  if (!found || found.isFile() || found.isSymbolicLink()) return;
  throw new Error(found.isDirectory() ? 'is a directory' : 'is not a regular file');
}

/** To the microsecond: what is below is cut off by the system's call. */
function secondsOf(ns: bigint): number {
  return (Number(ns >= 0n ? ns / 1000n : (ns - 999n) / 1000n) + 0.5) / 1e6;
}

function undefinedIfMissing(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') throw error;
}
