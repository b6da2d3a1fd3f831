import type { ConnectionRecord } from '../server-api.js';

/** A user with connections. */
export interface ConnectedUser {
  /** Empty for those that have not logged in. */
  readonly name: string;
  readonly connections: number;
  readonly transfers: number;
  /** In bytes per second. */
  readonly receiveRate: number;
  readonly sendRate: number;
  readonly receivedBytes: number;
  readonly sentBytes: number;
  /** ISO 8601, UTC: the last of all their connections. */
  readonly lastActivityAt: string;
  readonly protocols: readonly string[];
}

/** Who is connected, by name; those without a login come last, together. */
export function connectedUsers(connections: readonly ConnectionRecord[]): ConnectedUser[] {
  const users = new Map<string, ConnectionRecord[]>();
  for (const connection of connections) {
    const name = connection.user ?? '';
    const own = users.get(name);
    if (own) own.push(connection);
    else users.set(name, [connection]);
  }
  return [...users].map(([name, own]) => summary(name, own)).sort(byName);
}

function summary(name: string, own: readonly ConnectionRecord[]): ConnectedUser {
  const sum = (figure: (each: ConnectionRecord) => number): number =>
    own.reduce((total, each) => total + figure(each), 0);
  return {
    name,
    connections: own.length,
    transfers: own.filter(({ transfer }) => transfer).length,
    receiveRate: sum(({ receiveRate }) => receiveRate),
    sendRate: sum(({ sendRate }) => sendRate),
    receivedBytes: sum(({ receivedBytes }) => receivedBytes),
    sentBytes: sum(({ sentBytes }) => sentBytes),
    lastActivityAt: own.reduce((last, each) => (each.lastActivityAt > last ? each.lastActivityAt : last), ''),
    protocols: [...new Set(own.map(({ protocol }) => protocol))].sort(),
  };
}

function byName(a: ConnectedUser, b: ConnectedUser): number {
  if ((a.name === '') !== (b.name === '')) return a.name === '' ? 1 : -1;
  return a.name < b.name ? -1 : 1;
}
