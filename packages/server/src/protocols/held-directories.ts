import type { DescriptorAccount } from '../storage/descriptor-account.js';
import type { HeldDirectory } from '../storage/held-directory.js';

/** Directories of one batch that are held open at once. */
export const DIRECTORIES_AT_ONCE = 32;

/** Of those, so many are looked for, or synced, at once. */
export const WALKS_AT_ONCE = 8;

/** Directories of a batch, by their number in its table, that are open until the files in them are done. */
export class HeldDirectories implements AsyncDisposable {
  readonly all = new Map<number, HeldDirectory>();
  readonly #places: Disposable[] = [];

  /** @throws {StorageError} what `open` throws; `ERR_TOO_MANY_FILES` */
  async add(index: number, descriptors: DescriptorAccount, open: () => Promise<HeldDirectory>): Promise<HeldDirectory> {
    this.#places.push(descriptors.openFile());
    const directory = await descriptors.walk(open);
    this.all.set(index, directory);
    return directory;
  }

  async drop(index: number): Promise<void> {
    const directory = this.all.get(index);
    this.all.delete(index);
    await directory?.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.all.values()].map((directory) => directory.close()));
    for (const place of this.#places) place[Symbol.dispose]();
  }
}
