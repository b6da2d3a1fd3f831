import type { Coordinator } from '../../coordination/coordinator.js';
import { SINGLE_PROCESS } from '../../coordination/single-process.js';
import { StorageError } from '../storage-error.js';

/** What stays free on the file system, unless told otherwise: a hundredth of it, at most 1 GiB. */
const DEFAULT_FLOOR_PART = 0.01;
const MAX_DEFAULT_FLOOR_BYTES = 1 << 30;

/** Room on the disk that was promised to an upload. */
export interface Reservation {
  /** So many of the reserved bytes are on the disk now, and show there. */
  use(bytes: number): void;
  /** Gives back what was not used. May be called twice. */
  release(): void;
}

/** The room of one file system: what uploads have declared is kept free for them, and a floor for everybody. */
export class SpaceReservations {
  readonly #freeSpace: () => Promise<{ readonly freeBytes: number; readonly totalBytes: number }>;
  readonly #floorBytes: number | undefined;
  readonly #coordinator: Coordinator;
  #reservedBytes = 0;

  /** @param floorBytes what stays free. @default a hundredth of the file system, at most 1 GiB */
  constructor(
    freeSpace: () => Promise<{ readonly freeBytes: number; readonly totalBytes: number }>,
    floorBytes: number | undefined,
    coordinator: Coordinator = SINGLE_PROCESS,
  ) {
    this.#coordinator = coordinator;
    this.#freeSpace = freeSpace;
    this.#floorBytes = floorBytes;
  }

  /** Bytes that are promised and not written yet. */
  get reservedBytes(): number {
    return this.#reservedBytes;
  }

  /** @throws {StorageError} `ERR_NO_SPACE` when so many bytes do not fit beside all that is promised, and the floor */
  async reserve(bytes: number): Promise<Reservation> {
    const { freeBytes, totalBytes } = await this.#freeSpace();
    const floor = this.#floorBytes ?? Math.min(MAX_DEFAULT_FLOOR_BYTES, Math.floor(totalBytes * DEFAULT_FLOOR_PART));
    const isAlone = this.#coordinator.isAlone;
    const room = isAlone ? freeBytes - floor - this.#reservedBytes : await this.#askForRoom(freeBytes - floor, bytes);
    // No await between the question and the promise.
    if (bytes > room) {
      throw new StorageError('ERR_NO_SPACE', `${bytes} bytes do not fit: ${Math.max(0, room)} are free for uploads`);
    }
    this.#reservedBytes += bytes;
    let left = bytes;
    const use = (used: number): void => {
      const given = Math.min(used, left);
      left -= given;
      this.#reservedBytes -= given;
      if (!isAlone && given > 0) this.#coordinator.report('space.used', given);
    };
    return { use, release: () => use(left) };
  }

  /** What all processes have promised counts; when it fits, it is promised with the answer. @returns the room that there was */
  #askForRoom(freeBytes: number, bytes: number): Promise<number> {
    return this.#coordinator.ask('space.reserve', { freeBytes, bytes } satisfies SpaceRequest);
  }
}

/** What a process asks for. */
export interface SpaceRequest {
  /** Above the floor. */
  readonly freeBytes: number;
  readonly bytes: number;
}
