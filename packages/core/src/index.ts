export { AcceptRamp } from './accept-ramp.js';
export type { AdmissionEvents, RefusalReason, Slot } from './admission.js';
export { Admission } from './admission.js';
export type { AdmissionLimits, AdmissionOptions } from './admission-options.js';
export type { CarriedStream } from './carried-stream.js';
export type { Cancel, Clock } from './clock.js';
export { systemClock } from './clock.js';
export type { CloseReason, ConnectionHandler, ConnectionLimits } from './connection.js';
export { Connection } from './connection.js';
export type { ConnectionDeadlines } from './deadlines.js';
export { DEFAULT_DEADLINES } from './deadlines.js';
export type { DescriptorPlan } from './descriptor-budget.js';
export { DescriptorBudget } from './descriptor-budget.js';
export type { ConnectionCounts } from './descriptor-limit.js';
export { descriptorLimit, fitToDescriptors, planDescriptors } from './descriptor-limit.js';
export { FairQueue } from './fair-queue.js';
export type { FlightArchiveLimits, FlownConnection } from './flight-archive.js';
export { DEFAULT_FLIGHT_ARCHIVE_LIMITS, FlightArchive } from './flight-archive.js';
export type { FlightEventKind, FlightUnit } from './flight-event.js';
export { CoreEvent, flightEvent } from './flight-event.js';
export type { FlightEntry } from './flight-recorder.js';
export {
  FIRST_FLIGHT_RECORDS,
  FLIGHT_GAP_MS,
  FlightRecorder,
  MAX_FLIGHT_RECORDS,
  SLOW_HANDLER_MS,
  sharedFlightBytes,
} from './flight-recorder.js';
export type { FrameHandler } from './framed-connection.js';
export { FramedConnection } from './framed-connection.js';
export type { HandedSocketMessage, SocketService } from './handed-sockets.js';
export { AcceptedConnection, HandedSockets } from './handed-sockets.js';
export type { CertificateRequest } from './issued-certificate.js';
export { IssuedCertificate } from './issued-certificate.js';
export type { AdoptionOptions, EndedConnection, ListenerCounters, ListenerOptions, PlaceRequest } from './listener.js';
export { DEFAULT_CONNECTION_LIMITS, DEFAULT_LISTENER_OPTIONS, Listener } from './listener.js';
export type { MemoryCounters, MemoryHolder, MemoryLevel } from './memory-budget.js';
export { MEMORY_STALL_MS, MEMORY_WAIT_MS, MemoryAccount, MemoryBudget, MIN_PAUSED_BYTES } from './memory-budget.js';
export type { BudgetReport, MemoryReport, ProcessMemory } from './memory-ceiling.js';
export { MemoryCeiling } from './memory-ceiling.js';
export type { MemoryPlan, MemoryPlanOptions } from './memory-limit.js';
export {
  availableMemory,
  DEFAULT_MEMORY_SHARE,
  LEAST_CONNECTION_BYTES,
  LEAST_TLS_CONNECTION_BYTES,
  logBytesOf,
  planMemory,
} from './memory-limit.js';
export type {
  MessageCounters,
  MessageSink,
  MessageStreamOptions,
  OfferResult,
  OverflowPolicy,
} from './message-stream.js';
export { DEFAULT_MESSAGE_STREAM_OPTIONS, MessageStream } from './message-stream.js';
export type { NetworkLimits } from './network-accounts.js';
export { NetworkAccounts } from './network-accounts.js';
export type { OutboundLimits, SendResult, WriteTarget } from './outbound-queue.js';
export { DEFAULT_OUTBOUND_LIMITS, OutboundQueue } from './outbound-queue.js';
export { isLoopback, networkOf } from './peer-network.js';
export { processMemory } from './process-memory.js';
export type { ProxyEnd, ProxyHeader } from './proxy-header.js';
export { MAX_PROXY_HEADER_BYTES, ProxyHeaderError, parseProxyHeader } from './proxy-header.js';
export type { OnChunk, ReceiveMode } from './receive-buffer.js';
export { startReceiving } from './receive-buffer.js';
export type { RefusalReport } from './refusals.js';
export type { SlotAnswer } from './slot-queue.js';
export { SlotQueue } from './slot-queue.js';
export type { AcceptedStream, StreamListenerOptions, StreamRefusal } from './stream-listener.js';
export { StreamListener } from './stream-listener.js';
export type { CreateServer } from './system-server.js';
export { createSystemServer } from './system-server.js';
export type { TlsListenerOptions } from './tls-acceptor.js';
export { DEFAULT_TLS_LISTENER_OPTIONS } from './tls-acceptor.js';
export type { CertificateFiles, TlsFileErrorCode, TlsFiles } from './tls-contexts.js';
export { TlsContexts, TlsFileError } from './tls-contexts.js';
export type { TlsSession } from './tls-session.js';
export { TokenBucket } from './token-bucket.js';
export { unwrittenBytes } from './unwritten-bytes.js';
