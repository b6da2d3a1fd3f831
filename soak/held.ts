import { setTimeout as pause } from 'node:timers/promises';
import type { ControlClient } from '@sluice/client';
import type { Place } from './place.js';

type Stats = Readonly<Record<string, unknown>>;

/** What a server holds at a moment; all of it should go down to where it was. Names are those of Stats. */
export type Held = Readonly<Record<string, number>>;

const PERIOD_MS = 500;
/**
 * Figures of what is held now, as Stats names them wherever they are: connections, transfers, budgets of memory, what is set aside on the disk. Not uploads that
 * were broken off: they are kept for their clients to go on with.
 */
const HOLDS =
  /^(?:now|waiting|unauthenticated|handshakes|transfers|openFiles|timers|used|heldBack|.*(?:InUse|Held|Queued|reserved|queued|held|used)Bytes)$/;
const GROUPS_LEFT_OUT = new Set(['cpuSeconds', 'eventLoopDelayMs', 'closed', 'protocols']);

export async function heldBy(place: Place, control: ControlClient): Promise<Held> {
  const held: Record<string, number> = {};
  collect('', await control.stats(), held);
  return { ...held, descriptors: place.server.descriptors };
}

/** Waits until the server holds no more than before, of what is named there. @returns what it holds, and what of that is more than before */
export async function settled(
  place: Place,
  control: ControlClient,
  before: Held,
  withinMs: number,
): Promise<{ readonly held: Held; readonly left: readonly string[]; readonly afterMs: number }> {
  const startedMs = performance.now();
  for (;;) {
    const held = await heldBy(place, control);
    const left = Object.keys(before).filter((name) => (held[name] ?? 0) > before[name]!);
    const afterMs = performance.now() - startedMs;
    if (left.length === 0 || afterMs > withinMs) return { held, left, afterMs };
    await pause(PERIOD_MS);
  }
}

function collect(path: string, stats: Stats, into: Record<string, number>): void {
  for (const [name, value] of Object.entries(stats)) {
    if (typeof value === 'number' && HOLDS.test(name)) into[path + name] = value;
    else if (typeof value === 'object' && value !== null && !GROUPS_LEFT_OUT.has(name))
      collect(`${path}${name}.`, value as Stats, into);
  }
}
