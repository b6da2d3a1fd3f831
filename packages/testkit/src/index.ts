export { splitEvery, splitsInTwo } from './byte-splitter.js';
export { ManualClock } from './manual-clock.js';
export type { RawPacket } from './raw-peer.js';
export { RawPeer } from './raw-peer.js';
