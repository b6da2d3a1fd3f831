import { createHash, randomBytes } from 'node:crypto';
import type { Coordinator } from '../coordination/coordinator.js';
import type { Session } from '../protocol.js';
import type { LeftFile, RemoteFile } from './remote-file.js';

/** Files kept for one user, and in all, whose connection is gone; the one that was left first gives way. docs/protocol.md, section 17.7. */
const MAX_LEFT_PER_USER = 64;
const MAX_LEFT = 1024;

const TOKEN_BYTES = 16;

type Log = Session['log'];

/** The part of a clock that is needed here. */
export interface KeepingClock {
  /** Calls back once, after `delayMs` milliseconds. @returns ends the timer */
  after(delayMs: number, callback: () => void): () => void;
}

/** A connection that has files open which outlive it. */
export interface FileHolder {
  /** The file is another connection's from now on. */
  detach(file: RemoteFile): void;
}

/** A file that is kept when its connection ends. */
export interface KeptEntry {
  readonly file: RemoteFile;
  /** How long, in milliseconds. */
  readonly keepMs: number;
}

/** What one process asks the others for: the file of a token, by the key of that. */
interface HandOverRequest {
  readonly key: string;
  readonly userName: string | undefined;
}

interface HandedOver {
  readonly left: LeftFile;
  readonly keepMs: number;
}

interface Entry extends KeptEntry {
  readonly key: string;
  readonly userName: string | undefined;
  readonly log: Log;
  /** `undefined`: its connection is gone. */
  holder: FileHolder | undefined;
  cancelTimer: (() => void) | undefined;
  /** Ends when the file was looked at after its connection had gone. */
  lookedAt: Promise<void>;
}

/**
 * The open files of RemoteStream that may outlive their connections, by their tokens. A token is never stored: entries are found by its
 * SHA-256, so neither what is compared nor how long that takes says anything of a token.
 */
export class KeptFiles {
  /** Longest time a file is kept without a connection, in milliseconds; 0 for not at all. */
  readonly maxKeepMs: number;
  readonly #clock: KeepingClock;
  readonly #entries = new Map<string, Entry>();
  readonly #byFile = new Map<RemoteFile, Entry>();
  /** Without a connection, in the order in which they were left. */
  readonly #left = new Set<Entry>();
  #isClosed = false;

  readonly #coordinator: Coordinator | undefined;

  /** @param coordinator knows the processes that may have the file of a token; `undefined` where there is only this one */
  constructor(clock: KeepingClock, maxKeepMs: number, coordinator?: Coordinator) {
    this.#clock = clock;
    this.maxKeepMs = maxKeepMs;
    this.#coordinator = coordinator?.isAlone ? undefined : coordinator;
    this.#coordinator?.on('kept.hand-over', (request: HandOverRequest) => this.#handOver(request));
  }

  /** Files without a connection. */
  get left(): number {
    return this.#left.size;
  }

  /**
   * Lets a file outlive its connection.
   *
   * @param userName whose token it is; `undefined` for anybody
   * @returns the token
   */
  keep(file: RemoteFile, holder: FileHolder, userName: string | undefined, keepMs: number, log: Log): string {
    const token = randomBytes(TOKEN_BYTES).toString('hex');
    this.#add(keyOf(token), file, holder, userName, keepMs, log);
    return token;
  }

  #add(
    key: string,
    file: RemoteFile,
    holder: FileHolder,
    userName: string | undefined,
    keepMs: number,
    log: Log,
  ): KeptEntry {
    const lookedAt = Promise.resolve();
    const entry: Entry = { key, file, keepMs, userName, log, holder, cancelTimer: undefined, lookedAt };
    this.#entries.set(key, entry);
    this.#byFile.set(file, entry);
    return entry;
  }

  /**
   * As `take`, from another process of the server, which closes the file first.
   *
   * @param reopen opens it here @throws what `reopen` throws
   */
  async takeFromOthers(
    token: string,
    holder: FileHolder,
    userName: string | undefined,
    log: Log,
    reopen: (left: LeftFile) => Promise<RemoteFile>,
  ): Promise<KeptEntry | undefined> {
    const key = keyOf(token);
    const request: HandOverRequest = { key, userName };
    const answers = await this.#coordinator?.gather<HandedOver | undefined>('kept.hand-over', request);
    const handedOver = answers?.find((answer) => answer !== undefined);
    if (!handedOver) return undefined;
    const file = await reopen(handedOver.left);
    return this.#add(key, file, holder, userName, handedOver.keepMs, log);
  }

  async #handOver({ key, userName }: HandOverRequest): Promise<HandedOver | undefined> {
    const entry = this.#entries.get(key);
    if (!entry || entry.userName !== userName) return undefined;
    const { file, keepMs } = entry;
    entry.holder?.detach(file);
    this.#forget(entry);
    await entry.lookedAt;
    return { left: await file.leave(), keepMs };
  }

  /**
   * Takes a file over from whoever has it, at once, also from a connection that has not ended.
   *
   * @returns `undefined` when the token is not worth anything, or another user's
   */
  take(token: string, holder: FileHolder, userName: string | undefined): KeptEntry | undefined {
    const entry = this.#entries.get(keyOf(token));
    if (!entry || entry.userName !== userName) return undefined;
    entry.cancelTimer?.();
    entry.cancelTimer = undefined;
    this.#left.delete(entry);
    if (entry.holder !== holder) entry.holder?.detach(entry.file);
    entry.holder = holder;
    return entry;
  }

  /** Settles when what `leave` has begun with the file is done. */
  async ready(entry: KeptEntry): Promise<void> {
    await this.#byFile.get(entry.file)?.lookedAt;
    await entry.file.settled();
  }

  /** The connection is gone: the file waits for another, or is closed if it is not to be kept. */
  async leave(file: RemoteFile): Promise<void> {
    const entry = this.#byFile.get(file);
    if (!entry || this.#isClosed) return this.close(file);
    entry.holder = undefined;
    entry.cancelTimer = this.#clock.after(entry.keepMs, () => this.#giveUp(entry, 'nobody came back for it'));
    this.#left.add(entry);
    entry.log.info('remote file kept', { file: file.name, forMs: entry.keepMs });
    this.#makeRoom(entry.userName);
    // A look that fails leaves the file as one that was written to and not seen since: nothing is taken for a change.
    entry.lookedAt = file.lookAfterWriting().catch(() => {});
    await entry.lookedAt;
  }

  /** Closes a file; its token, if it has one, is worth nothing any more. */
  close(file: RemoteFile): Promise<void> {
    const entry = this.#byFile.get(file);
    if (entry) this.#forget(entry);
    return file.close();
  }

  /** Closes all files without a connection. Those that are left later are closed, too. */
  async closeAll(): Promise<void> {
    this.#isClosed = true;
    await Promise.all([...this.#left].map(({ file }) => this.close(file)));
  }

  #makeRoom(userName: string | undefined): void {
    const ofUser = [...this.#left].filter((entry) => entry.userName === userName);
    if (ofUser.length > MAX_LEFT_PER_USER) this.#giveUp(ofUser[0]!, 'the user has left too many');
    const [oldest] = this.#left;
    if (oldest && this.#left.size > MAX_LEFT) this.#giveUp(oldest, 'too many are left');
  }

  #giveUp(entry: Entry, detail: string): void {
    entry.log.info('remote file given up', { file: entry.file.name, detail });
    this.close(entry.file).catch((error: unknown) => {
      entry.log.error('closing a file failed', { file: entry.file.name, detail: String(error) });
    });
  }

  #forget(entry: Entry): void {
    entry.cancelTimer?.();
    this.#entries.delete(entry.key);
    this.#byFile.delete(entry.file);
    this.#left.delete(entry);
  }
}

function keyOf(token: string): string {
  return createHash('sha256').update(token).digest('base64');
}
