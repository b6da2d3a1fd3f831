import { writeFile } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import type { ControlClient } from '@sluice/client';
import { randomNumbers } from '@sluice/testkit';
import { Churn, type ChurnFigures } from './churn.js';
import { type Growth, growthOf, type Sample } from './growth.js';
import { type Held, settled } from './held.js';
import { followLog, kick, type OperatorFigures, reload } from './operators.js';
import { Place } from './place.js';
import { moveFiles, noTransfers, type TransferFigures } from './transfers.js';

/** Short enough that those who say nothing any more come and go during a short run, too. */
const DEADLINES = ['--login-timeout', '10s', '--frame-timeout', '10s'];
const TRANSFER_LANES = 3;
const CHURN_LANES = 8;
const CHURN_PAUSE_MS = 25;
const FOLLOWERS = 3;
const SAMPLE_EVERY_MS = 5000;
const SETTLE_MS = 60_000;
const MEMORY_NOISE_BYTES = 24 << 20;
/** Connections come and go between the two moments at which they and descriptors are counted. */
const DESCRIPTOR_NOISE = 25;

export interface EnduranceFigures {
  readonly mode: 'soak';
  readonly seconds: number;
  readonly seed: number;
  readonly transfers: TransferFigures;
  readonly churn: ChurnFigures;
  readonly operators: OperatorFigures;
  readonly memory: Growth;
  /** Those that belong to no connection: these come and go with the load. */
  readonly descriptors: Growth;
  readonly before: Held;
  readonly after: Held;
  readonly left: readonly string[];
  readonly isPassed: boolean;
}

/**
 * Everything at once for so many minutes: transfers that are compared, connections that come and vanish, kicks, reloads, followers of the log.
 *
 * @param signal ends it early; what was measured counts
 * @throws {Error} for a file that is not what was sent, and for a server that has ended
 */
export async function endure(
  minutes: number,
  seed: number,
  signal: AbortSignal,
  onMinute: (line: string) => void,
): Promise<EnduranceFigures> {
  await using place = await Place.open(DEADLINES);
  await using control = await place.control();
  await beginOnce(place, signal);
  const { held: before } = await settled(place, control, { 'connections.now': 1 }, 10_000);
  const end = new AbortController();
  const over = AbortSignal.any([signal, end.signal]);
  const churn = new Churn(place.server.port, randomNumbers(seed));
  const transfers = noTransfers();
  const operators: OperatorFigures = { kicks: 0, reloads: 0, logLines: 0, followersAgain: 0 };
  const [memory, descriptors]: [Sample[], Sample[]] = [[], []];
  const startedMs = performance.now();
  const elapsed = () => (performance.now() - startedMs) / 1000;
  let failure: unknown;
  const work = [
    churn.run({ count: Number.POSITIVE_INFINITY, atOnce: CHURN_LANES, pauseMs: CHURN_PAUSE_MS, signal: over }),
    kick(place, randomNumbers(seed + 1), operators, over),
    reload(place, operators, over),
    ...Array.from({ length: FOLLOWERS }, (_, i) => followLog(place, randomNumbers(seed + 10 + i), operators, over)),
    ...Array.from({ length: TRANSFER_LANES }, (_, i) =>
      moveFiles(place, i, randomNumbers(seed + 20 + i), transfers, over),
    ),
  ].map((each) =>
    each.catch((error: unknown) => {
      failure ??= error;
      end.abort();
    }),
  );
  let told = 0;
  // a short run on a busy machine ends when it has something to tell of
  while ((elapsed() < minutes * 60 || transfers.verified === 0) && !over.aborted) {
    await pause(Math.min(SAMPLE_EVERY_MS, minutes * 60_000), undefined, { signal: over }).catch(() => {});
    if (place.server.hasEnded) throw new Error('the server has ended');
    memory.push({ seconds: elapsed(), value: place.server.rssBytes });
    descriptors.push({ seconds: elapsed(), value: place.server.descriptors - (await openConnections(control)) });
    if (elapsed() < (told + 1) * 60) continue;
    told = Math.floor(elapsed() / 60);
    onMinute(
      minuteLine(told, memory.at(-1)!.value, place.server.descriptors, { churn: churn.cycles, transfers, operators }),
    );
  }
  const seconds = elapsed();
  end.abort();
  await Promise.all(work);
  churn.dispose();
  if (failure) throw failure;
  const { held: after, left } = await settled(place, control, before, SETTLE_MS);
  const growth = { memory: growthOf(memory, MEMORY_NOISE_BYTES), descriptors: growthOf(descriptors, DESCRIPTOR_NOISE) };
  const isPassed = left.length === 0 && !growth.memory.isGrowing && !growth.descriptors.isGrowing;
  return {
    mode: 'soak',
    seconds,
    seed,
    transfers,
    churn: churn.figures,
    operators,
    ...growth,
    before,
    after,
    left,
    isPassed,
  };
}

/** What the server opens at the first transfer it keeps open, for all that follow. */
async function beginOnce(place: Place, signal: AbortSignal): Promise<void> {
  await writeFile(place.local('first'), 'first');
  await using client = await place.client();
  await client.upload(place.local('first'), 'first', { signal });
  await client.download('first', place.local('first-again'), { signal });
}

async function openConnections(control: ControlClient): Promise<number> {
  const { connections } = (await control.stats()) as { readonly connections: { readonly now: number } };
  return connections.now;
}

interface SoFar {
  readonly churn: number;
  readonly transfers: TransferFigures;
  readonly operators: OperatorFigures;
}

function minuteLine(minute: number, rss: number, descriptors: number, { churn, transfers, operators }: SoFar): string {
  return [
    `${minute} min: ${Math.round(rss / 2 ** 20)} MiB, ${descriptors} descriptors`,
    `${churn} connections came and went`,
    `${transfers.verified} files compared, ${transfers.repeated} calls repeated`,
    `${operators.kicks} kicks, ${operators.reloads} reloads, ${operators.logLines} lines followed`,
  ].join('; ');
}
