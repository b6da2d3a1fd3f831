import type { Contender } from '../contenders/contender.js';
import { startListeningServer } from '../contenders/listening-server.js';
import { runNodeLoad } from '../contenders/load-client.js';
import { command, digest, serveArguments, startSluice, unavailable, user } from '../contenders/sluice.js';
import { measure } from '../measure.js';
import type { ReadingContext, ReadingsScenario, Subject } from '../readings.js';
import type { Direction } from '../scenarios.js';

const PACKET_BYTES = 256 * 1024;
const DASHBOARD = /^dashboard on http:\/\/127\.0\.0\.1:(\d+)\//m;
const protocol = { kind: 'sluice', packetBytes: PACKET_BYTES, user, digest } as const;

const overTcp: Contender = {
  name: 'tcp',
  description: 'sluice serve; load program in Node, packets of 256 KiB',
  maxConnections: 1,
  limitName: '',
  ...unavailable,
  start: startSluice,
  transfer: (server, transfer, onStart) => runNodeLoad(server, transfer, protocol, onStart, false),
};

const byGateway: Contender = {
  name: 'gateway',
  description: 'the same by a WebSocket to its gateway',
  maxConnections: 1,
  limitName: '',
  ...unavailable,
  start: (_scratch, root) => {
    const args = serveArguments(root).map((argument) => (argument === 'off' ? '127.0.0.1:0' : argument));
    return startListeningServer(command, args, {}, DASHBOARD);
  },
  transfer: (server, transfer, onStart) => runNodeLoad(server, transfer, protocol, onStart, true),
};

/** What the way through a WebSocket costs. The client masks what it sends, which a browser does faster than Node. */
export const GATEWAY_SCENARIOS: readonly ReadingsScenario[] = (['upload', 'download'] as const).map((direction) => ({
  kind: 'readings',
  name: direction === 'upload' ? 'gateway-up' : 'gateway-down',
  description: `${direction} of one file by the gateway`,
  quantities: [
    { name: 'MB/s', better: 'more', digits: 0, hasRatios: true },
    { name: 'server CPU s/GB', better: 'less', digits: 2, hasRatios: true },
    { name: 'server peak MB', better: 'less', digits: 0 },
    { name: 'client cores', digits: 2 },
    { name: 'other cores', digits: 1 },
  ],
  plainName: overTcp.name,
  subjects: [byGateway, overTcp].map((contender) => subjectOf(contender, direction)),
  prepare: ({ scratch }) => scratch.serve(direction === 'download' ? 1 : 0),
}));

function subjectOf(contender: Contender, direction: Direction): Subject {
  const { name, description, unavailable: reason } = contender;
  return {
    name,
    description,
    ...(reason === undefined ? {} : { unavailable: reason }),
    measure: async ({ scratch, sizeBytes }: ReadingContext) => {
      const scenario = { kind: 'transfer', name: 'gateway', direction, connections: 1 } as const;
      const sample = await measure(contender, scenario, sizeBytes, scratch);
      return {
        'MB/s': sample.bytes / sample.seconds / 1e6,
        'server CPU s/GB': (sample.serverCpuSeconds * 1e9) / sample.bytes,
        'server peak MB': sample.serverPeakBytes / 1e6,
        'client cores': sample.clientCpuSeconds / sample.seconds,
        'other cores': sample.otherBusyCores,
      };
    },
  };
}
