import { StorageError, systemCodeOf } from './storage-error.js';

/** Answers whether a file is open in this server; asked in the same tick in which its removal begins. */
export type IsInUse = (entryKey: string) => boolean;

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
