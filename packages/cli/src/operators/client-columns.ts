import type { ListedClient } from '@sluice/client';
import { formatBytes, formatRate, formatSeconds } from '../options/quantities.js';
import type { TableColumn } from '../terminal/table.js';

/** What connections can be sorted by. */
export const SORT_KEYS = [
  'id',
  'user',
  'protocol',
  'remote',
  'connected',
  'idle',
  'in',
  'out',
  'rate',
  'queued',
] as const;

export type SortKey = (typeof SORT_KEYS)[number];

/** The columns of `sluice clients` and `sluice top`. @param nowMs as Date.now */
export function clientColumns(nowMs: number): readonly TableColumn<ListedClient>[] {
  return [
    { heading: 'ID', text: ({ id }) => (id === undefined ? '' : String(id)), align: 'right', giveWay: 0 },
    { heading: 'USER', text: ({ user }) => user ?? '-', giveWay: 0, minWidth: 8 },
    { heading: 'PROTOCOL', text: ({ protocol }) => protocol, giveWay: 1 },
    { heading: 'FROM', text: ({ remoteAddress }) => remoteAddress, giveWay: 4, minWidth: 15 },
    { heading: 'TLS', text: ({ isEncrypted }) => (isEncrypted ? 'yes' : ''), giveWay: 10 },
    { heading: 'SINCE', text: ({ connectedAt }) => ageText(connectedAt, nowMs), align: 'right', giveWay: 7 },
    { heading: 'IDLE', text: ({ lastActivityAt }) => ageText(lastActivityAt, nowMs), align: 'right', giveWay: 5 },
    { heading: 'IN', text: ({ receivedBytes }) => bytesText(receivedBytes), align: 'right', giveWay: 8 },
    { heading: 'OUT', text: ({ sentBytes }) => bytesText(sentBytes), align: 'right', giveWay: 8 },
    { heading: 'IN/S', text: ({ receiveRate }) => rateText(receiveRate), align: 'right', giveWay: 2 },
    { heading: 'OUT/S', text: ({ sendRate }) => rateText(sendRate), align: 'right', giveWay: 2 },
    {
      heading: 'QUEUED',
      text: ({ queuedBytes }) => (queuedBytes ? bytesText(queuedBytes) : ''),
      align: 'right',
      giveWay: 9,
    },
    { heading: 'TRANSFER', text: transferText, giveWay: 3, minWidth: 16 },
  ];
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
