// npm run kill-test -- [--count N] [--seed N]: kills server and client at random points, and prints what came of it.
import { parseArgs } from 'node:util';
import { type KillFigures, runKills } from './support/kill-run.js';

const USAGE = 'usage: npm run kill-test -- [--count KILLS] [--seed N]';
const DEFAULT_COUNT = 100;

process.exitCode = await main();

async function main(): Promise<number> {
  let count: number;
  let seed: number;
  try {
    const { values } = parseArgs({ options: { count: { type: 'string' }, seed: { type: 'string' } } });
    count = Number(values.count ?? DEFAULT_COUNT);
    seed = Number(values.seed ?? Math.floor(Math.random() * 1e9));
    if (!Number.isInteger(count) || count < 1 || !Number.isInteger(seed)) throw new Error('expected whole numbers');
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : error}\n${USAGE}`);
    return 2;
  }
  const startedMs = performance.now();
  console.log(`${count} kills, seed ${seed}`);
  let told = 0;
  const onRound = ({ kills }: KillFigures) => {
    if (kills < told + 50) return;
    told = kills;
    console.error(`${kills} of ${count}`);
  };
  let isEnough = false;
  process.once('SIGINT', () => {
    isEnough = true; // the round that goes on ends, and the figures are told; a second Ctrl-C ends at once
  });
  try {
    const figures = await runKills({ count, seed, onRound, isEnough: () => isEnough });
    console.log(words(figures, (performance.now() - startedMs) / 1000));
    return 0;
  } catch (error) {
    console.error(`LOST: ${error instanceof Error ? error.message : error}`);
    return 1;
  }
}

function words(figures: KillFigures, seconds: number): string {
  const mebibytes = (bytes: number) => `${(bytes / 2 ** 20).toFixed(0)} MiB`;
  return [
    `${figures.kills} kills: ${figures.killsOfServer} of the server, ${figures.killsOfClients} of clients, in ${seconds.toFixed(0)} s`,
    `${figures.uploads} uploads and ${figures.downloads} downloads, of which ${figures.acknowledgedAtFirst} came to their end at first`,
    `${figures.runAgain} were run again: all came to their end, ${figures.resumed} from where they had stopped`,
    `${mebibytes(figures.bytesMoved)} moved by runs that ended well, ${mebibytes(figures.bytesResumed)} not moved again`,
    `${figures.comparisons} comparisons of acknowledged files with their sources: all equal; nothing left behind`,
  ].join('\n');
}
