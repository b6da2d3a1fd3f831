import type { Survival } from './survival.js';
import { system } from './system-calls.js';

/** What a system writes back at once. */
const PAGE_BYTES = 4096;
const ALL_PAGES_LOST_CHANCE = 0.3;

/** One change of a file's bytes that no sync has followed. */
interface Change {
  readonly kind: 'write' | 'truncate';
  readonly offset: number;
  /** Of a write: bytes; what the call has written, once it has. */
  length: number;
  /** What was there: from `offset` on, up to the end of the write or of the file as it was. */
  readonly before: Buffer;
  isDone: boolean;
}

interface DirtyFile {
  /** Our own descriptor: whoever wrote may have closed his, or the name may be gone. */
  readonly fd: number;
  /** Length that the last sync has made sure of. */
  durableBytes: number;
  changes: Change[];
}

/** A change that goes on: told how it ended. */
export interface Step {
  done(result?: unknown): void;
  failed(): void;
}

/** The bytes of files that no sync has brought to the disk, and what they have replaced. */
export class UnsyncedData {
  readonly #files = new Map<string, DirtyFile>();

  /** @param position as for `fs.write`: `null` for the descriptor's own. `undefined` for what is no regular file. */
  beginWrite(fd: number, position: number | null, length: number): Step | undefined {
    const file = this.#fileOf(fd);
    if (!file) return undefined;
    const size = system.fstatSync(file.fd).size;
    const offset = position ?? ownPosition(fd, size);
    const change = this.#record(file, 'write', offset, length, Math.min(offset + length, size));
    return {
      done: (written) => {
        change.isDone = true;
        if (typeof written === 'number') change.length = written;
      },
      failed: () => {
        change.isDone = true; // some of it may have been written
      },
    };
  }

  beginTruncate(fd: number, bytes: number): Step | undefined {
    const file = this.#fileOf(fd);
    if (!file) return undefined;
    const change = this.#record(file, 'truncate', bytes, 0, system.fstatSync(file.fd).size);
    return {
      done: () => {
        change.isDone = true;
      },
      failed: () => {
        file.changes = file.changes.filter((other) => other !== change);
      },
    };
  }

  /** What was written before this call is on the disk when the sync is done. */
  beginSync(fd: number): Step | undefined {
    const key = keyOf(fd);
    const file = key === undefined ? undefined : this.#files.get(key);
    if (!key || !file) return undefined;
    const covered = new Set(file.changes.filter(({ isDone }) => isDone));
    return {
      done: () => {
        for (const change of file.changes) if (covered.has(change)) file.durableBytes = sizeAfter(file, change);
        file.changes = file.changes.filter((change) => !covered.has(change));
        if (file.changes.length > 0 || this.#files.get(key) !== file) return;
        this.#files.delete(key);
        system.closeSync(file.fd);
      },
      failed: () => {},
    };
  }

  /** Takes back what no sync has covered. @returns the number of changes that were lost, wholly or in part */
  undo(survival: Survival): number {
    let lost = 0;
    for (const file of this.#files.values()) {
      lost += file.changes.length;
      undoFile(file, survival);
    }
    this.#files.clear();
    return lost;
  }

  #fileOf(fd: number): DirtyFile | undefined {
    const key = keyOf(fd);
    if (key === undefined) return undefined;
    let file = this.#files.get(key);
    if (!file) {
      const own = system.openSync(`/proc/self/fd/${fd}`, system.constants.O_RDWR);
      file = { fd: own, durableBytes: system.fstatSync(own).size, changes: [] };
      this.#files.set(key, file);
    }
    return file;
  }

  #record(file: DirtyFile, kind: Change['kind'], offset: number, length: number, end: number): Change {
    const before = Buffer.alloc(Math.max(0, end - offset));
    for (let at = 0; at < before.length; ) {
      const read = system.readSync(file.fd, before, at, before.length - at, offset + at);
      if (read === 0) break;
      at += read;
    }
    const change = { kind, offset, length, before, isDone: false };
    file.changes.push(change);
    return change;
  }
}

function sizeAfter(file: DirtyFile, change: Change): number {
  return change.kind === 'truncate' ? change.offset : Math.max(file.durableBytes, change.offset + change.length);
}

function undoFile(file: DirtyFile, survival: Survival): void {
  const { size, atimeMs, mtimeMs } = system.fstatSync(file.fd);
  // The new length may be on the disk without the bytes: they read as zeros then.
  const finalBytes = survival.isKept(0.5) ? size : file.durableBytes;
  const keepsPages = !survival.isKept(ALL_PAGES_LOST_CHANCE);
  const pages = new Map<number, boolean>();
  const isKept = (page: number): boolean => {
    const known = pages.get(page) ?? (keepsPages && survival.isKept(0.5));
    pages.set(page, known);
    return known;
  };
  for (const change of file.changes.toReversed()) {
    const end = Math.min(finalBytes, change.offset + Math.max(change.length, change.before.length));
    for (let at = change.offset; at < end; ) {
      const page = Math.floor(at / PAGE_BYTES);
      const next = Math.min(end, (page + 1) * PAGE_BYTES);
      if (!isKept(page)) writeBack(file.fd, change, at, next);
      at = next;
    }
  }
  system.ftruncateSync(file.fd, finalBytes);
  // Whoever would see by its time that a file was touched must not see this.
  system.futimesSync(file.fd, atimeMs / 1000, mtimeMs / 1000);
  system.closeSync(file.fd);
}

/** The bytes that were there from `start` to `end`, and zeros where there were none. */
function writeBack(fd: number, { before, offset }: Change, start: number, end: number): void {
  const bytes = Buffer.alloc(end - start);
  before.copy(bytes, 0, Math.min(before.length, start - offset), Math.min(before.length, end - offset));
  system.writeSync(fd, bytes, 0, bytes.length, start);
}

/** What a regular file is known by; `undefined` for anything else. */
function keyOf(fd: number): string | undefined {
  const stats = system.fstatSync(fd, { bigint: true });
  return stats.isFile() ? `${stats.dev}:${stats.ino}` : undefined;
}

/** Where a write without a position goes. */
function ownPosition(fd: number, size: number): number {
  const info = system.readFileSync(`/proc/self/fdinfo/${fd}`, 'latin1');
  const flags = Number.parseInt(/^flags:\s*([0-7]+)$/m.exec(info)?.[1] ?? '0', 8);
  return flags & system.constants.O_APPEND ? size : Number(/^pos:\s*(\d+)$/m.exec(info)?.[1]);
}
