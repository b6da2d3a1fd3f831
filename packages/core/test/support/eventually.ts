import { setImmediate as nextTurn } from 'node:timers/promises';

/** A wait that lasts longer has failed; nothing takes nearly as long. */
const LIMIT_MS = 30_000;

/** Goes on as soon as `isTrue`. */
export async function eventually(what: string, isTrue: () => boolean): Promise<void> {
  const endMs = performance.now() + LIMIT_MS;
  while (!isTrue()) {
    if (performance.now() > endMs) throw new Error(`it never came about: ${what}`);
    await nextTurn();
  }
}
