export { splitEvery, splitsInTwo } from './byte-splitter.js';
export { CertificateFolder, EXPIRED, issueForTest } from './certificate-folder.js';
export { ManualClock } from './manual-clock.js';
export type { PlainServerFaults, PlainServerOptions } from './plain-server.js';
export { PlainServer } from './plain-server.js';
export { randomBytes, randomNumbers } from './random.js';
export type { RawPacket } from './raw-peer.js';
export { RawPeer } from './raw-peer.js';
