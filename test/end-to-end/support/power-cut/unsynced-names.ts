import path from 'node:path';
import type { Survival } from './survival.js';
import { bytesOfPath, type FilePath, system } from './system-calls.js';
import type { Step } from './unsynced-data.js';

/** A directory that has unsynced entries, held open: its path may change. */
interface Directory {
  readonly key: string;
  fd: number;
}

interface Entry {
  readonly directory: Directory;
  readonly name: Buffer;
}

/** One change of a directory that no sync of that directory has followed. */
interface NameChange {
  /** The directory whose sync makes it last. Of a rename: the one of the new name. */
  readonly directory: Directory;
  readonly from?: Entry;
  readonly to: Entry;
  isDone: boolean;
  undo(): void;
  /** Where the file is kept that lost its name by this. */
  readonly backup?: string;
}

/** Names that were made, moved and removed, and that no sync of their directory has brought to the disk. */
export class UnsyncedNames {
  readonly #store: string;
  readonly #directories = new Map<string, Directory>();
  #changes: NameChange[] = [];
  #backups = 0;

  /** @param store a directory on the same file system: files whose names are gone are kept there */
  constructor(store: string) {
    this.#store = store;
    system.mkdirSync(store, { recursive: true });
  }

  /** A file, a link, a symbolic link. */
  beginCreate(path: FilePath): Step {
    const to = this.#entryOf(path);
    return this.#record({ directory: to.directory, to, isDone: false, undo: () => system.unlinkSync(pathOf(to)) });
  }

  beginMakeDirectory(path: FilePath): Step {
    const to = this.#entryOf(path);
    const undo = () => removeTree(pathOf(to));
    return this.#record({ directory: to.directory, to, isDone: false, undo });
  }

  beginRemoveDirectory(path: FilePath): Step {
    const to = this.#entryOf(path);
    const { mode, dev, ino } = system.lstatSync(pathOf(to), { bigint: true });
    const undo = () => {
      system.mkdirSync(pathOf(to), Number(mode) & 0o7777);
      // What was removed from it before goes back into the one that is made anew.
      const former = this.#directories.get(`${dev}:${ino}`);
      if (former) former.fd = openDirectory(pathOf(to));
    };
    return this.#record({ directory: to.directory, to, isDone: false, undo });
  }

  beginRemove(path: FilePath): Step {
    const to = this.#entryOf(path);
    const backup = this.#keep(to);
    const undo = () => restore(backup, to);
    return this.#record({ directory: to.directory, to, isDone: false, undo, ...(backup && { backup }) });
  }

  beginRename(oldPath: FilePath, newPath: FilePath): Step {
    const from = this.#entryOf(oldPath);
    const to = this.#entryOf(newPath);
    const backup = this.#keep(to);
    const undo = () => {
      ignoreMissing(() => system.renameSync(pathOf(to), pathOf(from))); // it may have moved on, and that was synced
      restore(backup, to);
    };
    return this.#record({ directory: to.directory, from, to, isDone: false, undo, ...(backup && { backup }) });
  }

  /** What was changed in the directory before this call lasts when the sync is done. */
  beginSync(fd: number): Step | undefined {
    const stats = system.fstatSync(fd, { bigint: true });
    const directory = this.#directories.get(`${stats.dev}:${stats.ino}`);
    if (!directory) return undefined;
    const covered = this.#changes.filter((change) => change.isDone && change.directory === directory);
    return { done: () => this.#settle(covered), failed: () => {} };
  }

  /** Takes back what no sync has covered, the newest first. @returns the number of changes that were lost */
  undo(survival: Survival): number {
    const lost = new Set<NameChange>();
    for (const directory of this.#directories.values()) {
      const own = this.#changes.filter((change) => change.directory === directory);
      for (const change of own.slice(survival.keptOf(own.length))) lost.add(change);
    }
    for (const change of this.#changes.toReversed()) {
      // A directory that it was in may be gone, and that was synced.
      if (lost.has(change)) ignoreMissing(() => change.undo());
    }
    removeTree(Buffer.from(this.#store));
    this.#changes = [];
    return lost.size;
  }

  #record(change: NameChange): Step {
    this.#changes.push(change);
    return {
      done: () => {
        change.isDone = true;
      },
      failed: () => this.#drop(change),
    };
  }

  #settle(covered: readonly NameChange[]): void {
    for (const change of covered) {
      if (!this.#changes.includes(change)) continue;
      this.#drop(change);
      // The name that this moved was there: so is what had given it.
      const { from } = change;
      if (from) this.#settle(this.#changes.filter((earlier) => earlier.isDone && isSame(earlier.to, from)));
    }
  }

  #drop(change: NameChange): void {
    this.#changes = this.#changes.filter((other) => other !== change);
    if (change.backup) system.unlinkSync(change.backup);
    for (const { directory } of change.from ? [change.from, change.to] : [change.to]) {
      const isUsed = this.#changes.some(({ to, from }) => to.directory === directory || from?.directory === directory);
      if (isUsed || !this.#directories.delete(directory.key)) continue;
      system.closeSync(directory.fd);
    }
  }

  /** Another name for the file, by which it can be brought back. */
  #keep(entry: Entry): string | undefined {
    const stats = system.lstatSync(pathOf(entry), { throwIfNoEntry: false });
    if (!stats || stats.isDirectory()) return undefined;
    this.#backups += 1;
    const backup = path.join(this.#store, String(this.#backups));
    system.linkSync(pathOf(entry), backup);
    return backup;
  }

  #entryOf(given: FilePath): Entry {
    const bytes = bytesOfPath(given);
    let end = bytes.length;
    while (end > 1 && bytes[end - 1] === 0x2f) end -= 1;
    const slash = bytes.lastIndexOf(0x2f, end - 1);
    const parent = slash < 0 ? Buffer.from('.') : bytes.subarray(0, slash + 1);
    const fd = openDirectory(parent);
    const { dev, ino } = system.fstatSync(fd, { bigint: true });
    const key = `${dev}:${ino}`;
    const known = this.#directories.get(key);
    if (known) system.closeSync(fd);
    const directory = known ?? { key, fd };
    this.#directories.set(key, directory);
    return { directory, name: Buffer.from(bytes.subarray(slash + 1, end)) };
  }
}

function openDirectory(path: Buffer): number {
  return system.openSync(path, system.constants.O_RDONLY | system.constants.O_DIRECTORY);
}

function pathOf({ directory, name }: Entry): Buffer {
  return Buffer.concat([Buffer.from(`/proc/self/fd/${directory.fd}/`), name]);
}

function isSame(a: Entry, b: Entry): boolean {
  return a.directory === b.directory && a.name.equals(b.name);
}

function ignoreMissing(work: () => void): void {
  try {
    work();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}

/** As `rm -r`, which Node makes of functions that are wrapped by then. */
function removeTree(target: Buffer): void {
  for (const name of system.readdirSync(target, { encoding: 'buffer', withFileTypes: true })) {
    const child = Buffer.concat([target, Buffer.from('/'), name.name]);
    if (name.isDirectory()) removeTree(child);
    else system.unlinkSync(child);
  }
  system.rmdirSync(target);
}

function restore(backup: string | undefined, entry: Entry): void {
  if (backup === undefined) return;
  ignoreMissing(() => system.unlinkSync(pathOf(entry)));
  system.linkSync(backup, pathOf(entry));
}
