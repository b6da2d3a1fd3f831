import type { ListedClient } from '@sluice/client';
import { formatRate } from '../options/quantities.js';
import { type TableColumn, tableLines } from '../terminal/table.js';
import { displayWidth, escapeControls, padColumns, truncate } from '../terminal/terminal-text.js';
import { clientColumns } from './client-columns.js';
import type { TopModel } from './top-model.js';

export interface TopLayout {
  /** No line is wider. */
  readonly columns: number;
  /** There are no more lines. */
  readonly rows: number;
  readonly hasColours: boolean;
}

/** What is shown besides the connections. */
export interface TopSurroundings {
  /** Who looks at what: `admin@127.0.0.1:4567`. */
  readonly title: string;
  /** About the server as a whole, what matters most first. */
  readonly figures: readonly string[];
  /** Why what is shown is not what is. */
  readonly trouble: string | undefined;
}

const GAP = '  ';
const SELECTED_GUTTER = '> ';
const GUTTER = '  ';
const reverse = '\x1b[7m';
const bold = '\x1b[1m';
const green = '\x1b[32m';
const yellow = '\x1b[33m';
const reset = '\x1b[0m';

/** What matters most first: a narrow screen has no room for all. */
const hints = [
  ['q', 'quit'],
  ['?', 'help'],
  ['↑↓', 'select'],
  ['k', 'end it'],
  ['s', 'sort'],
  ['/', 'filter'],
  ['r', 'reverse'],
  ['space', 'freeze'],
] as const;

const helpLines = [
  'up, down            select a connection; the selection stays on it',
  'page up, page down  by a page; home and end: to the first and the last',
  'k                   end the selected connection, after a question',
  's, S, right, left   sort by the next column, or by the one before',
  'r                   the other way round',
  '/                   show only what has a text in id, user, protocol,',
  '                    address or file; escape takes the filter away',
  'space               freeze what is shown, and let it go on',
  'Ctrl-L              draw everything anew',
  'Ctrl-Z              to the shell, and back with fg',
  'q, Ctrl-C           quit',
  '',
  'Green: bytes move.  Yellow: they wait for the client to read them.',
  '',
  'Any key goes back.',
];

/** The screen of `sluice top`, from top to bottom. @param nowMs as Date.now */
export function topLines(model: TopModel, around: TopSurroundings, layout: TopLayout, nowMs: number): string[] {
  const { columns, rows } = layout;
  const head = [
    painted(fitting([`sluice top${GAP}${escapeControls(around.title)}`, ...around.figures], columns), bold, layout),
    fitting(totals(model), columns),
  ];
  const body = model.isHelpShown ? helpOf(layout) : tableOf(model, layout, rows - head.length - 2, nowMs);
  const lines = [...head, ...body].slice(0, Math.max(0, rows - 1));
  while (lines.length < rows - 1) lines.push('');
  return [...lines, lastLine(model, around, layout)].slice(-rows);
}

function totals({ all, rows, filter, sort, isReversed, frozenAtMs }: TopModel): string[] {
  const sum = (of: (client: ListedClient) => number | undefined): number =>
    all.reduce((total, client) => total + (of(client) ?? 0), 0);
  const shown = filter === '' ? `${all.length}` : `${rows.length} of ${all.length}`;
  const transfers = sum(({ transfer }) => (transfer ? 1 : 0));
  return [
    `${shown} connection${all.length === 1 ? '' : 's'}, ${transfers} transfer${transfers === 1 ? '' : 's'}`,
    ...(frozenAtMs === undefined ? [] : ['FROZEN']),
    `in ${formatRate(sum(({ receiveRate }) => receiveRate))}`,
    `out ${formatRate(sum(({ sendRate }) => sendRate))}`,
    `by ${sort}${isReversed ? ', reversed' : ''}`,
    ...(filter === '' ? [] : [`filter: ${escapeControls(filter)}`]),
  ];
}

function tableOf(model: TopModel, layout: TopLayout, height: number, nowMs: number): string[] {
  const { first, rows } = model.window(height);
  const width = Math.max(0, layout.columns - GUTTER.length);
  const arrow = model.isReversed ? '▴' : '▾';
  const columns = clientColumns(model.frozenAtMs ?? nowMs).map(
    (column): TableColumn<ListedClient> =>
      column.sortKey === model.sort ? { ...column, heading: `${column.heading}${arrow}` } : column,
  );
  const [heading = '', ...lines] = tableLines(columns, rows, { width, isSteady: true });
  return [
    painted(wholeLine(truncate(`${GUTTER}${heading}`, layout.columns), layout), reverse, layout),
    ...lines.map((line, index) => {
      const client = rows[index] as ListedClient;
      const isSelected = model.rows[first + index] === model.selected;
      const text = truncate(`${isSelected ? SELECTED_GUTTER : GUTTER}${line}`, layout.columns);
      const colour = colourOf(client);
      return isSelected
        ? painted(wholeLine(text, layout), `${colour}${reverse}`, layout)
        : painted(text, colour, layout);
    }),
  ];
}

/** A background colour reaches over the whole screen. */
function wholeLine(text: string, { columns, hasColours }: TopLayout): string {
  return hasColours ? padColumns(text, columns) : text;
}

function colourOf({ queuedBytes = 0, receiveRate = 0, sendRate = 0 }: ListedClient): string {
  if (queuedBytes > 0 && sendRate === 0) return yellow;
  return receiveRate + sendRate > 0 ? green : '';
}

function helpOf(layout: TopLayout): string[] {
  return ['', ...helpLines].map((line) => truncate(`${GUTTER}${line}`, layout.columns));
}

function lastLine({ prompt, filter, message }: TopModel, { trouble }: TopSurroundings, layout: TopLayout): string {
  const { columns } = layout;
  if (prompt?.kind === 'filter') return filterLine(filter, columns);
  if (prompt?.kind === 'kick') {
    const { id, user, remoteAddress } = prompt.client;
    const question = ` to end connection ${id} of ${user ?? '-'} from ${remoteAddress}, any other key to let it be`;
    return `${painted(truncate('y', columns), bold, layout)}${truncate(escapeControls(question), columns - 1)}`;
  }
  if (message !== '') return painted(truncate(escapeControls(message), columns), bold, layout);
  if (trouble !== undefined) return painted(truncate(escapeControls(trouble), columns), yellow, layout);
  return fitting(
    hints.map(([key, what]) => `${key} ${what}`),
    columns,
  );
}

/** With the end of a long text, where it is edited. */
function filterLine(filter: string, columns: number): string {
  const label = 'filter: ';
  let text = `${escapeControls(filter)}_`;
  while (displayWidth(text) > Math.max(1, columns - label.length)) text = [...text].slice(1).join('');
  return fitting([`${label}${text}`, 'return keeps it, escape does not'], columns);
}

/** As many of the parts as fit, but the first at any rate. */
function fitting(parts: readonly string[], columns: number): string {
  let text = '';
  for (const part of parts) {
    const longer = text === '' ? part : `${text}${GAP}${part}`;
    if (text !== '' && truncate(longer, columns) !== longer) break;
    text = longer;
  }
  return truncate(text, columns);
}

function painted(text: string, colour: string, { hasColours }: TopLayout): string {
  return hasColours && text !== '' && colour !== '' ? `${colour}${text}${reset}` : text;
}
