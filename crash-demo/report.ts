import type { Contender } from './contenders/contender.js';
import type { Fault, Result } from './faults.js';

/** A contender with what became of it before each fault. */
export interface Row {
  readonly contender: Contender;
  readonly results: ReadonlyMap<Fault, Result>;
}

/** The table, as Markdown, with its footnotes. */
export function crashTable(faults: readonly Fault[], rows: readonly Row[]): string {
  const notes: string[] = [];
  const cellOf = (result: Result | undefined): string => {
    if (!result) return '';
    const text = result.outcome === 'silent corruption' ? '**silent corruption**' : result.outcome;
    if (result.note === undefined) return text;
    if (!notes.includes(result.note)) notes.push(result.note);
    return `${text} (${notes.indexOf(result.note) + 1})`;
  };
  const cells = [
    ['', ...faults.map(({ title }) => title)],
    ...rows.map(({ contender, results }) => [contender.name, ...faults.map((fault) => cellOf(results.get(fault)))]),
  ];
  const widths = cells[0]!.map((_, column) => Math.max(3, ...cells.map((row) => row[column]!.length)));
  const line = (row: readonly string[]) => `| ${row.map((cell, column) => cell.padEnd(widths[column]!)).join(' | ')} |`;
  const [header, ...body] = cells.map(line);
  const table = [header, `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`, ...body];
  return [...table, '', ...notes.map((note, index) => `(${index + 1}) ${note}`)].join('\n').trimEnd();
}

export const LEGEND = `detected and repaired: the next attempt ends with success, and the file is the source, byte for byte.
detected: the client ends with an error; it says nothing false.
silent corruption: the client ends with success, and the file is not the source.
whole: both clients end with success, and the file is one of the two sources, byte for byte.`;
