import type { Invocation } from '../command.js';
import type { statsOptions } from '../commands/stats.js';
import { ExitCode } from '../exit-code.js';
import { Interruption } from '../interruption.js';
import { formatBytes, formatSeconds } from '../options/quantities.js';
import { stdout } from '../terminal/standard-streams.js';
import { displayWidth, escapeControls, padColumns } from '../terminal/terminal-text.js';
import { openControl } from './control-connection.js';
import { serverOperand } from './server-operand.js';

/** `sluice stats`. */
export async function stats({ operands, options }: Invocation<typeof statsOptions>): Promise<number> {
  const { endpoint } = serverOperand('stats', operands, 0);
  using interruption = new Interruption();
  const { signal } = interruption;
  await using control = await openControl(endpoint, options, signal);
  const found = await control.stats({ signal });
  if (options.json) stdout.write(`${JSON.stringify(found)}\n`);
  else stdout.write(`${statsLines(found).join('\n')}\n`);
  return ExitCode.Done;
}

/** One line for each thing, `connections accepted  12`; what is known gets its unit, what is not is shown all the same. */
export function statsLines(stats: Readonly<Record<string, unknown>>): string[] {
  const rows = rowsOf('', stats);
  const width = rows.reduce((most, [name]) => Math.max(most, displayWidth(name)), 0);
  return rows.map(([name, value]) => `${padColumns(name, width)}  ${value}`);
}

function rowsOf(prefix: string, values: Readonly<Record<string, unknown>>): [name: string, value: string][] {
  return Object.entries(values).flatMap(([key, value]) => {
    const name = escapeControls(`${prefix} ${wordsOf(key)}`.trim());
    if (typeof value === 'object' && value !== null) return rowsOf(name, value as Record<string, unknown>);
    return [[name, escapeControls(valueText(name, value))] as [string, string]];
  });
}

/** `receivedBytes` is `received bytes`, `peer-closed` stays. */
function wordsOf(key: string): string {
  return key.replace(
    /([a-z0-9])([A-Z])/g,
    (_all, before: string, letter: string) => `${before} ${letter.toLowerCase()}`,
  );
}

function valueText(name: string, value: unknown): string {
  if (typeof value === 'boolean') return value ? 'yes' : 'no';
  if (typeof value !== 'number') return String(value);
  if (/ bytes$|^memory /.test(name)) return `${formatBytes(value)} (${value})`;
  if (name === 'uptime ms') return formatSeconds(Math.floor(value / 1000));
  return Number.isInteger(value) ? String(value) : value.toFixed(3);
}
