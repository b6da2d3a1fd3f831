import type { CommandDefinition } from './command.js';
import { defaultText, isRepeatable, type Option, type OptionTable } from './options/option-table.js';
import { displayWidth, padColumns, wrapColumns } from './terminal/terminal-text.js';

const MAX_WIDTH = 100;
const MIN_WIDTH = 40;

/** @param columns of the terminal; longer lines are wrapped */
export function overviewText(commands: readonly CommandDefinition[], columns: number): string {
  const width = helpWidth(columns);
  return [
    'Usage: sluice COMMAND [options] ...',
    '',
    ...wrapColumns('Moves files to and from a Sluice server, and runs one.', width),
    '',
    'Commands:',
    ...columnsText(
      commands.map(({ name, summary }) => [name, summary] as const),
      width,
    ),
    '',
    ...wrapColumns('sluice help COMMAND tells all about one. sluice --version prints the version.', width),
    '',
    'Environment:',
    ...columnsText(
      [
        ['SLUICE_URL', 'sluice://user@host:port/dir/: the server when none is named'],
        ['SLUICE_PASSWORD', 'the password when neither the URL nor --password-file has it'],
        ['NO_COLOR', 'no colours'],
      ],
      width,
    ),
    '',
  ].join('\n');
}

/** @param columns of the terminal; longer lines are wrapped */
export function commandText(command: CommandDefinition, columns: number): string {
  const width = helpWidth(columns);
  const lines = [...hanging(`Usage: sluice ${command.name} `, `[options] ${command.usage}`.trimEnd(), width), ''];
  lines.push(...wrapColumns(`${command.summary}.`, width), '');
  for (const note of command.notes ?? []) lines.push(...wrapColumns(note, width), '');
  lines.push('Options:', ...columnsText(optionRows(command.options), width));
  if (command.examples.length > 0) lines.push('', 'Examples:');
  for (const { line, purpose } of command.examples) lines.push(`  ${line}`, ...hanging('      ', purpose, width));
  return `${lines.join('\n')}\n`;
}

/** `-r, --recursive` or `    --parallel N`. */
export function optionSyntax(name: string, option: Option): string {
  const short = option.short ? `-${option.short}, ` : '    ';
  return `${short}--${name}${option.kind === 'flag' ? '' : ` ${option.placeholder}`}`;
}

/** The summary with what the table knows besides: repeatable, default. */
export function optionDescription(option: Option): string {
  const text = defaultText(option);
  const repeatable = isRepeatable(option) ? '; may be repeated' : '';
  return `${option.summary}${repeatable}${text === undefined ? '' : ` (default ${text})`}`;
}

function optionRows(table: OptionTable): (readonly [string, string])[] {
  const rows = Object.entries(table).map(
    ([name, option]) => [optionSyntax(name, option), optionDescription(option)] as const,
  );
  return [...rows, ['    --help', 'print this']];
}

/** Two aligned columns. Where the first one leaves too little room, the second goes below it. */
function columnsText(rows: readonly (readonly [string, string])[], width: number): string[] {
  const firstWidth = Math.max(...rows.map(([first]) => displayWidth(first)));
  const indent = firstWidth + 4;
  return rows.flatMap(([first, second]) =>
    width - indent >= 24
      ? hanging(`  ${padColumns(first, firstWidth)}  `, second, width)
      : [`  ${first}`, ...hanging('          ', second, width)],
  );
}

/** The text behind `head`; further lines begin below its first letter. */
function hanging(head: string, text: string, width: number): string[] {
  const indent = displayWidth(head);
  return wrapColumns(text, Math.max(16, width - indent)).map(
    (line, index) => (index === 0 ? head : ' '.repeat(indent)) + line,
  );
}

function helpWidth(columns: number): number {
  return Math.max(MIN_WIDTH, Math.min(MAX_WIDTH, columns));
}
