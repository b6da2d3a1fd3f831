// npm run overload -- [--scenario NAME]... [--memory-limit SIZE] [--share N]: overloads the shipped server, and prints what that did to it.
import { parseArgs } from 'node:util';
import { type OverloadFigures, runScenario, SCENARIOS } from './support/overload/scenarios.js';

const USAGE = `usage: npm run overload -- [--scenario ${SCENARIOS.map(({ name }) => name).join('|')}]... [--memory-limit SIZE|none] [--share FRACTION] [--seconds N] [--json]`;

process.exitCode = await main();

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      scenario: { type: 'string', multiple: true },
      'memory-limit': { type: 'string', default: '256M' },
      share: { type: 'string', default: '1' },
      seconds: { type: 'string', default: '10' },
      json: { type: 'boolean', default: false },
    },
  });
  const wanted = values.scenario ?? SCENARIOS.map(({ name }) => name);
  const share = Number(values.share);
  const seconds = Number(values.seconds);
  if (
    !(share > 0 && share <= 1 && seconds > 0) ||
    wanted.some((name) => !SCENARIOS.some((each) => each.name === name))
  ) {
    console.error(USAGE);
    return 2;
  }
  const limit = values['memory-limit'];
  const serve = limit === 'none' ? [] : ['--memory-limit', limit];
  for (const scenario of SCENARIOS.filter(({ name }) => wanted.includes(name))) {
    const connections = Math.max(1, Math.round(scenario.connections * share));
    const onNote = (note: string): void => console.error(`${scenario.name}: ${note}`);
    const figures = await runScenario(scenario, { connections, standsMs: seconds * 1000, serve, onNote });
    if (values.json) console.log(JSON.stringify({ scenario: scenario.name, connections, ...figures }));
    else console.log(words(`${connections} that ${scenario.what}`, figures));
  }
  return 0;
}

function words(what: string, { before, during, after, established, closed, bystander }: OverloadFigures): string {
  const mebibytes = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(0)} MiB`;
  return [
    what,
    `  ${established} stood, ${closed} of them were closed by the server`,
    `  resident ${mebibytes(before.residentBytes)} before, ${mebibytes(during.peakBytes)} at most, ${mebibytes(after.residentBytes)} after; descriptors ${before.descriptors}, ${during.descriptors}, ${after.descriptors}`,
    `  login and listing on a fresh connection: median ${bystander.medianMs.toFixed(0)} ms, p99 ${bystander.p99Ms.toFixed(0)} ms, at most ${bystander.maxMs.toFixed(0)} ms, of ${bystander.visits}; ${bystander.failures.length} failed${bystander.failures[0] ? `: ${bystander.failures[0]}` : ''}`,
  ].join('\n');
}
