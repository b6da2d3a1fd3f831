import { createHash, randomInt } from 'node:crypto';
import type { Clock } from '@sluice/core';
import type { Answer, Coordinator, NameLease, NameMember, NameRequest } from '../../coordination/coordinator.js';
import { SINGLE_PROCESS } from '../../coordination/single-process.js';
import type { Log } from '../../log.js';
import type { DirectoryHandle } from '../directory-handle.js';
import type { HeldDirectory } from '../held-directory.js';
import { StorageError, storageErrorFrom } from '../storage-error.js';
import type { Quota } from '../storage-quota.js';
import { type JoinAnswer, JoinedUpload, type JoinRequest } from './joined-upload.js';
import { LentUploads } from './lent-uploads.js';
import { DATA_SUFFIX, JOURNAL_SUFFIX, ParkedPartials, type PartialInfo } from './parked-partials.js';
import { SpaceReservations } from './space-reservations.js';
import { StagedFile } from './staged-file.js';
import { StagedUpload, type UploadHolder } from './staged-upload.js';
import type { TargetFile } from './target-file.js';
import { type PartialIdentity, UploadJournal } from './upload-journal.js';

/** Partials of one user, and of all users together. */
const MAX_PARTIALS_OF_USER = 1000;
const MAX_PARTIALS = 10_000;

/** Partials that are too old are looked for this often. */
const SWEEP_PERIOD_MS = 60_000;

/** Until the opening has begun, in the same tick. */
const NOT_OPENED = new Promise<never>(() => {});

/** What an upload says of itself when it begins. */
export interface StagedRequest {
  readonly user: string;
  /** Relative to the root of the user, for people. */
  readonly name: string;
  /** In bytes; `undefined` when it is not known. */
  readonly size: number | undefined;
  readonly sourceId: string | undefined;
  readonly waits: boolean;
  /** Whether its data are synced while they come. */
  readonly durable: boolean;
  readonly quota: Quota | undefined;
}

export interface StagingTotals {
  readonly partials: number;
  /** Of these, those that nobody is at. */
  readonly parked: number;
  readonly parkedBytes: number;
  readonly reservedBytes: number;
}

/** The one upload that is under way to a name. */
interface Slot {
  readonly id: string;
  readonly sourceId: string | undefined;
  /** Rejects when it cannot be opened; the slot is free again then. */
  opened: Promise<StagedUpload>;
  /** Set while it is open. */
  upload: StagedUpload | undefined;
  readonly quota: Quota | undefined;
  /** Taken from the quota for it. */
  quotaBytes: number;
  readonly released: Promise<void>;
  readonly onReleased: () => void;
  /** Keeps other processes away; `undefined` until they have agreed. */
  lease: NameLease | undefined;
}

/** An upload to the name goes on in another process. */
class HeldElsewhere extends StorageError {
  constructor() {
    super('ERR_IN_USE', 'another upload to this name goes on');
  }
}

/** What processes ask each other: the uploads they have under way. */
const LIVE = 'staging.live';

export interface StagingOptions {
  /** Age after which a partial that nobody is at is removed, in milliseconds; 0 for never. */
  readonly keepMs: number;
  /** What stays free on the disk. @see SpaceReservations */
  readonly floorBytes: number | undefined;
  readonly clock: Clock;
  /** Milliseconds since 1970-01-01 UTC: the age of a partial is more than the time that this process has run. @default the system's */
  readonly wallClockMs?: () => number;
  readonly log: Log;
  /** @default there are no other processes */
  readonly coordinator?: Coordinator;
}

/**
 * Where uploads lie until they are complete: a directory of the server's own, on the file system of the root. Everything that is removed here
 * by age is one of its own files, so no finished file can be.
 *
 * Where the server is several processes, an upload that is under way is one process's. Another one that needs it has it put down first, in
 * order, and opens it anew.
 *
 * @see docs/protocol.md, section 17
 */
export class StagingArea implements NameMember {
  readonly #place: (isMade: boolean) => Promise<DirectoryHandle | undefined>;
  readonly #options: StagingOptions;
  readonly #parked: ParkedPartials;
  /** By `targetKey`. */
  readonly #slots = new Map<string, Slot>();
  readonly #stopSweeping: () => void;
  #directory: Promise<DirectoryHandle | undefined>;
  #device = '';
  readonly #nowMs: () => number;
  readonly #coordinator: Coordinator;
  /** Uploads of this process that connections of others have joined. */
  readonly #lent: LentUploads;
  /** Connections of this process that have joined uploads of others. */
  readonly #joined = new Map<number, UploadHolder>();
  #nextJoinId = 1;
  readonly space: SpaceReservations;

  private constructor(place: (isMade: boolean) => Promise<DirectoryHandle | undefined>, options: StagingOptions) {
    this.#place = place;
    this.#options = options;
    this.#nowMs = options.wallClockMs ?? Date.now;
    this.#directory = place(false);
    this.#coordinator = options.coordinator ?? SINGLE_PROCESS;
    this.space = new SpaceReservations(
      async () => (await this.#made()).freeSpace(),
      options.floorBytes,
      this.#coordinator,
    );
    this.#parked = new ParkedPartials({
      coordinator: this.#coordinator,
      log: options.log,
      directory: () => this.#made(),
      isUnderWay: (id) => this.#isUnderWay(id),
    });
    this.#lent = new LentUploads(this, this.#coordinator);
    this.#listen(this.#coordinator);
    this.#stopSweeping = options.clock.every(SWEEP_PERIOD_MS, () => void this.sweep());
  }

  /**
   * Reads what earlier processes have left.
   *
   * @param place opens the directory, or makes it; it is closed with the area
   * @throws the system's error
   */
  static async open(
    place: (isMade: boolean) => Promise<DirectoryHandle | undefined>,
    options: StagingOptions,
  ): Promise<StagingArea> {
    const area = new StagingArea(place, options);
    try {
      const directory = await area.#directory;
      if (directory) await area.#load(directory);
      return area;
    } catch (error) {
      area.#stopSweeping();
      throw error;
    }
  }

  /** Bytes of the partials of a user that nobody is at. */
  keptBytes(user: string): number {
    let bytes = 0;
    for (const info of this.#parked) if (info.user === user) bytes += info.stagedBytes;
    return bytes;
  }

  /** All partials, or those of one user; the oldest first. */
  async list(user?: string): Promise<PartialInfo[]> {
    const elsewhere = (await this.#coordinator.gather<readonly PartialInfo[]>(LIVE, undefined)).flat();
    const live = new Map([...elsewhere, ...this.#live()].map((info) => [info.id, info]));
    const parked = [...this.#parked].filter(({ id }) => !live.has(id));
    return [...parked, ...live.values()]
      .filter((info) => user === undefined || info.user === user)
      .sort((a, b) => a.createdAtMs - b.createdAtMs);
  }

  /** How many partials there are, and bytes of those that nobody is at. */
  get totals(): StagingTotals {
    let parkedBytes = 0;
    for (const { stagedBytes } of this.#parked) parkedBytes += stagedBytes;
    return {
      partials: this.#parked.size + this.#slots.size,
      parked: this.#parked.size,
      parkedBytes,
      reservedBytes: this.space.reservedBytes,
    };
  }

  /** An upload that is under way. */
  find(id: string, user: string): StagedUpload | undefined {
    for (const { upload } of this.#slots.values())
      if (upload?.id === id && upload.identity.user === user) return upload;
    return undefined;
  }

  /**
   * Begins an upload to a name, or goes on with one that was broken off. The newest session of the same upload takes over at once; another
   * upload to the name is waited for.
   *
   * @param directory of the target
   * @param openTarget the file that has the name now; called when a partial is opened
   * @throws {StorageError} `ERR_OTHER_DEVICE`; `ERR_IN_USE` when another upload goes on and this one does not wait; `ERR_DISK_FULL` for too
   *   many partials; others; the signal's reason
   */
  async begin(
    request: StagedRequest,
    directory: HeldDirectory,
    fileName: string,
    holder: UploadHolder,
    openTarget: () => Promise<TargetFile | undefined>,
    signal: AbortSignal,
  ): Promise<StagedUpload> {
    const targetKey = await this.#targetKey(directory, fileName);
    const id = createHash('sha256').update(`${request.user}\0${targetKey}`).digest('hex').slice(0, 32);
    for (;;) {
      signal.throwIfAborted();
      const slot = this.#slots.get(targetKey);
      if (!slot) {
        try {
          return await this.#openSlot(id, request, targetKey, holder, openTarget, signal);
        } catch (error) {
          if (!(error instanceof HeldElsewhere) || !request.waits) throw error;
          await this.#coordinator.freed('staging', targetKey, signal);
          continue;
        }
      }
      const isSame = slot.id === id && request.sourceId !== undefined && slot.sourceId === request.sourceId;
      if (isSame) {
        const upload = await slot.opened.catch(() => undefined);
        // Not one that is being put away: its files are about to be closed, or to get their name.
        if (upload && slot.upload === upload) return await this.#takeOver(upload, holder);
        await slot.released;
      } else if (request.waits) await abortable(slot.released, signal);
      else throw new StorageError('ERR_IN_USE', 'another upload to this name goes on');
    }
  }

  /** Adds a connection to an upload that is under way. */
  join(upload: StagedUpload, holder: UploadHolder): void {
    upload.holders.add(holder);
  }

  /** Joins an upload that another process has. @returns `undefined` if none has it */
  async joinElsewhere(id: string, user: string, holder: UploadHolder): Promise<JoinedUpload | undefined> {
    if (this.#coordinator.isAlone) return undefined;
    const key = { process: this.#coordinator.number, joinId: this.#nextJoinId++ };
    this.#joined.set(key.joinId, holder); // before it is asked for: a take-over may come at once
    const request: JoinRequest = { ...key, id, user };
    const answers = await this.#coordinator.gather<JoinAnswer | undefined>('staging.join', request);
    const answer = answers.find((one) => one !== undefined);
    if (!answer || !this.#joined.has(key.joinId)) {
      this.#joined.delete(key.joinId);
      return undefined;
    }
    const directory = await this.#made();
    const upload = await JoinedUpload.open(key, id, answer, this.#coordinator, directory, `${id}${DATA_SUFFIX}`);
    upload.holders.add(holder);
    return upload;
  }

  /** A connection that has joined an upload of another process goes on with something else, or is gone. */
  async leaveElsewhere(upload: JoinedUpload): Promise<void> {
    this.#joined.delete(upload.key.joinId);
    await upload.leave();
  }

  /** A connection is gone, or goes on with something else. When it was the last, what is finished is kept for later. */
  async leave(upload: StagedUpload, holder: UploadHolder): Promise<void> {
    upload.holders.delete(holder);
    if (upload.isHeld || this.#slots.get(upload.identity.targetKey)?.upload !== upload) return;
    await upload.settle();
    // Somebody may have taken it over, committed or dropped it meanwhile. No await from here until it has left the table of slots.
    if (upload.isHeld || this.#slots.get(upload.identity.targetKey)?.upload !== upload) return;
    const isKept = upload.isWorthKeeping && upload.identity.sourceId !== undefined;
    await this.#end(upload, isKept);
  }

  /** Gives the complete file its name. The caller has checked that it is complete, and holds the name. @throws as `HeldDirectory.adopt` */
  async publish(upload: StagedUpload, directory: HeldDirectory, fileName: string, mayReplace: boolean): Promise<void> {
    await directory.adopt(await this.#made(), `${upload.id}${DATA_SUFFIX}`, fileName, mayReplace);
  }

  /** Ends an upload for good: it is published, or given up. */
  async drop(upload: StagedUpload): Promise<void> {
    await this.#end(upload, false);
  }

  /**
   * Removes a partial that nobody is at.
   *
   * @param user whose it must be; `undefined` for anybody's
   * @returns what was removed; `undefined` if there is no such partial
   */
  dropParked(id: string, user?: string): Promise<PartialInfo | undefined> {
    return this.#parked.drop(id, user);
  }

  /** Removes what is older than it may become, and nothing else. */
  async sweep(): Promise<void> {
    const { keepMs } = this.#options;
    if (keepMs === 0) return;
    const turn = this.#coordinator.lock('staging-sweep'); // one process after the other finds less to do
    const lease = turn instanceof Promise ? await turn : turn;
    try {
      await this.#parked.dropOlder(this.#nowMs() - keepMs);
    } finally {
      lease.release();
    }
  }

  async close(): Promise<void> {
    this.#stopSweeping();
    await Promise.all([...this.#slots.values()].map(({ released }) => released));
    await (await this.#directory.catch(() => undefined))?.close();
  }

  async #openSlot(
    id: string,
    request: StagedRequest,
    targetKey: string,
    holder: UploadHolder,
    openTarget: () => Promise<TargetFile | undefined>,
    signal: AbortSignal,
  ): Promise<StagedUpload> {
    this.#requireRoom(id, request.user);
    let onReleased = (): void => {};
    const released = new Promise<void>((resolve) => {
      onReleased = resolve;
    });
    const { sourceId, quota } = request;
    const slot: Slot = {
      id,
      sourceId,
      opened: NOT_OPENED,
      upload: undefined,
      quota,
      quotaBytes: 0,
      released,
      onReleased,
      lease: undefined,
    };
    slot.opened = this.#openInto(slot, request, targetKey, openTarget, signal);
    // In the table before anything is waited for: whoever comes in the next tick finds it.
    this.#slots.set(targetKey, slot);
    try {
      const upload = await slot.opened;
      upload.holders.add(holder);
      return upload;
    } catch (error) {
      throw storageErrorFrom(error, 'file');
    }
  }

  async #openInto(
    slot: Slot,
    request: StagedRequest,
    targetKey: string,
    openTarget: () => Promise<TargetFile | undefined>,
    signal: AbortSignal,
  ): Promise<StagedUpload> {
    try {
      if (!this.#coordinator.isAlone) await this.#lease(slot, targetKey, signal);
      const upload = await this.#openPartial(slot.id, request, targetKey, openTarget);
      try {
        await this.#reserve(slot, upload);
      } catch (error) {
        await upload.close();
        if (!this.#parked.get(slot.id)) await this.#parked.removeFiles(slot.id);
        throw error;
      }
      slot.upload = upload;
      this.#parked.take(slot.id);
      return upload;
    } catch (error) {
      this.#slots.delete(targetKey);
      slot.lease?.release();
      slot.onReleased();
      throw error;
    }
  }

  /** @throws {HeldElsewhere} */
  async #lease(slot: Slot, targetKey: string, signal: AbortSignal): Promise<void> {
    const { id, sourceId } = slot;
    slot.lease = await this.#coordinator.acquire('staging', targetKey, { id, sourceId }, signal);
    signal.throwIfAborted();
    if (!slot.lease) throw new HeldElsewhere();
    await this.#parked.notBeingDropped(id);
  }

  /** Another process begins an upload to a name: the newest session of the same upload takes over, any other one has to wait. */
  asked(targetKey: string, { id, sourceId }: NameRequest, isLeased: boolean): Answer<boolean> {
    const slot = this.#slots.get(targetKey);
    if (!slot || !isLeased) return true; // there is none, or it waits for its turn, which comes later
    if (slot.id !== id || sourceId === undefined || slot.sourceId !== sourceId) return false;
    return this.#putDown(slot);
  }

  /** Ends what goes on with an upload, and keeps what is finished for the other process. @returns whether nobody is at it */
  async #putDown(slot: Slot): Promise<boolean> {
    const upload = await slot.opened.catch(() => undefined);
    if (!upload || slot.upload !== upload) {
      await slot.released;
      return true;
    }
    const former = [...upload.holders];
    upload.holders.clear();
    await Promise.all(former.map((holder) => holder.takeOver().catch(() => {})));
    await upload.settle();
    if (upload.isHeld) return false; // somebody here was newer
    if (slot.upload === upload) await this.#end(upload, upload.isWorthKeeping);
    return true;
  }

  #listen(coordinator: Coordinator): void {
    coordinator.join('staging', this);
    coordinator.on(LIVE, () => this.#live());
    coordinator.on('staging.taken-over', async (joinId: number) => {
      const holder = this.#joined.get(joinId);
      this.#joined.delete(joinId);
      await holder?.takeOver();
    });
    coordinator.on('process.gone', async (process: number) => {
      await this.#lent.forget(process);
      await this.#loadWhatIsLeft();
    });
  }

  #live(): PartialInfo[] {
    return [...this.#slots.values()].flatMap(({ upload }) => (upload ? [infoOf(upload, true, this.#nowMs())] : []));
  }

  /** What a process that is gone was at is there for all. Never rejects. */
  async #loadWhatIsLeft(): Promise<void> {
    try {
      const directory = await this.#directory;
      if (directory) await this.#load(directory);
    } catch (error) {
      this.#options.log.error('a partial cannot be read', { detail: String(error) });
    }
  }

  /** @throws {StorageError} `ERR_QUOTA`; `ERR_NO_SPACE` */
  async #reserve(slot: Slot, upload: StagedUpload): Promise<void> {
    const { size } = upload.identity;
    if (size === undefined) return;
    const parkedBytes = this.#parked.get(slot.id)?.stagedBytes ?? 0;
    slot.quota?.add(-parkedBytes);
    if ((await slot.quota?.reserve(size)) === false) {
      slot.quota?.add(parkedBytes);
      throw new StorageError('ERR_QUOTA', 'the quota does not have room for it');
    }
    slot.quotaBytes = size;
    try {
      upload.reservation = await this.space.reserve(Math.max(0, size - upload.stagedBytes));
    } catch (error) {
      slot.quota?.release(size);
      slot.quota?.add(parkedBytes);
      throw error;
    }
  }

  async #openPartial(
    id: string,
    request: StagedRequest,
    targetKey: string,
    openTarget: () => Promise<TargetFile | undefined>,
  ): Promise<StagedUpload> {
    const directory = await this.#made();
    const { journal, content } = await UploadJournal.open(directory, `${id}${JOURNAL_SUFFIX}`);
    let file: StagedFile | undefined;
    let target: TargetFile | undefined;
    try {
      const { user, name, size, sourceId } = request;
      const identity: PartialIdentity = {
        user,
        targetKey,
        name,
        size,
        sourceId,
        createdAtMs: content.identity?.createdAtMs ?? this.#nowMs(),
        stamp: content.identity?.stamp ?? randomInt(1, 2 ** 30),
      };
      file = await StagedFile.open(directory, `${id}${DATA_SUFFIX}`, identity.stamp);
      const { identity: former } = content;
      if (!former || former.sourceId !== sourceId || former.size !== size) await journal.begin(identity);
      target = await openTarget();
      return new StagedUpload(
        id,
        identity,
        { file, journal, content, target },
        { syncs: request.durable, syncNames: () => directory.sync(), log: this.#options.log },
      );
    } catch (error) {
      await Promise.all([journal.close(), file?.handle.close().catch(() => {}), target?.close().catch(() => {})]);
      throw error;
    }
  }

  async #takeOver(upload: StagedUpload, holder: UploadHolder): Promise<StagedUpload> {
    const former = [...upload.holders];
    upload.holders.clear();
    upload.holders.add(holder);
    await Promise.all(former.map((other) => other.takeOver().catch(() => {})));
    return upload;
  }

  async #end(upload: StagedUpload, isKept: boolean): Promise<void> {
    const { targetKey } = upload.identity;
    const slot = this.#slots.get(targetKey);
    if (slot?.upload !== upload) return;
    slot.upload = undefined;
    upload.reservation?.release();
    slot.quota?.release(slot.quotaBytes);
    if (isKept) slot.quota?.add(upload.stagedBytes);
    try {
      await upload.close();
      if (isKept) this.#parked.add(infoOf(upload, false, this.#nowMs()));
      else await this.#parked.removeFiles(upload.id);
    } finally {
      this.#slots.delete(targetKey);
      slot.lease?.release();
      slot.onReleased();
    }
  }

  #isUnderWay(id: string): boolean {
    for (const slot of this.#slots.values()) if (slot.id === id) return true;
    return false;
  }

  #requireRoom(id: string, user: string): void {
    if (this.#parked.get(id)) return;
    const all = this.#parked.size + this.#slots.size;
    let own = 0;
    for (const info of this.#parked) if (info.user === user) own += 1;
    if (own >= MAX_PARTIALS_OF_USER || all >= MAX_PARTIALS)
      throw new StorageError('ERR_NO_SPACE', 'too many uploads that are not complete');
  }

  /** The name in the file system: the number of the directory, which stays when the system starts anew, and the name in it. */
  async #targetKey(directory: HeldDirectory, fileName: string): Promise<string> {
    await this.#made();
    const [device, inode] = directory.key.split(':');
    if (device !== this.#device) {
      throw new StorageError('ERR_OTHER_DEVICE', 'the directory is on another file system than the staging area');
    }
    return `${inode}/${fileName}`;
  }

  /** @throws {StorageError} */
  async #made(): Promise<DirectoryHandle> {
    let directory = await this.#directory.catch(() => undefined);
    if (!directory) {
      this.#directory = this.#place(true);
      directory = await this.#directory;
    }
    if (!directory) throw new StorageError('ERR_IO', 'there is no staging area');
    if (this.#device === '') this.#device = (await directory.readKey()).split(':')[0] ?? '';
    return directory;
  }

  async #load(directory: DirectoryHandle): Promise<void> {
    await this.#parked.load(directory, async () => {
      const elsewhere = await this.#coordinator.gather<PartialInfo[]>(LIVE, undefined);
      return [...this.#live(), ...elsewhere.flat()].map(({ id }) => id);
    });
  }
}

function infoOf(upload: StagedUpload, isHeld: boolean, nowMs: number): PartialInfo {
  const { user, name, size, createdAtMs } = upload.identity;
  const { id, stagedBytes } = upload;
  return { id, user, name, size, stagedBytes, createdAtMs, changedAtMs: nowMs, isHeld };
}

/** @throws the signal's reason, as soon as it is aborted */
async function abortable(work: Promise<void>, signal: AbortSignal): Promise<void> {
  let onAbort = (): void => {};
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => reject(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
  });
  try {
    await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
