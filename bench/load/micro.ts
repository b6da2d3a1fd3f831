// One part of the path of a message, run many times in this process.
//
// node --expose-gc micro.js NAME      prints one line of JSON: nanoseconds and bytes of garbage of one operation
import { DEFAULT_OUTBOUND_LIMITS, OutboundQueue } from '@sluice/core';
import { LengthFieldDecoder } from '@sluice/framing';
import {
  decodeCommandText,
  decodeCyclePacketRequest,
  encodeCyclePacketRequest,
  encodeCyclePacketResponse,
  encodePacket,
  packetLayout,
} from '@sluice/wire';

const DATA = new Uint8Array(64).fill(1);
const REQUEST = encodePacket(encodeCyclePacketRequest(1), DATA);
const RESPONSE = encodePacket(encodeCyclePacketResponse('CyclePacket', 1), DATA);
const CHUNK_BYTES = 64 * 1024;
const SPLIT_BYTES = 100;
const ANSWERS_PER_WRITE = 64;
const MEASURED_MS = 400;
const WARM_UP_MS = 200;

/** Each does its work once and returns how many operations that were. What they find is kept, so that nothing is optimized away. */
let found = 0;
const micros: Readonly<Record<string, () => () => number>> = {
  'decoder-whole': () => decode(CHUNK_BYTES),
  'decoder-split': () => decode(SPLIT_BYTES),
  'text-decode': () => {
    const text = encodeCyclePacketRequest(12_345);
    return () => {
      found += decodeCyclePacketRequest(decodeCommandText(text, 0, text.length));
      return 1;
    };
  },
  'text-encode': () => () => {
    found += encodeCyclePacketResponse('CyclePacket', 12_345).length;
    return 1;
  },
  'packet-encode': () => {
    const text = encodeCyclePacketResponse('CyclePacket', 1);
    return () => {
      found += encodePacket(text, DATA).length;
      return 1;
    };
  },
  'queue-send': () => {
    const queue = makeQueue();
    return () => {
      queue.hold();
      for (let i = 0; i < ANSWERS_PER_WRITE; i += 1) if (queue.send(RESPONSE) !== 'sent') throw new Error('not sent');
      queue.flush();
      return ANSWERS_PER_WRITE;
    };
  },
  'queue-in-place': () => {
    const queue = makeQueue();
    const fill = (target: Uint8Array, at: number) => {
      target.set(RESPONSE, at);
      return RESPONSE.length;
    };
    return () => {
      queue.hold();
      for (let i = 0; i < ANSWERS_PER_WRITE; i += 1) {
        if (queue.sendInPlace(RESPONSE.length, fill) !== 'sent') throw new Error('not sent');
      }
      queue.flush();
      return ANSWERS_PER_WRITE;
    };
  },
};

function decode(chunkBytes: number): () => number {
  const count = Math.floor(CHUNK_BYTES / REQUEST.length);
  const stream = new Uint8Array(count * REQUEST.length);
  for (let i = 0; i < count; i += 1) stream.set(REQUEST, i * REQUEST.length);
  const sink = {
    onFrame: (_source: Uint8Array, start: number, end: number) => {
      found += end - start;
      return true;
    },
  };
  const decoder = new LengthFieldDecoder(packetLayout(), sink);
  return () => {
    for (let at = 0; at < stream.length; at += chunkBytes) {
      decoder.push(stream, at, Math.min(at + chunkBytes, stream.length));
    }
    return count;
  };
}

/** A queue whose target takes everything at once, and says so later, as a socket does. */
function makeQueue(): OutboundQueue {
  let written: (() => void) | undefined;
  const target = {
    writableLength: 0,
    write: (bytes: Uint8Array, callback: () => void) => {
      found += bytes.length;
      written?.();
      written = callback;
    },
  };
  return new OutboundQueue(target, DEFAULT_OUTBOUND_LIMITS, () => {});
}

function runFor(ms: number, once: () => number): { operations: number; elapsedNs: number } {
  const start = process.hrtime.bigint();
  let operations = 0;
  let elapsedNs = 0;
  while (elapsedNs < ms * 1e6) {
    for (let i = 0; i < 100; i += 1) operations += once();
    elapsedNs = Number(process.hrtime.bigint() - start);
  }
  return { operations, elapsedNs };
}

/** Bytes on the heap that one operation leaves behind; too few operations for a collection to come between. */
function garbageOf(once: () => number): number {
  globalThis.gc?.();
  const before = process.memoryUsage();
  let operations = 0;
  while (operations < 2_000) operations += once();
  const after = process.memoryUsage();
  const bytes = after.heapUsed - before.heapUsed + (after.arrayBuffers - before.arrayBuffers);
  return Math.max(0, bytes) / operations;
}

const make = micros[process.argv[2] ?? ''];
if (make === undefined) throw new Error(`usage: micro ${Object.keys(micros).join('|')}`);
const once = make();
runFor(WARM_UP_MS, once);
const { operations, elapsedNs } = runFor(MEASURED_MS, once);
const garbage = garbageOf(once);
if (found === 0) throw new Error('nothing was done');
console.log(JSON.stringify({ ns: elapsedNs / operations, 'bytes of garbage': garbage }));
