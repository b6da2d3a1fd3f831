import type { ListedClient } from '@sluice/client';
import { formatBytes, formatRate, formatSeconds } from '../options/quantities.js';
import type { TableColumn } from '../terminal/table.js';
import type { SortKey } from './sort-keys.js';

/** A column, and what it is sorted by. */
export interface ClientColumn extends TableColumn<ListedClient> {
  readonly sortKey?: SortKey;
}

/** The columns of `sluice clients` and `sluice top`. @param nowMs as Date.now */
export function clientColumns(nowMs: number): readonly ClientColumn[] {
  return [
    {
      heading: 'ID',
      sortKey: 'id',
      text: ({ id }) => (id === undefined ? '' : String(id)),
      align: 'right',
      giveWay: 0,
      usualWidth: 4,
    },
    { heading: 'USER', sortKey: 'user', text: ({ user }) => user ?? '-', giveWay: 0, minWidth: 8, usualWidth: 8 },
    { heading: 'PROTOCOL', sortKey: 'protocol', text: ({ protocol }) => protocol, giveWay: 1, usualWidth: 12 },
    {
      heading: 'FROM',
      sortKey: 'remote',
      text: ({ remoteAddress }) => remoteAddress,
      giveWay: 4,
      minWidth: 15,
      usualWidth: 21,
    },
    { heading: 'TLS', text: ({ isEncrypted }) => (isEncrypted ? 'yes' : ''), giveWay: 10 },
    age('SINCE', 'connected', 7, ({ connectedAt }) => connectedAt, nowMs),
    age('IDLE', 'idle', 5, ({ lastActivityAt }) => lastActivityAt, nowMs),
    bytes('IN', 'in', 8, ({ receivedBytes }) => bytesText(receivedBytes)),
    bytes('OUT', 'out', 8, ({ sentBytes }) => bytesText(sentBytes)),
    bytes('IN/S', 'rate', 2, ({ receiveRate }) => rateText(receiveRate)),
    bytes('OUT/S', 'rate', 2, ({ sendRate }) => rateText(sendRate)),
    bytes('QUEUED', 'queued', 9, ({ queuedBytes }) => (queuedBytes ? bytesText(queuedBytes) : '')),
    { heading: 'TRANSFER', text: transferText, giveWay: 3, minWidth: 24, usualWidth: 30 },
  ];
}

function age(
  heading: string,
  sortKey: SortKey,
  giveWay: number,
  time: (client: ListedClient) => string,
  nowMs: number,
): ClientColumn {
  const text = (client: ListedClient): string => ageText(time(client), nowMs);
  return { heading, sortKey, text, align: 'right', giveWay, usualWidth: 7 };
}

function bytes(
  heading: string,
  sortKey: SortKey,
  giveWay: number,
  text: (client: ListedClient) => string,
): ClientColumn {
  return { heading, sortKey, text, align: 'right', giveWay, usualWidth: heading.endsWith('/S') ? 10 : 8 };
}

/** The order of connections: what is largest, longest or first in the alphabet comes first; equal ones by their age. */
export function sortClients(clients: readonly ListedClient[], key: SortKey): ListedClient[] {
  const compare = comparisons[key];
  return [...clients].sort((a, b) => compare(a, b) || (a.id ?? 0) - (b.id ?? 0));
}

const comparisons: Readonly<Record<SortKey, (a: ListedClient, b: ListedClient) => number>> = {
  id: () => 0,
  user: (a, b) => compareTexts(a.user ?? '', b.user ?? ''),
  protocol: (a, b) => compareTexts(a.protocol, b.protocol),
  remote: (a, b) => compareTexts(a.remoteAddress, b.remoteAddress),
  connected: (a, b) => compareTexts(a.connectedAt, b.connectedAt),
  idle: (a, b) => compareTexts(a.lastActivityAt, b.lastActivityAt),
  in: (a, b) => (b.receivedBytes ?? 0) - (a.receivedBytes ?? 0),
  out: (a, b) => (b.sentBytes ?? 0) - (a.sentBytes ?? 0),
  rate: (a, b) => rateOf(b) - rateOf(a),
  queued: (a, b) => (b.queuedBytes ?? 0) - (a.queuedBytes ?? 0),
};

function rateOf({ receiveRate = 0, sendRate = 0 }: ListedClient): number {
  return receiveRate + sendRate;
}

function compareTexts(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function transferText({ transfer }: ListedClient): string {
  if (!transfer) return '';
  const { direction, name, doneBytes, totalBytes } = transfer;
  const arrow = direction === 'upload' ? '↑' : direction === 'download' ? '↓' : '↕';
  const done = totalBytes ? `${Math.floor((100 * doneBytes) / totalBytes)}%` : formatBytes(doneBytes);
  return `${arrow} ${done} ${name}`;
}

function bytesText(bytes: number | undefined): string {
  return bytes === undefined ? '' : formatBytes(bytes);
}

function rateText(rate: number | undefined): string {
  return rate === undefined || rate === 0 ? '' : formatRate(rate);
}

/** How long ago; the text itself when it is no time that can be read: an original server writes what its machine's language wants. */
function ageText(time: string, nowMs: number): string {
  const utc = /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/.test(time) ? `${time.replace(' ', 'T')}Z` : time;
  const ms = Date.parse(utc);
  return Number.isNaN(ms) || !/^\d{4}-/.test(time) ? time : formatSeconds(Math.max(0, Math.floor((nowMs - ms) / 1000)));
}
