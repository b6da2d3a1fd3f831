import type { ClosedConnection, ConnectionExplanation, ConnectionRecord, ServerPartial } from '../server-api.js';

import type { DemoTimings } from './demo-timings.js';

const MIB = 1 << 20;

/** The statistics of the demonstration. docs/protocol.md, section 17.9. */
export function demoStats(
  connections: readonly ConnectionRecord[],
  startedMs: number,
  bytes: { readonly receivedBytes: number; readonly sentBytes: number },
  partials: readonly ServerPartial[],
  timings: DemoTimings,
): Record<string, unknown> {
  const protocols: Record<string, number> = {};
  for (const { protocol } of connections) protocols[protocol] = (protocols[protocol] ?? 0) + 1;
  const now = connections.length;
  const load = now / 10_000;
  const budget = (limit: number, share: number) => ({
    limit,
    used: Math.round(limit * share * (0.8 + Math.random() * 0.2)),
    peak: Math.round(limit * Math.min(1, share * 1.4)),
  });
  return {
    startedAt: new Date(startedMs).toISOString(),
    uptimeMs: Date.now() - startedMs,
    node: 'v24.4.0',
    connections: {
      now,
      waiting: now > 9000 ? 12 : 0,
      max: 10_240,
      maxWaiting: 1024,
      unestablished: Math.round(now / 60),
      maxUnestablished: 1000,
      accepted: now * 13 + 4211,
      refused: now > 0 ? 318 : 0,
      refusedBy: now > 0 ? { 'address-rate': 250, full: 68 } : {},
      protocols,
      closed: now > 0 ? { 'peer-closed': 41_022, 'idle-timeout': 512, 'peer-reset': 208, kicked: 3 } : {},
    },
    descriptors: { limit: 20_000, reserve: 128, used: now + 160 },
    transfers: connections.filter(({ transfer }) => transfer).length,
    ...bytes,
    messages: { dropped: 0 },
    memory: {
      rss: 92 * MIB + now * 5400,
      ceiling: {
        limit: 512 * MIB,
        level: 0,
        budgets: {
          receive: budget(64 * MIB, 0.1 + load * 0.5),
          send: budget(64 * MIB, 0.05 + load * 0.7),
          work: budget(64 * MIB, 0.02 + load * 0.2),
        },
      },
    },
    eventLoopDelayMs: { p50: 0.1, p99: 2.1, max: 14.2 },
    timings: timings.read(load),
    staging: { partials: partials.length, parkedBytes: partials.reduce((sum, each) => sum + each.stagedBytes, 0) },
    isReadOnly: false,
  };
}

export function demoExplanation(connection: ConnectionRecord | ClosedConnection): ConnectionExplanation {
  const isClosed = 'reason' in connection;
  const lastMs = Date.now() - Date.parse(connection.connectedAt);
  return {
    connection,
    lostEvents: 0,
    events: [
      { event: 'protocol-byte', atMs: 0.8, lastMs: 0.8, count: 1 },
      { event: 'protocol-chosen', atMs: 0.9, lastMs: 0.9, count: 1 },
      { event: 'Login', direction: 'in', atMs: 1.4, lastMs: 3.2, count: 2, unit: 'bytes', total: 412, largest: 240 },
      { event: 'Login', direction: 'out', atMs: 2.1, lastMs: 4.4, count: 2, unit: 'bytes', total: 310, largest: 190 },
      { event: 'login-accepted', atMs: 4.4, lastMs: 4.4, count: 1 },
      {
        event: 'BeginUpload',
        direction: 'in',
        atMs: 9.2,
        lastMs: 9.2,
        count: 1,
        unit: 'bytes',
        total: 380,
        largest: 380,
      },
      {
        event: 'Data',
        direction: 'in',
        atMs: 11,
        lastMs: lastMs * 0.9,
        count: 18_211,
        unit: 'bytes',
        total: 18_211 * 65_536,
        largest: 65_548,
      },
      { event: 'handler-slow', atMs: 5311, lastMs: 5311, count: 1, unit: 'ms', total: 184, largest: 184 },
      { event: 'reading-paused', atMs: 6100, lastMs: 6100, count: 1, unit: 'bytes', total: 524_288, largest: 524_288 },
      { event: 'reading-resumed', atMs: 6190, lastMs: 6190, count: 1 },
      ...(isClosed ? [{ event: 'gone', atMs: lastMs, lastMs, count: 1 }] : []),
    ],
  };
}
