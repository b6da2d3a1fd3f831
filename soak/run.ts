// npm run soak: runs the shipped server for long, or through much, and says whether anything has grown or is left behind. --help says more.
import { writeFile } from 'node:fs/promises';
import { runCycles } from './cycles.js';
import { endure } from './endurance.js';
import { type SoakOptions, soakOptions, USAGE } from './options.js';
import { reportLines, type SoakFigures } from './report.js';
import { withstandSlowloris } from './slowloris.js';

process.exitCode = await main(process.argv.slice(2));

/** @returns 0 passed, 1 failed, 2 usage */
async function main(argv: readonly string[]): Promise<number> {
  if (argv.includes('--help')) {
    console.log(USAGE);
    return 0;
  }
  let options: SoakOptions;
  try {
    options = soakOptions(argv);
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : error}\n${USAGE}`);
    return 2;
  }
  const interruption = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const) {
    // the first one ends it with the figures so far, the second one at once
    process.once(name, () => {
      interruption.abort();
      process.once(name, () => process.exit(130));
    });
  }
  try {
    const figures = await play(options, interruption.signal);
    console.log(reportLines(figures).join('\n'));
    if (options.json !== undefined) await writeFile(options.json, `${JSON.stringify(figures)}\n`);
    return figures.isPassed ? 0 : 1;
  } catch (error) {
    console.error(`FAILED: ${error instanceof Error ? error.message : error} (seed ${options.seed})`);
    return 1;
  }
}

async function play(options: SoakOptions, signal: AbortSignal): Promise<SoakFigures> {
  const { mode, count, seed, minutes } = options;
  const tell = (line: string) => console.log(line);
  switch (mode) {
    case 'cycles':
      return await runCycles(count, seed, signal, tell);
    case 'slowloris':
      return await withstandSlowloris({ ...options, attackers: count }, signal);
    case 'soak':
      return await endure(minutes, seed, signal, tell);
  }
}
