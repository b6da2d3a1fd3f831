import { formatBytes, formatRate, formatSeconds } from '../options/quantities.js';
import { displayWidth, escapeControls, padColumns, shortenMiddle, truncate } from './terminal-text.js';

/** How far one transfer, or all of them, have come. */
export interface Amount {
  readonly bytesDone: number;
  /** `undefined` while it is not known. */
  readonly bytesTotal: number | undefined;
  /** Recent; `undefined` while there is no telling. */
  readonly bytesPerSecond: number | undefined;
}

export interface RunningTransfer extends Amount {
  readonly name: string;
}

export interface ProgressView {
  readonly running: readonly RunningTransfer[];
  /** Of all files; `undefined` where there is only one. */
  readonly summary: (Amount & { readonly filesDone: number; readonly filesTotal: number }) | undefined;
  /** What else there is to say: a retry. */
  readonly note: string | undefined;
}

export interface ProgressLayout {
  /** No line is wider. */
  readonly columns: number;
  /** There are no more lines. */
  readonly rows: number;
  readonly hasColours: boolean;
}

const MIN_NAME_COLUMNS = 12;
const MAX_NAME_COLUMNS = 40;
const BAR_COLUMNS = 20;
const GAP = '  ';
const green = '\x1b[32m';
const yellow = '\x1b[33m';
const dim = '\x1b[2m';
const reset = '\x1b[0m';

type Part = 'percent' | 'rate' | 'timeLeft' | 'bytes' | 'bar';

/** Widths of the longest texts, in the order in which the parts may stay on a narrow terminal. */
const partColumns: Readonly<Record<Part, number>> = { percent: 4, rate: 10, timeLeft: 12, bytes: 17, bar: BAR_COLUMNS };
const order: readonly Part[] = ['bar', 'percent', 'bytes', 'rate', 'timeLeft'];

/** One line per running transfer if they fit, then one for all, then the note. What does not fit the columns is left out, the bar first. */
export function progressLines(view: ProgressView, layout: ProgressLayout): string[] {
  const last: RunningTransfer[] = [];
  if (view.summary) {
    const { filesDone, filesTotal } = view.summary;
    last.push({ ...view.summary, name: `${filesDone} of ${filesTotal} files` });
  }
  const room = Math.max(0, layout.rows - last.length - (view.note === undefined ? 0 : 1));
  const running = view.summary && view.running.length > room ? [] : view.running.slice(0, room);
  const amounts = [...running, ...last].map((each) => ({ ...each, name: escapeControls(each.name) }));
  const lines = amountLines(amounts, layout);
  if (view.note !== undefined) lines.push(painted(truncate(escapeControls(view.note), layout.columns), yellow, layout));
  return lines;
}

/** Lines with the same columns. */
function amountLines(amounts: readonly RunningTransfer[], layout: ProgressLayout): string[] {
  const longestName = amounts.reduce((widest, { name }) => Math.max(widest, displayWidth(name)), 0);
  let nameColumns = Math.min(longestName, MIN_NAME_COLUMNS, layout.columns);
  let free = layout.columns - nameColumns;
  const shown = new Set<Part>();
  for (const [part, columns] of Object.entries(partColumns) as [Part, number][]) {
    if (free < GAP.length + columns) break;
    shown.add(part);
    free -= GAP.length + columns;
  }
  nameColumns = Math.min(longestName, MAX_NAME_COLUMNS, nameColumns + free);
  return amounts.map((amount) => {
    const texts = partTexts(amount, layout);
    const parts = order.filter((part) => shown.has(part)).map((part) => texts[part]);
    return [padColumns(shortenMiddle(amount.name, nameColumns), nameColumns), ...parts].join(GAP).trimEnd();
  });
}

/** Each as wide as its column. */
function partTexts(amount: Amount, layout: ProgressLayout): Record<Part, string> {
  const share = shareOf(amount);
  const rate = amount.bytesPerSecond;
  return {
    percent: (share === undefined ? '' : `${Math.floor(share * 100)}%`).padStart(partColumns.percent),
    rate: (rate === undefined ? '' : formatRate(rate)).padStart(partColumns.rate),
    timeLeft: timeLeftText(amount).padStart(partColumns.timeLeft),
    bytes: bytesText(amount).padStart(partColumns.bytes),
    bar: share === undefined ? ' '.repeat(BAR_COLUMNS) : bar(share, layout),
  };
}

/** From 0 to 1. An empty file is complete. */
function shareOf({ bytesDone, bytesTotal }: Amount): number | undefined {
  if (bytesTotal === undefined) return undefined;
  return bytesTotal === 0 ? 1 : Math.min(1, bytesDone / bytesTotal);
}

function bytesText({ bytesDone, bytesTotal }: Amount): string {
  return bytesTotal === undefined ? formatBytes(bytesDone) : `${formatBytes(bytesDone)}/${formatBytes(bytesTotal)}`;
}

function timeLeftText({ bytesDone, bytesTotal, bytesPerSecond }: Amount): string {
  if (bytesTotal === undefined || bytesPerSecond === undefined || bytesDone >= bytesTotal) return '';
  const seconds = Math.ceil((bytesTotal - bytesDone) / bytesPerSecond);
  // a link that rests has a rate next to nothing, which would promise years
  return seconds < 100 * 86_400 ? `${formatSeconds(seconds)} left` : 'stalled';
}

function bar(share: number, layout: ProgressLayout): string {
  const filled = Math.floor(share * BAR_COLUMNS);
  const [done, open] = ['━'.repeat(filled), '─'.repeat(BAR_COLUMNS - filled)];
  return `${painted(done, green, layout)}${painted(open, dim, layout)}`;
}

function painted(text: string, colour: string, { hasColours }: ProgressLayout): string {
  return hasColours && text !== '' ? `${colour}${text}${reset}` : text;
}
