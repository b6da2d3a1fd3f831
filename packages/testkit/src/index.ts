export { splitEvery, splitsInTwo } from './byte-splitter.js';
export { CertificateFolder, EXPIRED, issueForTest } from './certificate-folder.js';
export type { WebSocketEnded } from './gateway-peer.js';
export { GatewayPeer } from './gateway-peer.js';
export { ManualClock } from './manual-clock.js';
export type { PlainServerFaults, PlainServerOptions } from './plain-server.js';
export { PlainServer } from './plain-server.js';
export { randomBytes, randomNumbers } from './random.js';
export type { RawPacket } from './raw-peer.js';
export { RawPeer } from './raw-peer.js';
export { RandomSource } from './simulation/random-source.js';
export { shrinkList } from './simulation/shrink-list.js';
export type { SimulateOptions, SimulationReport } from './simulation/simulate.js';
export { failureOf, SimulationError, shrinkFailure, simulate } from './simulation/simulate.js';
export { SimulatedClock } from './simulation/simulated-clock.js';
export type { LinkConditions, LinkErrorCode } from './simulation/simulated-end.js';
export { SimulatedEnd, SimulatedLink } from './simulation/simulated-end.js';
export type { PeerEnding } from './simulation/simulated-peer.js';
export type {
  PeerModel,
  SimulatedPlace,
  SimulatedProtocol,
  SimulatedScene,
  SimulatedServerUnderTest,
  SimulatedWorld,
} from './simulation/simulated-protocol.js';
export type { Step } from './simulation/step.js';
export { Violation } from './simulation/violation.js';
