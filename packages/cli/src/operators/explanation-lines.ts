import type { ClosedConnection, ConnectionEvent, ConnectionExplanation } from '@sluice/client';
import { formatBytes, formatSeconds } from '../options/quantities.js';
import { type TableColumn, tableLines } from '../terminal/table.js';
import { escapeControls, shortenMiddle, wrapColumns } from '../terminal/terminal-text.js';
import { CLOSE_REASONS } from './close-reasons.js';

const WIDTH = 80;
/** Of a user or a protocol; of a longer one the middle is left out. */
const MAX_NAME = 40;

/** What the events of a connection without a direction are in words; those of protocols of one's own stand as they are. */
const EVENT_TEXTS: Readonly<Record<string, string>> = {
  'proxy-header': 'PROXY header read: the peer is the real one',
  'tls-begun': 'TLS handshake begun',
  'tls-done': 'TLS handshake done',
  'tls-failed': 'TLS handshake failed',
  'reading-paused': 'reading paused',
  'reading-resumed': 'reading goes on',
  'memory-paused': 'memory is short: reading paused',
  'memory-resumed': 'memory is there: reading goes on',
  'queue-high': 'queue above its high-water mark',
  'queue-drained': 'queue drained',
  'send-refused': 'queue full: a message was refused',
  'handler-slow': 'handling took long',
  'first-byte-late': 'deadline: the first byte did not come',
  'handshake-late': 'deadline: the TLS handshake did not end',
  'login-late': 'deadline: the login did not come',
  'frame-late': 'deadline: the rest of a packet did not come',
  'message-late': 'deadline: nothing came from the client',
  'reading-late': 'deadline: the client did not read',
  'close-late': 'deadline: the client did not close',
  displaced: 'made room for a newcomer, no client yet',
  'network-full': 'its address has too many connections',
  'network-rate': 'its address opens too many connections',
  'peer-ended': 'the client has sent its last byte',
  'shutdown-asked': 'the server asks to end',
  closing: 'closing: what is queued is still sent',
  cut: 'cut',
  gone: 'gone',
  'protocol-chosen': 'protocol chosen',
  'login-accepted': 'login accepted',
  'login-refused': 'login refused',
  'answer-not-ok': 'answer with an error, code',
};

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
  return direction === undefined ? (EVENT_TEXTS[event] ?? event) : event;
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
