import type { ConnectionRecord } from '../server-api.js';

/** A transfer of the server: one file, however many connections move it. */
export interface TransferGroup {
  readonly key: string;
  readonly direction: 'upload' | 'download' | 'stream';
  /** As the client named it. */
  readonly name: string;
  readonly user: string | undefined;
  readonly connections: readonly ConnectionRecord[];
  /** In bytes per second. */
  readonly rate: number;
  readonly doneBytes: number;
  /** Missing when it is not known how much is to be moved: a stream, or parts of a download that several connections fetch. */
  readonly totalBytes?: number;
  /** Missing when it cannot be told. */
  readonly secondsLeft?: number;
}

/** The transfers that connections are at, in the order of their first connections. */
export function transferGroups(connections: readonly ConnectionRecord[]): TransferGroup[] {
  const groups = new Map<string, ConnectionRecord[]>();
  for (const connection of connections) {
    if (!connection.transfer) continue;
    const { direction, name } = connection.transfer;
    const key = JSON.stringify([direction, connection.user ?? '', hostOf(connection.remoteAddress), name]);
    const group = groups.get(key);
    if (group) group.push(connection);
    else groups.set(key, [connection]);
  }
  return [...groups].map(([key, members]) => groupOf(key, members));
}

function groupOf(key: string, connections: readonly ConnectionRecord[]): TransferGroup {
  const { user, transfer } = connections[0]!;
  const { direction, name } = transfer!;
  const rate = connections.reduce(
    (sum, each) =>
      sum +
      (direction === 'upload'
        ? each.receiveRate
        : direction === 'download'
          ? each.sendRate
          : each.receiveRate + each.sendRate),
    0,
  );
  // each connection of an upload tells all that is staged of the file; one of a download, where it is in its own part
  const isOfParts = direction === 'download' && connections.length > 1;
  const doneBytes = isOfParts
    ? connections.reduce((sum, each) => sum + each.sentBytes, 0)
    : Math.max(...connections.map((each) => each.transfer!.doneBytes));
  const totalBytes = isOfParts ? undefined : transfer!.totalBytes;
  const secondsLeft =
    totalBytes === undefined || rate < 1 ? undefined : Math.max(0, Math.ceil((totalBytes - doneBytes) / rate));
  return {
    key,
    direction,
    name,
    user,
    connections,
    rate,
    doneBytes,
    ...(totalBytes !== undefined && { totalBytes }),
    ...(secondsLeft !== undefined && { secondsLeft }),
  };
}

/** `a.b.c.d:port` and `[...]:port` without the port. */
export function hostOf(address: string): string {
  return address.replace(/:\d+$/, '');
}
