import { randomNumbers } from '@sluice/testkit';
import { Churn, type ChurnFigures } from './churn.js';
import { type Held, settled } from './held.js';
import { Place } from './place.js';

/** The server's deadlines are short here: those who say nothing any more are found by them. */
const DEADLINES = ['--login-timeout', '2s', '--frame-timeout', '2s', '--idle-timeout', '4s', '--keep-partials', '1s'];
const AT_ONCE = 48;
const WARM_UP = 200;
const SETTLE_MS = 60_000;

export interface CyclesFigures {
  readonly mode: 'cycles';
  readonly cycles: number;
  readonly seconds: number;
  readonly seed: number;
  readonly endings: ChurnFigures;
  readonly before: Held;
  readonly after: Held;
  /** What is more than before. */
  readonly left: readonly string[];
  readonly settledAfterMs: number;
  readonly rssBytes: { readonly before: number; readonly after: number };
  readonly isPassed: boolean;
}

/** Connect, do something, vanish, so many times: then everything the server holds must be what it was before. */
export async function runCycles(
  count: number,
  seed: number,
  signal: AbortSignal,
  onMinute: (line: string) => void,
): Promise<CyclesFigures> {
  await using place = await Place.open(DEADLINES);
  await using control = await place.control();
  const random = randomNumbers(seed);
  const warmUp = new Churn(place.server.port, random);
  await warmUp.run({ count: WARM_UP, atOnce: AT_ONCE, signal });
  warmUp.dispose();
  // what it holds for itself only, once the last of the warm-up is gone
  const { held: before } = await settled(place, control, { 'connections.now': 1 }, 10_000);
  const rssBefore = place.server.rssBytes;
  const churn = new Churn(place.server.port, random);
  const startedMs = performance.now();
  const reporter = setInterval(() => onMinute(`${churn.cycles} of ${count} cycles`), 60_000);
  try {
    await churn.run({ count, atOnce: AT_ONCE, signal });
    const seconds = (performance.now() - startedMs) / 1000;
    const { held: after, left, afterMs } = await settled(place, control, before, SETTLE_MS);
    return {
      mode: 'cycles',
      cycles: churn.cycles,
      seconds,
      seed,
      endings: churn.figures,
      before,
      after,
      left,
      settledAfterMs: Math.round(afterMs),
      rssBytes: { before: rssBefore, after: place.server.rssBytes },
      isPassed: left.length === 0 && churn.figures.unanswered === 0,
    };
  } finally {
    clearInterval(reporter);
    churn.dispose();
  }
}
