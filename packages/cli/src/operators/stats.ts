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

const INDENT = '  ';

/** One line for each figure, below the name of its group; what is known gets its unit, what is not is shown all the same. */
export function statsLines(stats: Readonly<Record<string, unknown>>): string[] {
  const rows = rowsOf('', '', stats);
  const width = rows.reduce((most, [label]) => Math.max(most, displayWidth(label)), 0);
  return rows.map(([label, value]) => (value === '' ? label : `${padColumns(label, width)}  ${value}`));
}

/** @param path the names of the groups, joined by blanks */
function rowsOf(path: string, indent: string, values: Readonly<Record<string, unknown>>): [string, string][] {
  return Object.entries(values).flatMap(([key, value]) => {
    if (Array.isArray(value)) return []; // buckets: for programs
    const words = escapeControls(wordsOf(key));
    const name = `${path} ${words}`.trim();
    if (typeof value !== 'object' || value === null) {
      const { label, text } = figureOf(words, name, value);
      return [[`${indent}${label}`, escapeControls(text)] as [string, string]];
    }
    return [
      [`${indent}${words.replace(/ (?:ms|seconds)$/, '')}`, ''],
      ...rowsOf(name, `${indent}${INDENT}`, value as Record<string, unknown>),
    ];
  });
}

/** `receivedBytes` is `received bytes`, `peer-closed` stays. */
function wordsOf(key: string): string {
  return key.replace(
    /([a-z0-9])([A-Z])/g,
    (_all, before: string, letter: string) => `${before} ${letter.toLowerCase()}`,
  );
}

/** @param name with the groups: `memory rss`, `event loop delay ms p50` */
function figureOf(words: string, name: string, value: unknown): { readonly label: string; readonly text: string } {
  if (typeof value === 'boolean') return { label: words.replace(/^is /, ''), text: value ? 'yes' : 'no' };
  if (typeof value !== 'number') return { label: words, text: String(value) };
  const bytes = / bytes$/.exec(words);
  if (bytes || name.startsWith('memory ')) return { label: words.replace(/ bytes$/, ''), text: formatBytes(value) };
  if (name === 'uptime ms') return { label: 'uptime', text: formatSeconds(Math.floor(value / 1000)) };
  const number = Number.isInteger(value) ? String(value) : value.toFixed(3);
  if (name.startsWith('cpu seconds ')) return { label: words, text: `${number} s` };
  return / ms( |$)/.test(name)
    ? { label: words.replace(/ ms$/, ''), text: `${number} ms` }
    : { label: words, text: number };
}
