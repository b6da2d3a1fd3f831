import type { Coordinator } from '../../coordination/coordinator.js';
import type { Log } from '../../log.js';
import type { DirectoryHandle } from '../directory-handle.js';
import { systemCodeOf } from '../storage-error.js';
import { UploadJournal } from './upload-journal.js';

export const DATA_SUFFIX = '.part';
export const JOURNAL_SUFFIX = '.journal';
const OWN_NAME = /^([0-9a-f]{32})\.(?:part|journal)$/;

/** What processes tell each other of the partials that nobody is at, which all of them know; and what they ask. */
const PARKED = 'staging.parked';
const UNPARKED = 'staging.unparked';
const MAY_DROP = 'staging.may-drop';
const NOT_DROPPED = 'staging.not-dropped';

/** An upload that is not complete, for people. */
export interface PartialInfo {
  readonly id: string;
  readonly user: string;
  readonly name: string;
  readonly size: number | undefined;
  readonly stagedBytes: number;
  readonly createdAtMs: number;
  readonly changedAtMs: number;
  readonly isHeld: boolean;
}

export interface ParkedPartialsOptions {
  readonly coordinator: Coordinator;
  readonly log: Log;
  /** The staging directory; it is made when it is not there. @throws {StorageError} */
  readonly directory: () => Promise<DirectoryHandle>;
  /** Whether this process is at the upload. */
  readonly isUnderWay: (id: string) => boolean;
}

/** Partials that nobody is at: what earlier uploads, and earlier processes, have left to be gone on with. */
export class ParkedPartials {
  readonly #options: ParkedPartialsOptions;
  readonly #coordinator: Coordinator;
  readonly #infos = new Map<string, PartialInfo>();
  /** Partials that another process is about to remove; ended when that is over. */
  readonly #beingDropped = new Map<string, { readonly ended: Promise<void>; readonly end: () => void }>();

  constructor(options: ParkedPartialsOptions) {
    this.#options = options;
    const { coordinator, isUnderWay } = options;
    this.#coordinator = coordinator;
    coordinator.on(PARKED, (info: PartialInfo) => void this.#infos.set(info.id, info));
    coordinator.on(UNPARKED, (id: string) => {
      this.#infos.delete(id);
      this.#endDropping(id);
    });
    coordinator.on(MAY_DROP, (id: string) => {
      if (isUnderWay(id)) return false;
      let end = (): void => {};
      const ended = new Promise<void>((resolve) => {
        end = resolve;
      });
      this.#beingDropped.set(id, { ended, end });
      return true;
    });
    coordinator.on(NOT_DROPPED, (id: string) => this.#endDropping(id));
  }

  get size(): number {
    return this.#infos.size;
  }

  get(id: string): PartialInfo | undefined {
    return this.#infos.get(id);
  }

  [Symbol.iterator](): IterableIterator<PartialInfo> {
    return this.#infos.values();
  }

  add(info: PartialInfo): void {
    this.#infos.set(info.id, info);
    this.#coordinator.tell(PARKED, info);
  }

  /** Somebody goes on with it. */
  take(id: string): void {
    this.#infos.delete(id);
    this.#coordinator.tell(UNPARKED, id);
  }

  /** Settles when no other process is about to remove the partial. */
  async notBeingDropped(id: string): Promise<void> {
    await this.#beingDropped.get(id)?.ended;
  }

  /**
   * Removes a partial.
   *
   * @param user whose it must be; `undefined` for anybody's
   * @returns what was removed; `undefined` if there is no such partial, or somebody is at it
   */
  async drop(id: string, user?: string): Promise<PartialInfo | undefined> {
    const info = this.#infos.get(id);
    if (!info || (user !== undefined && info.user !== user) || this.#options.isUnderWay(id)) return undefined;
    this.#infos.delete(id);
    if (!this.#coordinator.isAlone && (await this.#coordinator.gather<boolean>(MAY_DROP, id)).includes(false)) {
      this.#coordinator.tell(NOT_DROPPED, id);
      return undefined;
    }
    try {
      await this.removeFiles(id);
    } finally {
      this.#coordinator.tell(UNPARKED, id);
    }
    return info;
  }

  /** Removes those that were changed before `oldestMs`. */
  async dropOlder(oldestMs: number): Promise<void> {
    const { log } = this.#options;
    for (const { id, name, user, stagedBytes, changedAtMs } of [...this]) {
      if (changedAtMs >= oldestMs) continue;
      try {
        if (await this.drop(id))
          log.info('a partial has expired', { file: name, user, upload: id, bytes: stagedBytes });
      } catch (error) {
        log.error('a partial cannot be removed', { upload: id, detail: String(error) });
      }
    }
  }

  /** Looks anew what is in the directory. @param findLive the ids of those that somebody is at, in any process; asked when the directory was read */
  async load(directory: DirectoryHandle, findLive: () => Promise<readonly string[]>): Promise<void> {
    const ids = new Set<string>();
    const known = [...this.#infos.keys()];
    for (const { name } of await directory.list()) {
      const id = OWN_NAME.exec(name.toString())?.[1];
      if (id !== undefined) ids.add(id);
    }
    for (const id of known) if (!ids.delete(id)) this.#infos.delete(id);
    for (const id of await findLive()) if (!ids.delete(id)) this.#infos.delete(id);
    for (const id of ids) {
      const info = await readInfo(directory, id).catch((error: unknown) => {
        this.#options.log.error('a partial cannot be read', { upload: id, detail: String(error) });
        return undefined;
      });
      if (info) this.#infos.set(id, info);
      // Another process may just have made it: only who is alone knows that nobody needs it.
      else if (this.#coordinator.isAlone) await removeFiles(directory, id).catch(() => {}); // looked at again at the next start
    }
  }

  /** Removes what there is of a partial. @throws the system's error */
  async removeFiles(id: string): Promise<void> {
    await removeFiles(await this.#options.directory(), id);
  }

  #endDropping(id: string): void {
    this.#beingDropped.get(id)?.end();
    this.#beingDropped.delete(id);
  }
}

/** `undefined` if there is nothing worth keeping. */
async function readInfo(directory: DirectoryHandle, id: string): Promise<PartialInfo | undefined> {
  const data = await directory.stat(`${id}${DATA_SUFFIX}`).catch(undefinedIfMissing);
  if (!data || data.size === 0) return undefined;
  const content = await UploadJournal.read(directory, `${id}${JOURNAL_SUFFIX}`).catch(undefinedIfMissing);
  const journal = await directory.stat(`${id}${JOURNAL_SUFFIX}`).catch(undefinedIfMissing);
  const changedAtMs = journal?.mtimeMs ?? data.ctimeMs;
  const identity = content?.identity;
  let stagedBytes = 0;
  for (const { bytes } of content?.chunks.values() ?? []) stagedBytes += bytes;
  return {
    id,
    user: identity?.user ?? '',
    name: identity?.name ?? '',
    size: identity?.size,
    stagedBytes: identity ? stagedBytes : data.size,
    createdAtMs: identity?.createdAtMs ?? changedAtMs,
    changedAtMs,
    isHeld: false,
  };
}

async function removeFiles(directory: DirectoryHandle, id: string): Promise<void> {
  for (const suffix of [DATA_SUFFIX, JOURNAL_SUFFIX])
    await directory.unlink(`${id}${suffix}`).catch(undefinedIfMissing);
}

function undefinedIfMissing(error: unknown): undefined {
  if (systemCodeOf(error) !== 'ENOENT') throw error;
}
