import type { Clock } from '@sluice/core';
import { FloodPlaces, FloodsBusyError, type PlaceAnswer } from '../flood-places.js';
import type { SpeedLimits } from '../speed-limits.js';
import type { Hub } from './hub.js';

/** Counts the measurements of the speed of all workers, and tells each what part of the rates is its. */
export function serveFloods(hub: Hub, limits: SpeedLimits, clock: Clock): void {
  const places = new FloodPlaces(limits, clock);
  const taken = new Map<number, { readonly worker: number; readonly place: Disposable }>();
  let nextId = 1;
  const tellShares = (): void => {
    if (limits.bytesPerSecond + limits.bytesPerSecondPerClient > 0) hub.tell('floods.shares', places.shares);
  };
  hub.on('floods.take', ({ address, forMs }: { address: string; forMs: number }, worker): PlaceAnswer => {
    try {
      const place = places.take(address, forMs);
      const id = nextId++;
      taken.set(id, { worker, place });
      tellShares();
      return { id };
    } catch (error) {
      if (!(error instanceof FloodsBusyError)) throw error;
      return { message: error.message, retryAfterMs: error.retryAfterMs };
    }
  });
  const free = (id: number): void => {
    taken.get(id)?.place[Symbol.dispose]();
    taken.delete(id);
    tellShares();
  };
  hub.on('floods.free', (id: number) => free(id));
  hub.onGone((gone) => {
    for (const [id, { worker }] of [...taken]) if (worker === gone) free(id);
  });
}
