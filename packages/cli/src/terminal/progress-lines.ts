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

const BAR_COLUMNS = 20;
const MIN_NAME_COLUMNS = 12;
const MAX_NAME_COLUMNS = 40;
const GAP = '  ';
const green = '\x1b[32m';
const yellow = '\x1b[33m';
const dim = '\x1b[2m';
const reset = '\x1b[0m';

/** One line per running transfer if they fit, then one for all, then the note. What does not fit a line is left out, the bar first. */
export function progressLines(view: ProgressView, layout: ProgressLayout): string[] {
  const last: string[] = [];
  if (view.summary) {
    const { filesDone, filesTotal } = view.summary;
    last.push(amountLine(`${filesDone} of ${filesTotal} files`, view.summary, layout));
  }
  if (view.note !== undefined) {
    last.push(painted(truncate(escapeControls(view.note), layout.columns), yellow, layout));
  }
  const room = Math.max(0, layout.rows - last.length);
  const shown = view.summary && view.running.length > room ? [] : view.running.slice(0, room);
  return [...shown.map((transfer) => amountLine(escapeControls(transfer.name), transfer, layout)), ...last];
}

function amountLine(name: string, amount: Amount, layout: ProgressLayout): string {
  const wantedName = Math.min(displayWidth(name), MAX_NAME_COLUMNS);
  const minName = Math.min(wantedName, MIN_NAME_COLUMNS);
  let left = layout.columns - minName;
  // in the order in which they may stay; shown in the order of `order`
  const parts = new Map<string, string>();
  const take = (part: string, text: string | undefined, width = displayWidth(text ?? '')): void => {
    if (text === undefined || left < GAP.length + width) return;
    parts.set(part, text);
    left -= GAP.length + width;
  };
  const share = shareOf(amount);
  take('percent', share === undefined ? undefined : `${Math.floor(share * 100)}%`.padStart(4));
  take('rate', amount.bytesPerSecond === undefined ? undefined : formatRate(amount.bytesPerSecond).padStart(10));
  take('left', timeLeftText(amount)?.padStart(8));
  take('bytes', bytesText(amount).padStart(19));
  take('bar', share === undefined ? undefined : bar(share, layout), BAR_COLUMNS);
  const nameWidth = Math.min(MAX_NAME_COLUMNS, minName + Math.max(0, left));
  const shownName = padColumns(shortenMiddle(name, nameWidth), Math.min(nameWidth, MAX_NAME_COLUMNS));
  const order = ['bar', 'percent', 'bytes', 'rate', 'left'];
  return [shownName, ...order.flatMap((part) => parts.get(part) ?? [])].join(GAP).trimEnd();
}

/** From 0 to 1. An empty file is complete. */
function shareOf({ bytesDone, bytesTotal }: Amount): number | undefined {
  if (bytesTotal === undefined) return undefined;
  return bytesTotal === 0 ? 1 : Math.min(1, bytesDone / bytesTotal);
}

function bytesText({ bytesDone, bytesTotal }: Amount): string {
  return bytesTotal === undefined ? formatBytes(bytesDone) : `${formatBytes(bytesDone)}/${formatBytes(bytesTotal)}`;
}

function timeLeftText({ bytesDone, bytesTotal, bytesPerSecond }: Amount): string | undefined {
  if (bytesTotal === undefined || bytesPerSecond === undefined) return undefined;
  if (bytesDone >= bytesTotal) return '';
  // a rate of nothing at all would promise years
  const seconds = (bytesTotal - bytesDone) / bytesPerSecond;
  return seconds < 100 * 86_400 ? `${formatSeconds(Math.ceil(seconds))} left` : 'stalled';
}

function bar(share: number, layout: ProgressLayout): string {
  const filled = Math.floor(share * BAR_COLUMNS);
  const [done, open] = ['━'.repeat(filled), '─'.repeat(BAR_COLUMNS - filled)];
  return `${painted(done, green, layout)}${painted(open, dim, layout)}`;
}

function painted(text: string, colour: string, { hasColours }: ProgressLayout): string {
  return hasColours && text !== '' ? `${colour}${text}${reset}` : text;
}
