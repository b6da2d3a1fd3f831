import type { Clock } from '@sluice/core';
import { type Quota, StorageQuota } from '../storage/storage-quota.js';
import type { Coordinator } from './coordinator.js';
import type { Hub } from './hub.js';

/** Room that a process takes ahead, so that not every write has to ask: so much, and no more than this part of the limit. */
const MAX_AHEAD_BYTES = 4 << 20;
const AHEAD_PART = 1 / 256;

/** What was taken ahead and not used goes back after so long, in milliseconds. */
const KEEP_AHEAD_MS = 500;

/** One quota, by what all processes know it by. */
interface QuotaRequest {
  readonly key: string;
  readonly limitBytes: number;
  readonly bytes: number;
}

/** What a process wants to take. */
interface TakeRequest extends QuotaRequest {
  /** What it would like on top. */
  readonly aheadBytes: number;
}

/** The quotas of a process that is one of several: the supervisor counts. */
export class SharedQuotas {
  readonly #coordinator: Coordinator;
  readonly #clock: Clock;
  readonly #measures = new Map<string, () => Promise<number>>();

  constructor(coordinator: Coordinator, clock: Clock) {
    this.#coordinator = coordinator;
    this.#clock = clock;
    coordinator.on('quota.measure', (key: string) => this.#measures.get(key)?.());
  }

  /** @param key the same in all processes */
  quota(key: string, limitBytes: number, measure: () => Promise<number>): Quota {
    this.#measures.set(key, measure);
    return new SharedQuota(key, limitBytes, this.#coordinator, this.#clock);
  }
}

class SharedQuota implements Quota {
  limitBytes: number;
  readonly #key: string;
  readonly #coordinator: Coordinator;
  readonly #clock: Clock;
  /** Taken, and not used yet. */
  #aheadBytes = 0;
  #hasTimer = false;

  constructor(key: string, limitBytes: number, coordinator: Coordinator, clock: Clock) {
    this.#key = key;
    this.limitBytes = limitBytes;
    this.#coordinator = coordinator;
    this.#clock = clock;
  }

  take(bytes: number): boolean | Promise<boolean> {
    if (bytes === 0 || bytes > this.#aheadBytes) return this.#take(bytes);
    this.#aheadBytes -= bytes;
    return true;
  }

  reserve(bytes: number): Promise<boolean> {
    return this.#coordinator.ask('quota.reserve', this.#request(bytes));
  }

  release(bytes: number): void {
    this.#coordinator.report('quota.release', this.#request(bytes));
  }

  add(bytes: number): void {
    if (bytes !== 0) this.#coordinator.report('quota.add', this.#request(bytes));
  }

  async #take(bytes: number): Promise<boolean> {
    const aheadBytes = Math.min(MAX_AHEAD_BYTES, Math.floor(this.limitBytes * AHEAD_PART));
    const taken = await this.#coordinator.ask<number>('quota.take', { ...this.#request(bytes), aheadBytes });
    if (taken < bytes) return false;
    this.#aheadBytes += taken - bytes;
    if (!this.#hasTimer && this.#aheadBytes > 0) {
      this.#hasTimer = true;
      this.#clock.after(KEEP_AHEAD_MS, () => {
        this.#hasTimer = false;
        this.add(-this.#aheadBytes);
        this.#aheadBytes = 0;
      });
    }
    return true;
  }

  #request(bytes: number): QuotaRequest {
    return { key: this.#key, limitBytes: this.limitBytes, bytes };
  }
}

/** Counts the quotas of all workers. What one that ends had promised is free again. */
export function serveQuotas(hub: Hub, clock: Clock): void {
  const quotas = new Map<
    string,
    { readonly quota: StorageQuota; measurer: number; readonly reserved: Map<number, number> }
  >();
  const quotaOf = ({ key, limitBytes }: QuotaRequest, from: number) => {
    let known = quotas.get(key);
    if (!known) {
      const measure = (): Promise<number> => hub.ask<number>(quotas.get(key)!.measurer, 'quota.measure', key);
      known = { quota: new StorageQuota(limitBytes, measure, clock), measurer: from, reserved: new Map() };
      quotas.set(key, known);
    }
    known.quota.limitBytes = limitBytes;
    known.measurer = from;
    return known;
  };
  const promise = (reserved: Map<number, number>, from: number, bytes: number): void => {
    reserved.set(from, (reserved.get(from) ?? 0) + bytes);
  };
  hub.on('quota.take', async (request: TakeRequest, from) => {
    const { quota } = quotaOf(request, from);
    const { bytes, aheadBytes } = request;
    if (aheadBytes > 0 && bytes > 0 && (await quota.take(bytes + aheadBytes))) return bytes + aheadBytes;
    return (await quota.take(bytes)) ? bytes : -1;
  });
  hub.on('quota.reserve', async (request: QuotaRequest, from) => {
    const { quota, reserved } = quotaOf(request, from);
    const isThere = await quota.reserve(request.bytes);
    if (isThere) promise(reserved, from, request.bytes);
    return isThere;
  });
  hub.on('quota.release', (request: QuotaRequest, from) => {
    const { quota, reserved } = quotaOf(request, from);
    quota.release(request.bytes);
    promise(reserved, from, -request.bytes);
  });
  hub.on('quota.add', (request: QuotaRequest, from) => quotaOf(request, from).quota.add(request.bytes));
  hub.onGone((worker) => {
    for (const { quota, reserved } of quotas.values()) {
      quota.release(reserved.get(worker) ?? 0);
      reserved.delete(worker);
    }
  });
}
