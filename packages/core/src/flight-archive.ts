import type { FlightRecorder } from './flight-recorder.js';

/** @see docs/operations.md#explaining-a-connection */
export interface FlightArchiveLimits {
  /** @default 256 */
  readonly maxConnections: number;
  /** Of all records together, with what is kept beside them. @default 1 MiB */
  readonly maxBytes: number;
  /** In milliseconds. @default 15 minutes */
  readonly keepMs: number;
}

export const DEFAULT_FLIGHT_ARCHIVE_LIMITS: FlightArchiveLimits = {
  maxConnections: 256,
  maxBytes: 1 << 20,
  keepMs: 15 * 60_000,
};

/** A connection that is gone. */
export interface FlownConnection<T> {
  readonly id: number;
  readonly closedAtMs: number;
  readonly recorder: FlightRecorder;
  /** What its keeper knows of it besides. */
  readonly about: T;
}

/** What is kept of each beside its records: an estimate, in bytes. */
const ABOUT_BYTES = 1024;

/** The recorders of connections that are gone, for a while: by number, by memory and by age, the oldest go first. */
export class FlightArchive<T> {
  readonly #limits: FlightArchiveLimits;
  /** Oldest first. */
  readonly #flown = new Map<number, FlownConnection<T>>();
  #bytes = 0;

  constructor(limits: FlightArchiveLimits = DEFAULT_FLIGHT_ARCHIVE_LIMITS) {
    this.#limits = limits;
  }

  get size(): number {
    return this.#flown.size;
  }

  /** Memory of what is kept, as far as it is known. */
  get bytes(): number {
    return this.#bytes;
  }

  add(flown: FlownConnection<T>): void {
    flown.recorder.compact();
    this.#flown.set(flown.id, flown);
    this.#bytes += bytesOf(flown);
    this.expire(flown.closedAtMs);
  }

  get(id: number): FlownConnection<T> | undefined {
    return this.#flown.get(id);
  }

  /** Oldest first. */
  values(): IterableIterator<FlownConnection<T>> {
    return this.#flown.values();
  }

  /** Drops what is too old, or too much. */
  expire(nowMs: number): void {
    for (const flown of this.#flown.values()) {
      const isTooMuch = this.#flown.size > this.#limits.maxConnections || this.#bytes > this.#limits.maxBytes;
      if (!isTooMuch && nowMs - flown.closedAtMs < this.#limits.keepMs) return;
      this.#flown.delete(flown.id);
      this.#bytes -= bytesOf(flown);
    }
  }
}

function bytesOf({ recorder }: FlownConnection<unknown>): number {
  return recorder.byteLength + ABOUT_BYTES;
}
