// npm run simulate -- [--minutes N | --seeds A..B | --seed S] [--protocol NAME]: runs scenarios until one fails, and shrinks that.
import { parseArgs } from 'node:util';
import { failureOf, type SimulatedProtocol, type SimulationError, shrinkFailure } from '@sluice/testkit';
import { PROTOCOLS } from './protocols/all.js';

const USAGE = `usage: npm run simulate -- [--minutes N | --seeds A..B | --seed S] [--protocol NAME]
  --minutes   runs seeds from a random one on, for so long (default 1)
  --seeds     runs these seeds, the last included
  --seed      runs one seed, and shows what happened in it
  --protocol  one of ${[...PROTOCOLS.keys()].join(', ')} (default all, in turn)`;

const REPORT_PERIOD_MS = 60_000;

interface Job {
  readonly protocols: readonly SimulatedProtocol[];
  readonly first: number;
  readonly last: number;
  readonly untilMs: number;
}

process.exitCode = await main(process.argv.slice(2));

async function main(args: string[]): Promise<number> {
  let job: Job;
  try {
    job = readJob(args);
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : error}\n${USAGE}`);
    return 2;
  }
  const failure = await runAll(job);
  if (!failure) return 0;
  console.error(`${failure.message}\nshrinking ...`);
  const shortest = await shrinkFailure(PROTOCOLS.get(failure.protocol)!, failure);
  console.log(
    `${shortest.message}\n\n${shortest.trace.join('\n')}\n\nwith protocol = ${failure.protocol}:\n\n${shortest.asCode}`,
  );
  if (shortest.cause instanceof Error && shortest.cause.cause) console.log(shortest.cause.cause);
  return 1;
}

function readJob(args: string[]): Job {
  const { values } = parseArgs({
    args,
    options: {
      minutes: { type: 'string' },
      seeds: { type: 'string' },
      seed: { type: 'string' },
      protocol: { type: 'string' },
    },
  });
  const chosen = values.protocol === undefined ? [...PROTOCOLS.values()] : [PROTOCOLS.get(values.protocol)];
  const protocols = chosen.filter((protocol) => protocol !== undefined);
  if (protocols.length === 0) throw new Error(`there is no protocol ${values.protocol}`);
  if ([values.minutes, values.seeds, values.seed].filter((value) => value !== undefined).length > 1)
    throw new Error('give only one of --minutes, --seeds and --seed');
  const always = Number.POSITIVE_INFINITY;
  const seeds = /^(\d+)\.\.(\d+)$/.exec(values.seeds ?? `${values.seed}..${values.seed}`);
  if (seeds) return { protocols, first: Number(seeds[1]), last: Number(seeds[2]), untilMs: always };
  if (values.seeds !== undefined || values.seed !== undefined)
    throw new Error('seeds are whole numbers: 7, or 1..1000');
  const minutes = Number(values.minutes ?? 1);
  if (!(minutes > 0)) throw new Error('--minutes must be more than 0');
  const first = Math.floor(Math.random() * 1e9);
  return { protocols, first, last: always, untilMs: performance.now() + minutes * 60_000 };
}

/** @returns the first failure */
async function runAll({ protocols, first, last, untilMs }: Job): Promise<SimulationError | undefined> {
  const startedMs = performance.now();
  let toldMs = startedMs;
  let isStopped = false;
  process.once('SIGINT', () => {
    isStopped = true;
  });
  let [runs, events, connections] = [0, 0, 0];
  const closed = new Map<string, number>();
  const tell = (seed: number): void => {
    const seconds = (performance.now() - startedMs) / 1000;
    console.log(
      `${runs} scenarios in ${seconds.toFixed(0)} s, seeds ${first} to ${seed}: ${connections} connections, ${events} events; nothing broke`,
    );
  };
  let seed = first;
  for (; seed <= last && performance.now() < untilMs && !isStopped; seed++) {
    for (const protocol of protocols) {
      const failure = await failureOf({ protocol, seed }, (report) => {
        runs += 1;
        events += report.events;
        connections += report.connections;
        for (const [reason, count] of report.closed) closed.set(reason, (closed.get(reason) ?? 0) + count);
      });
      if (failure) return failure;
    }
    if (performance.now() - toldMs < REPORT_PERIOD_MS) continue;
    toldMs = performance.now();
    tell(seed);
  }
  tell(seed - 1);
  console.log([...closed].map(([reason, count]) => `${count} ${reason}`).join(', '));
  return undefined;
}
