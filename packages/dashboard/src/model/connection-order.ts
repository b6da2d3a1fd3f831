import type { ConnectionRecord } from '../server-api.js';

/** What connections can be sorted by. */
export type ConnectionSortKey =
  | 'id'
  | 'user'
  | 'protocol'
  | 'remote'
  | 'connected'
  | 'idle'
  | 'received'
  | 'sent'
  | 'rate'
  | 'queued';

export interface ConnectionOrder {
  readonly key: ConnectionSortKey;
  readonly isReversed: boolean;
}

/** Which connections are shown, and how they are sorted. */
export interface ConnectionView {
  readonly order: ConnectionOrder;
  /** Words that a connection must all have somewhere: id, user, protocol, address, name of its transfer. */
  readonly filter: string;
}

type Compare = (a: ConnectionRecord, b: ConnectionRecord) => number;

const COMPARISONS: Readonly<Record<ConnectionSortKey, Compare>> = {
  id: (a, b) => a.id - b.id,
  user: (a, b) => compareTexts(a.user ?? '', b.user ?? ''),
  protocol: (a, b) => compareTexts(a.protocol, b.protocol),
  remote: (a, b) => compareTexts(a.remoteAddress, b.remoteAddress),
  connected: (a, b) => compareTexts(a.connectedAt, b.connectedAt),
  idle: (a, b) => compareTexts(a.lastActivityAt, b.lastActivityAt),
  received: (a, b) => b.receivedBytes - a.receivedBytes,
  sent: (a, b) => b.sentBytes - a.sentBytes,
  rate: (a, b) => b.receiveRate + b.sendRate - (a.receiveRate + a.sendRate),
  queued: (a, b) => b.queuedBytes - a.queuedBytes,
};

/** The connections that a view has, in its order: what is largest, longest or first in the alphabet comes first; equal ones by their age. */
export function arrangeConnections(
  connections: readonly ConnectionRecord[],
  { order, filter }: ConnectionView,
): ConnectionRecord[] {
  const words = filter.toLowerCase().split(/\s+/).filter(Boolean);
  const shown = words.length === 0 ? [...connections] : connections.filter((each) => hasWords(each, words));
  const compare = COMPARISONS[order.key];
  const sign = order.isReversed ? -1 : 1;
  return shown.sort((a, b) => sign * compare(a, b) || a.id - b.id);
}

/** The order after a click on a column: the same one the other way round, another one from its beginning. */
export function nextOrder(order: ConnectionOrder, key: ConnectionSortKey): ConnectionOrder {
  return { key, isReversed: order.key === key && !order.isReversed };
}

function hasWords(
  { id, user, protocol, remoteAddress, transfer }: ConnectionRecord,
  words: readonly string[],
): boolean {
  const text = `${id} ${user ?? ''} ${protocol} ${remoteAddress} ${transfer?.name ?? ''}`.toLowerCase();
  return words.every((word) => text.includes(word));
}

function compareTexts(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
