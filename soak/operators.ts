import { setTimeout as pause } from 'node:timers/promises';
import type { Place } from './place.js';

export interface OperatorFigures {
  kicks: number;
  reloads: number;
  /** Lines that followers of the log have seen. */
  logLines: number;
  /** Times that they left, to come again. */
  followersAgain: number;
}

const KICK_EVERY_MS = 1500;
const RELOAD_EVERY_MS = 10_000;
const PAUSE_MS = 200;

/** Kicks somebody at random, whoever it is but themselves. */
export async function kick(place: Place, random: () => number, figures: OperatorFigures, signal: AbortSignal) {
  await persistently(signal, async () => {
    await using control = await place.control();
    while (!signal.aborted) {
      const others = (await control.list({ signal })).filter(({ protocol }) => protocol !== 'Control');
      const { id } = others[Math.floor(random() * others.length)] ?? {};
      if (id !== undefined) figures.kicks += await control.kick({ id }, { signal });
      await pause(KICK_EVERY_MS, undefined, { signal });
    }
  });
}

export async function reload(place: Place, figures: OperatorFigures, signal: AbortSignal) {
  await persistently(signal, async () => {
    await using control = await place.control();
    while (!signal.aborted) {
      await pause(RELOAD_EVERY_MS, undefined, { signal });
      const results = await control.reload({ signal });
      if (results.some(({ isOk }) => !isOk)) throw new Error('the server could not reload');
      figures.reloads += 1;
    }
  });
}

/** Follows the log for some time, leaves, and comes again. */
export async function followLog(place: Place, random: () => number, figures: OperatorFigures, signal: AbortSignal) {
  await persistently(signal, async () => {
    await using control = await place.control();
    while (!signal.aborted) {
      const leaving = new AbortController();
      const leave = () => leaving.abort();
      const timer = setTimeout(leave, 1000 + random() * 20_000);
      signal.addEventListener('abort', leave, { once: true });
      try {
        for await (const { records } of control.followLog({ signal: leaving.signal, lines: 100 })) {
          figures.logLines += records.length;
        }
      } catch (error) {
        if (!leaving.signal.aborted) throw error;
      } finally {
        clearTimeout(timer);
        signal.removeEventListener('abort', leave);
      }
      figures.followersAgain += 1;
    }
  });
}

/** Again when it fails, until the signal aborts: whoever looks after a server comes back. */
async function persistently(signal: AbortSignal, work: () => Promise<void>): Promise<void> {
  while (!signal.aborted) {
    try {
      await work();
    } catch {
      await pause(PAUSE_MS);
    }
  }
}
