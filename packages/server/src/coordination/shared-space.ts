import type { SpaceRequest } from '../storage/staging/space-reservations.js';
import type { Hub } from './hub.js';

/** Counts the room on the disk that workers have promised to uploads. What one that ends had promised is free again. */
export function serveSpace(hub: Hub): void {
  const reserved = new Map<number, number>();
  const add = (worker: number, bytes: number): void => {
    reserved.set(worker, (reserved.get(worker) ?? 0) + bytes);
  };
  hub.on('space.reserve', ({ freeBytes, bytes }: SpaceRequest, from) => {
    const all = [...reserved.values()].reduce((sum, one) => sum + one, 0);
    const room = freeBytes - all;
    if (bytes <= room) add(from, bytes);
    return room;
  });
  hub.on('space.used', (bytes: number, from) => add(from, -bytes));
  hub.onGone((worker) => reserved.delete(worker));
}
