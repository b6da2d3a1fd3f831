import {
  CLOSE_REASONS,
  type ClosedConnection,
  CONNECTION_EVENT_TEXTS,
  type ConnectionEvent,
  type ConnectionExplanation,
} from '@sluice/client';
import { formatBytes, formatSeconds } from '../options/quantities.js';
import { type TableColumn, tableLines } from '../terminal/table.js';
import { escapeControls, shortenMiddle, wrapColumns } from '../terminal/terminal-text.js';

const WIDTH = 80;
/** Of a user or a protocol; of a longer one the middle is left out. */
const MAX_NAME = 40;

/** What `sluice explain ID` shows, in 80 columns. */
export function explanationLines({ connection, lostEvents, events }: ConnectionExplanation): string[] {
  const { id, remoteAddress, localAddress, protocol, user, isEncrypted, connectedAt } = connection;
  const name = protocol === '' ? 'no protocol chosen' : shortenMiddle(escapeControls(protocol), MAX_NAME);
  const who = shortenMiddle(escapeControls(user ?? '-'), MAX_NAME);
  const lines = [
    ...wrapColumns(`connection ${id}  ${remoteAddress} -> ${localAddress}`, WIDTH),
    ...wrapColumns(`${name}, user ${who}, ${isEncrypted ? 'TLS' : 'plain'}, since ${connectedAt}`, WIDTH),
    `${formatBytes(connection.receivedBytes)} in, ${formatBytes(connection.sentBytes)} out, ${formatBytes(connection.queuedBytes)} queued`,
    '',
  ];
  for (const [index, event] of events.entries()) {
    if (lostEvents > 0 && index === FIRST_EVENTS) lines.push(lostText(lostEvents));
    lines.push(eventLine(event));
  }
  lines.push('', ...endLines(connection));
  return lines.map((line) => shortenMiddle(escapeControls(line), WIDTH));
}

/** What `sluice explain` lists, the latest first. @param width of the terminal; `Infinity` for none */
export function closedLines(closed: readonly ClosedConnection[], width: number): string[] {
  const columns: TableColumn<ClosedConnection>[] = [
    { heading: 'ID', text: ({ id }) => String(id), align: 'right', giveWay: 0 },
    { heading: 'USER', text: ({ user }) => user ?? '-', giveWay: 0, minWidth: 8 },
    { heading: 'PROTOCOL', text: ({ protocol }) => protocol || '-', giveWay: 1 },
    { heading: 'FROM', text: ({ remoteAddress }) => remoteAddress, giveWay: 4, minWidth: 21 },
    { heading: 'LASTED', text: ({ durationMs }) => formatSeconds(durationMs / 1000), align: 'right', giveWay: 2 },
    { heading: 'IN', text: ({ receivedBytes }) => formatBytes(receivedBytes), align: 'right', giveWay: 6 },
    { heading: 'OUT', text: ({ sentBytes }) => formatBytes(sentBytes), align: 'right', giveWay: 6 },
    { heading: 'REASON', text: ({ reason }) => reason, giveWay: 0 },
  ];
  return tableLines(columns, closed.toReversed(), { width });
}

function eventLine(event: ConnectionEvent): string {
  const { direction, atMs, lastMs, count } = event;
  const arrow = direction === 'in' ? '->' : direction === 'out' ? '<-' : '  ';
  const times = count > 1 ? ` x ${count.toLocaleString('en-US')}` : '';
  const until = lastMs - atMs >= 1 ? `, until ${seconds(lastMs)}` : '';
  return `${seconds(atMs).padStart(11)}  ${arrow} ${nameOf(event)}${times}${valueText(event)}${until}`;
}

function nameOf({ event, direction }: ConnectionEvent): string {
  return direction === undefined ? (CONNECTION_EVENT_TEXTS[event] ?? event) : event;
}

function valueText({ event, direction, unit, count, total = 0, largest = 0 }: ConnectionEvent): string {
  if (unit === undefined) return '';
  if (unit === 'code') return ` ${largest}`;
  if (unit === 'ms') return count === 1 ? `, ${total} ms` : `, ${total} ms in all, at most ${largest} ms`;
  if (direction === undefined)
    return largest === 0 ? '' : `, ${formatBytes(largest)}${event === 'send-refused' ? '' : ' queued'}`;
  return count === 1 ? `, ${formatBytes(total)}` : `, ${formatBytes(total)} in all, at most ${formatBytes(largest)}`;
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(4)} s`;
}

/** As many as a server keeps of the beginning. docs/protocol.md, section 17.18. */
const FIRST_EVENTS = 24;

function lostText(lostEvents: number): string {
  return `${' '.repeat(11)}  .. ${lostEvents.toLocaleString('en-US')} more, not kept`;
}

function endLines({ reason, cause, durationMs, closedAt }: ConnectionExplanation['connection']): string[] {
  if (reason === undefined) return ['still open'];
  const meaning = CLOSE_REASONS.get(reason) ?? 'A reason of a protocol that this command does not know.';
  const code = cause === undefined ? '' : ` (${cause})`;
  return [
    `closed ${closedAt ?? ''} after ${formatSeconds((durationMs ?? 0) / 1000)}: ${reason}${code}`,
    ...wrapColumns(meaning, WIDTH),
  ];
}
