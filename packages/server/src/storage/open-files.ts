import type { Answer, Coordinator, NameLease, NameMember, NameRequest } from '../coordination/coordinator.js';
import { SINGLE_PROCESS } from '../coordination/single-process.js';
import type { IsInUse } from './removals.js';
import { StorageError } from './storage-error.js';

/** Who writes a file, and how to make it stop. */
export interface WriteHolder {
  readonly kind: 'upload' | 'remote-stream';
  /**
   * Called once, when a newer upload of the same file has taken the claim over: closes the holder's connection and
   * ends after the file handle is released. A failure is taken as an end. Only called for an `upload`.
   */
  takeOver(): Promise<void>;
}

/** A file that its holder may write, until `release()`, which may be called twice, or until it is superseded. */
export interface WriteClaim {
  /**
   * The file must not be opened before this ends: until then former holders may still have it open.
   *
   * Rejects with `ERR_IN_USE` as soon as a newer claim takes over while this one still waits.
   */
  readonly ready: Promise<void>;
  /** Whether a newer claim has taken over. */
  readonly isSuperseded: boolean;
  /** Does nothing to the claim that has taken over from this one. */
  release(): void;
  [Symbol.dispose](): void;
}

/** A file that its holder may read, until `release()`, which may be called twice. */
export interface ReadClaim {
  release(): void;
  [Symbol.dispose](): void;
}

/** A name that its holder is about to give to another file, until `release()`, which may be called twice. */
export type ReplaceClaim = ReadClaim;

interface Entry {
  readonly key: string;
  readers: number;
  /** Those who give the name to another file: no writer may begin meanwhile, whoever reads goes on reading the old file. */
  replacers: number;
  /** Whether one of them takes the name away from the file: nobody else gives it to another one meanwhile. */
  isMoving: boolean;
  writer: UploadOrStream | undefined;
  /** Ends when all holders that were superseded have let the file go; `undefined` if none has it any more. */
  closing: Promise<void> | undefined;
  /** What keeps other processes away while the file is written; `undefined` as long as nobody has asked for it. */
  lease: Promise<NameLease> | undefined;
}

/**
 * The server's own table of open files, and the only judge of "file in use". All answers are given in the tick of the
 * call, so no two connections can both believe that a file is theirs. Keys are `HeldDirectory.entryKey`: claim, wait
 * for `ready`, open the file, and release after the handle is closed.
 *
 * Where the server is several processes, each has its own table. Who reads is known in its process only; who wants to write has all others
 * asked before its claim is `ready`, and they refuse readers, or ask whether it is over, until it is released.
 *
 * A connection that opens the file it already has must release its own claim first, or it takes over from itself.
 *
 * @see docs/protocol.md, sections 6.2 and 7.1; D34, D36
 */
export class OpenFiles implements NameMember {
  readonly #entries = new Map<string, Entry>();
  readonly #coordinator: Coordinator;
  /** Whether somebody has a file open; of other processes what is known here, and by asking them. */
  readonly isInUse: IsInUse;

  /** Removals and moves that have asked other processes for the file, or have it: how many, by the key of the file. */
  readonly #losing = new Map<string, number>();

  /** Removals and moves that other processes must not come in between, by the key of the file. */
  readonly #removing = new Map<string, Promise<void>>();

  constructor(coordinator: Coordinator = SINGLE_PROCESS) {
    this.#coordinator = coordinator;
    const here = (key: string): boolean => this.#entries.has(key);
    this.isInUse = coordinator.isAlone ? here : Object.assign(here, { others: this.#otherProcesses() });
    coordinator.join('files', this);
    coordinator.on('files.open', (keys: readonly string[]) => keys.some(here));
  }

  /** Files that somebody has open, or has not let go yet. */
  get size(): number {
    return this.#entries.size;
  }

  /** Whether somebody may write to the file, including a superseded holder that has not let go yet. */
  isWritten(key: string): boolean {
    return this.#isWritten(this.#entries.get(key));
  }

  /**
   * Makes `holder` the one writer of a file. From another upload an upload takes over at once; see `WriteClaim.ready`.
   *
   * @throws {StorageError} `ERR_IN_USE` while somebody reads the file, or writes it as a remote stream, or gives its
   * name to another file; for a remote stream, while anybody has it
   */
  claimForWriting(key: string, holder: WriteHolder): WriteClaim {
    const entry = this.#entries.get(key) ?? this.#newEntry(key);
    const isFree = entry.readers === 0 && !this.#isWritten(entry);
    const canTakeOver =
      entry.readers === 0 && holder.kind === 'upload' && entry.writer?.holder.kind !== 'remote-stream';
    if ((!isFree && !canTakeOver) || entry.replacers > 0) throw inUse();

    const previous = entry.writer;
    // The new owner is in place before the old one hears of it: whatever the old one releases is not the new claim.
    const claim = new UploadOrStream(holder, () => this.#releaseWriter(entry, claim));
    entry.writer = claim;
    if (previous) {
      previous.supersede();
      this.#closeAfter(entry, previous.holder);
    }
    if (this.#coordinator.isAlone) claim.waitFor(entry.closing);
    else claim.waitFor(Promise.all([entry.closing, this.#leaseOf(entry, holder.kind)]));
    return claim;
  }

  /**
   * Adds a reader; there may be any number.
   *
   * @throws {StorageError} `ERR_IN_USE` while somebody writes the file
   */
  claimForReading(key: string): ReadClaim {
    if (this.#coordinator.isElsewhere('files', key)) throw inUse();
    const known = this.#entries.get(key);
    if (this.#isWritten(known)) throw inUse();
    const entry = known ?? this.#newEntry(key);
    entry.readers += 1;
    return this.#releasable(entry, () => {
      entry.readers -= 1;
    });
  }

  /**
   * Keeps writers and removals away while the name is given to another file. Readers are not asked: they have the old one, or will have
   * the new one.
   *
   * @throws {StorageError} `ERR_IN_USE` while somebody writes the file
   */
  claimForReplacing(key: string): ReplaceClaim {
    if (this.#coordinator.isElsewhere('files', key)) throw inUse();
    const known = this.#entries.get(key);
    if (this.#isWritten(known) || known?.isMoving) throw inUse();
    const entry = known ?? this.#newEntry(key);
    entry.replacers += 1;
    return this.#releasable(entry, () => {
      entry.replacers -= 1;
    });
  }

  /**
   * Keeps writers, removals, and those who give the name to another file away while the file loses its name. Readers are not asked: they go
   * on with the file that they have.
   *
   * @throws {StorageError} `ERR_IN_USE` while somebody writes the file, or gives its name to another file
   */
  async claimForMoving(key: string): Promise<ReplaceClaim> {
    const requireFree = (): void => {
      const known = this.#entries.get(key);
      if (this.#isWritten(known) || (known && known.replacers > 0)) throw inUse();
    };
    requireFree();
    const claim = this.#coordinator.isAlone ? { release() {} } : await this.#claimElsewhere(key, 'move');
    if (!claim) throw inUse();
    try {
      requireFree(); // somebody here may have claimed it since, whose turn comes later
    } catch (error) {
      claim.release();
      throw error;
    }
    const entry = this.#entries.get(key) ?? this.#newEntry(key);
    entry.replacers += 1;
    entry.isMoving = true;
    return this.#releasable(entry, () => {
      entry.replacers -= 1;
      entry.isMoving = false;
      claim.release();
    });
  }

  /**
   * To be called, and waited for, before a file is claimed for reading or replacing: what another process had done with it a moment ago, and
   * has ended, is known then.
   *
   * @returns `undefined` when there is nothing to wait for, as always where the server is one process
   */
  knownElsewhere(key: string): Promise<void> | undefined {
    return this.#coordinator.isElsewhere('files', key) ? this.#coordinator.settled('files', key) : undefined;
  }

  /** Another process wants to know whether it still has to wait for a removal. */
  async settled(key: string): Promise<void> {
    await this.#removing.get(key);
  }

  /** Another process wants to write the file, or to remove it. */
  asked(key: string, { kind }: NameRequest, isLeased: boolean): Answer<boolean> {
    // From the tick on in which the file was granted for that, which is before who has asked goes on.
    if (isLeased && this.#losing.has(key)) return false;
    const entry = this.#entries.get(key);
    if (!entry) return true;
    // Who reads goes on reading a file that gets another name.
    if (entry.replacers > 0 || (entry.readers > 0 && kind !== 'move')) return false;
    if (!isLeased) return true; // waits for its turn, which comes later
    const { writer } = entry;
    if (kind !== 'upload' || writer?.holder.kind === 'remote-stream') return false;
    // Whoever claims the file here from now on has its own entry, and its turn behind the other process.
    this.#entries.delete(key);
    if (writer) {
      entry.writer = undefined;
      writer.supersede();
      this.#closeAfter(entry, writer.holder);
    }
    return (entry.closing ?? Promise.resolve()).then(() => {
      this.#giveBackLease(entry);
      return true;
    });
  }

  #otherProcesses(): NonNullable<IsInUse['others']> {
    const coordinator = this.#coordinator;
    return {
      async haveOpen(keys) {
        const answers = await coordinator.gather<boolean>('files.open', keys);
        return answers.includes(true);
      },
      claimForRemoving: (key) => this.#claimElsewhere(key, 'removal'),
    };
  }

  /** Others who want to know wait until it is released. @returns `undefined` when another process does not agree */
  async #claimElsewhere(key: string, kind: 'removal' | 'move'): Promise<{ release(): void } | undefined> {
    this.#countLosing(key, 1);
    const lease = await this.#coordinator.acquire('files', key, { kind });
    if (!lease) {
      this.#countLosing(key, -1);
      return undefined;
    }
    let onReleased = (): void => {};
    const over = new Promise<void>((resolve) => {
      onReleased = resolve;
    });
    this.#removing.set(key, over);
    let isReleased = false;
    return {
      release: () => {
        if (isReleased) return;
        isReleased = true;
        this.#countLosing(key, -1);
        if (this.#removing.get(key) === over) this.#removing.delete(key);
        lease.release();
        onReleased();
      },
    };
  }

  #countLosing(key: string, change: 1 | -1): void {
    const count = (this.#losing.get(key) ?? 0) + change;
    if (count > 0) this.#losing.set(key, count);
    else this.#losing.delete(key);
  }

  /** @returns rejects with `ERR_IN_USE` when another process does not agree */
  #leaseOf(entry: Entry, kind: WriteHolder['kind']): Promise<NameLease> {
    entry.lease ??= (async () => {
      const lease = await this.#coordinator.acquire('files', entry.key, { kind });
      if (lease) return lease;
      entry.lease = undefined;
      throw inUse();
    })();
    return entry.lease;
  }

  #giveBackLease(entry: Entry): void {
    const { lease } = entry;
    entry.lease = undefined;
    lease?.then(
      ({ release }) => release(),
      () => {},
    );
  }

  #newEntry(key: string): Entry {
    const entry: Entry = {
      key,
      readers: 0,
      replacers: 0,
      isMoving: false,
      writer: undefined,
      closing: undefined,
      lease: undefined,
    };
    this.#entries.set(key, entry);
    return entry;
  }

  #releasable(entry: Entry, giveBack: () => void): ReadClaim {
    let isReleased = false;
    const release = (): void => {
      if (isReleased) return;
      isReleased = true;
      giveBack();
      this.#forgetIfUnused(entry);
    };
    return { release, [Symbol.dispose]: release };
  }

  #isWritten(entry: Entry | undefined): boolean {
    return entry?.writer !== undefined || entry?.closing !== undefined;
  }

  /** Lets the entry's `closing` end no sooner than this holder has let go, and all before it. */
  #closeAfter(entry: Entry, holder: WriteHolder): void {
    const closing = Promise.allSettled([entry.closing, callTakeOver(holder)]).then(() => {
      if (entry.closing !== closing) return;
      entry.closing = undefined;
      this.#forgetIfUnused(entry);
    });
    entry.closing = closing;
  }

  #releaseWriter(entry: Entry, claim: UploadOrStream): void {
    if (entry.writer !== claim) return;
    entry.writer = undefined;
    this.#forgetIfUnused(entry);
  }

  #forgetIfUnused(entry: Entry): void {
    if (this.#isWritten(entry)) return;
    if (entry.lease) this.#giveBackLease(entry);
    if (entry.readers + entry.replacers === 0 && this.#entries.get(entry.key) === entry)
      this.#entries.delete(entry.key);
  }
}

class UploadOrStream implements WriteClaim {
  readonly holder: WriteHolder;
  readonly ready: Promise<void>;
  readonly release: () => void;
  #isSuperseded = false;
  #resolve!: (value?: unknown) => void;
  #reject!: (error: StorageError) => void;

  constructor(holder: WriteHolder, release: () => void) {
    this.holder = holder;
    this.release = release;
    this.ready = new Promise((resolve, reject) => {
      this.#resolve = () => resolve();
      this.#reject = reject;
    });
    // A holder that has gone away does not wait any more, and need not hear that it was superseded.
    this.ready.catch(() => {});
  }

  get isSuperseded(): boolean {
    return this.#isSuperseded;
  }

  waitFor(former: Promise<unknown> | undefined): void {
    if (former) former.then(this.#resolve, this.#reject);
    else this.#resolve();
  }

  /** Has no effect on `ready` if it has ended. */
  supersede(): void {
    this.#isSuperseded = true;
    this.#reject(new StorageError('ERR_IN_USE', 'a newer upload has taken over'));
  }

  [Symbol.dispose](): void {
    this.release();
  }
}

/** A holder that throws at once counts as one that fails later. */
async function callTakeOver(holder: WriteHolder): Promise<void> {
  await holder.takeOver();
}

function inUse(): StorageError {
  return new StorageError('ERR_IN_USE', 'file is in use');
}
