import type { ProcessUse, SpeedFlow, SpeedLimit } from './speed-result.js';

/** From this share on, a thread counts as never idle. */
const BUSY_SHARE = 0.9;

/** Below this share on both ends, they have waited. */
const IDLE_SHARE = 0.75;

/** From this share of a cap on, the cap is what holds. A burst at the beginning may go above it. */
const CAPPED_SHARE = 0.9;

/**
 * A thread that is at work for so much longer than it has a core shares that with others. What the link would do for it then, nobody knows.
 * Below a share of the time it does not matter.
 */
const STARVED_RATIO = 1.75;
const MATTERING_SHARE = 0.1;

/** What can be said about the speed of a measurement. */
export interface MeasuredUse {
  readonly client: ProcessUse | undefined;
  readonly server: ProcessUse | undefined;
  /** Bytes a second each way. */
  readonly serverCap: number | undefined;
  readonly flows: readonly SpeedFlow[];
}

/** What holds the speed down, as far as it can be told. */
export function limitingFactor({ client, server, serverCap, flows }: MeasuredUse): SpeedLimit {
  if (serverCap !== undefined && flows.some(({ bytesPerSecond }) => bytesPerSecond >= serverCap * CAPPED_SHARE))
    return 'server-cap';
  const isClientBusy = client !== undefined && client.busyShare >= BUSY_SHARE;
  const isServerBusy = server !== undefined && server.busyShare >= BUSY_SHARE;
  if (isClientBusy && isServerBusy) return 'both-cpus';
  if (isClientBusy) return 'client-cpu';
  if (isServerBusy) return 'server-cpu';
  // Of one that does not tell, nobody knows whether it has waited.
  return server && client && hasWaited(client) && hasWaited(server) ? 'link' : 'unknown';
}

/** Whether a process could have done more, had there been more to do. */
function hasWaited({ busyShare, cpuShare }: ProcessUse): boolean {
  const isStarved = busyShare > MATTERING_SHARE && busyShare > cpuShare * STARVED_RATIO;
  return busyShare < IDLE_SHARE && !isStarved;
}
