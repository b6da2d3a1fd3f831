import type { RandomSource } from './random-source.js';
import type { LinkConditions } from './simulated-end.js';

type LinkKind = 'near' | 'far' | 'narrow' | 'crumbling';

/** Where peers come from: few places, so that they share limits. */
const ADDRESSES = ['127.0.0.1', '198.51.100.7', '198.51.100.8', '203.0.113.5', '2001:db8::1', '2001:db8::2'];

export function peerAddress(random: RandomSource): string {
  return random.pick(ADDRESSES);
}

export function linkConditions(random: RandomSource): LinkConditions {
  const kind: LinkKind = random.weighted({ near: 4, far: 3, narrow: 2, crumbling: 1 });
  const buffer = (low: number, high: number): number => Math.floor(low * (high / low) ** random.next());
  switch (kind) {
    case 'near':
      return {
        minDelayMs: 0,
        maxDelayMs: 1,
        segmentBytes: 64 << 10,
        sendBufferBytes: buffer(4 << 10, 256 << 10),
        receiveBufferBytes: buffer(4 << 10, 256 << 10),
      };
    case 'far':
      return {
        minDelayMs: 20,
        maxDelayMs: random.between(25, 300),
        segmentBytes: random.pick([1460, 8192, 64 << 10]),
        sendBufferBytes: buffer(4 << 10, 64 << 10),
        receiveBufferBytes: buffer(4 << 10, 64 << 10),
      };
    case 'narrow':
      return {
        minDelayMs: 1,
        maxDelayMs: 20,
        segmentBytes: 1460,
        sendBufferBytes: buffer(256, 2048),
        receiveBufferBytes: buffer(256, 2048),
      };
    case 'crumbling':
      return {
        minDelayMs: 0,
        maxDelayMs: 2,
        segmentBytes: random.between(2, 40),
        sendBufferBytes: buffer(1024, 16 << 10),
        receiveBufferBytes: buffer(64, 4096),
      };
  }
}
