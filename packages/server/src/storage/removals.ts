import { StorageError, systemCodeOf } from './storage-error.js';

/** Answers whether a file is open in this process; asked in the same tick in which its removal begins. */
export interface IsInUse {
  (entryKey: string): boolean;
  /** Where the server is several processes. */
  readonly others?: OtherProcesses | undefined;
}

/** The other processes of the server, which may have files open, too. */
export interface OtherProcesses {
  /** Whether one of the files is open there. */
  haveOpen(entryKeys: readonly string[]): Promise<boolean>;
  /** Keeps a file from being opened there. @returns `undefined` when it is open */
  claimForRemoving(entryKey: string): Promise<{ release(): void } | undefined>;
}

/**
 * The files that are being unlinked at this moment. Between the question whether a file is in use and the end of its
 * unlink lies a wait, in which somebody may claim the file and open it: that opening waits here, and finds the file
 * gone instead of a file without a name.
 */
export class Removals {
  readonly #pending = new Map<string, Promise<void>>();

  /** Whether somebody removes the file just now. */
  isPending(entryKey: string): boolean {
    return this.#pending.has(entryKey);
  }

  /** Waits until nobody removes the file. A file that the caller has claimed is not removed afterwards either. */
  async settled(entryKey: string): Promise<void> {
    for (let pending = this.#pending.get(entryKey); pending; pending = this.#pending.get(entryKey)) await pending;
  }

  /**
   * Runs `unlink` unless the file is in use. A file that is missing counts as removed.
   *
   * @throws {StorageError} `ERR_IN_USE`; what `unlink` throws, as it is
   */
  async remove(entryKey: string, isInUse: IsInUse, unlink: () => Promise<void>): Promise<void> {
    if (!isInUse.others) return await this.#removeHere(entryKey, isInUse, unlink);
    if (isInUse(entryKey)) throw new StorageError('ERR_IN_USE', 'file is in use'); // nobody has to be asked
    const claim = await isInUse.others.claimForRemoving(entryKey);
    if (!claim) throw new StorageError('ERR_IN_USE', 'file is in use');
    try {
      await this.#removeHere(entryKey, isInUse, unlink);
    } finally {
      claim.release();
    }
  }

  async #removeHere(entryKey: string, isInUse: IsInUse, unlink: () => Promise<void>): Promise<void> {
    for (let pending = this.#pending.get(entryKey); pending; pending = this.#pending.get(entryKey)) await pending;
    // No await between the question and the entry in the table.
    if (isInUse(entryKey)) throw new StorageError('ERR_IN_USE', 'file is in use');
    const removal = unlink();
    this.#pending.set(entryKey, removal.then(noop, noop));
    try {
      await removal;
    } catch (error) {
      if (systemCodeOf(error) !== 'ENOENT') throw error;
    } finally {
      this.#pending.delete(entryKey);
    }
  }
}

function noop(): void {}
