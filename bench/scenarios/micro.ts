import path from 'node:path';
import { runToEnd, startChild } from '../child-processes.js';
import type { ReadingsScenario } from '../readings.js';
import { buildDirectory } from '../repository.js';

const DEADLINE_MS = 60_000;

/** By the names that load/micro.ts knows. */
const MICROS: Readonly<Record<string, string>> = {
  'decoder-whole': 'LengthFieldDecoder: a packet of 64 B data that lies whole in a chunk of 64 KiB',
  'decoder-split': 'LengthFieldDecoder: the same packets in chunks of 100 bytes, so that each is assembled',
  'text-decode': 'decodeCommandText and the Count of a CyclePacket request',
  'text-encode': 'encodeCyclePacketResponse',
  'packet-encode': 'encodePacket of a response of 64 B data',
  'queue-send': 'OutboundQueue: a copy of an answer of 120 B, 64 of them to a write',
  'queue-in-place': 'OutboundQueue: an answer of 120 B written where it is sent from, 64 of them to a write',
};

/** The parts of the path of a message by themselves, without a socket. A part that got faster need not make the server faster. */
export const MICRO_SCENARIO: ReadingsScenario = {
  kind: 'readings',
  name: 'micro',
  description: 'parts of the path of a message, without a socket, in a process of their own',
  quantities: [
    { name: 'ns', better: 'less', digits: 0 },
    { name: 'bytes of garbage', better: 'less', digits: 0 },
  ],
  subjects: Object.entries(MICROS).map(([name, description]) => ({
    name: `micro-${name}`,
    description,
    measure: async () => {
      const program = path.join(buildDirectory, 'load', 'micro.js');
      const child = await startChild(process.execPath, ['--expose-gc', program, name]);
      return JSON.parse(await runToEnd(child, DEADLINE_MS));
    },
  })),
};
