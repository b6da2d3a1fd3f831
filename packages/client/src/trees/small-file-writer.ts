import {
  closeSync,
  constants,
  fchmodSync,
  fsyncSync,
  futimesSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { open, rename, unlink } from 'node:fs/promises';
import { hostname } from 'node:os';
import { dirname, join } from 'node:path';
import { xxh64 } from '@sluice/files';
import { localFileError } from '../local-errors.js';
import { PARTIAL_SUFFIX } from '../partial-file.js';
import { LOCK_SUFFIX } from '../target-lock.js';
import { DirectPace } from './direct-pace.js';

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

/** Stores small files whole, each on the disk before it gets its name: directly or, when the disk is slow, in the background. Directories are not synced. */
export class SmallFileWriter {
  readonly #pace = new DirectPace();
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

/** What is in the way of small files in a directory. */
export interface DirectoryState {
  /** Names whose download by itself was broken off, or is going on. */
  readonly begun: ReadonlySet<string>;
  /** Names of what is neither a file nor a link. */
  readonly taken: ReadonlySet<string>;
}

/**
 * Makes a directory, and removes from it what processes of this machine have begun to store there, and have been killed.
 *
 * @throws the system's error
 */
export function prepareDirectory(directory: string): DirectoryState {
  mkdirSync(directory, { recursive: true });
  const [begun, taken] = [new Set<string>(), new Set<string>()];
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    const { name } = entry;
    const [, machine, pid] = LEFTOVER.exec(name) ?? [];
    if (machine) {
      if (OWN_PREFIX.startsWith(machine) && !isRunning(Number(pid))) unlinkSync(join(directory, name));
    } else if (!entry.isFile() && !entry.isSymbolicLink()) taken.add(name);
    else {
      const suffix = [PARTIAL_SUFFIX, LOCK_SUFFIX].find((end) => name.endsWith(end));
      if (suffix) begun.add(name.slice(0, -suffix.length));
    }
  }
  return { begun, taken };
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}

/** To the microsecond: what is below is cut off by the system's call. */
function secondsOf(ns: bigint): number {
  return (Number(ns >= 0n ? ns / 1000n : (ns - 999n) / 1000n) + 0.5) / 1e6;
}
