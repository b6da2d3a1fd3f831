/** What the value of an event counts. */
export type FlightUnit = 'bytes' | 'ms' | 'code';

/** What a recorder may be told of, by name. Make it with `flightEvent`. */
export interface FlightEventKind {
  /** Never with anything of a peer in it: whoever may see connections sees it. */
  readonly name: string;
  /** Of bytes that move: from the peer, or to it. */
  readonly direction?: 'in' | 'out';
  /** Without one, the event has no value. */
  readonly unit?: FlightUnit;
}

/** Most kinds of event in a process: a number of one takes 12 bits of a record. */
const MAX_KINDS = 4096;

const kinds: FlightEventKind[] = [];

/**
 * Names an event, once for the process, and gives the number that stands for it in `FlightRecorder.record`.
 *
 * ```ts
 * const batteryLow = flightEvent('battery low', { unit: 'code' }); // beside the class of the protocol, not for each connection
 * connection.recorder.record(batteryLow, percent);
 * ```
 *
 * @throws {RangeError} for more than 4096 names
 */
export function flightEvent(name: string, about: Omit<FlightEventKind, 'name'> = {}): number {
  if (kinds.length === MAX_KINDS) throw new RangeError(`more than ${MAX_KINDS} kinds of event`);
  return kinds.push({ name, ...about }) - 1;
}

/** @internal */
export function flightEventKind(event: number): FlightEventKind {
  return kinds[event]!;
}

/** What core itself records. */
export const CoreEvent = {
  received: flightEvent('bytes', { direction: 'in', unit: 'bytes' }),
  sent: flightEvent('bytes', { direction: 'out', unit: 'bytes' }),
  frameReceived: flightEvent('frame', { direction: 'in', unit: 'bytes' }),
  proxyHeader: flightEvent('proxy-header'),
  tlsBegun: flightEvent('tls-begun'),
  tlsDone: flightEvent('tls-done'),
  tlsFailed: flightEvent('tls-failed'),
  readingPaused: flightEvent('reading-paused', { unit: 'bytes' }),
  readingResumed: flightEvent('reading-resumed', { unit: 'bytes' }),
  memoryPaused: flightEvent('memory-paused', { unit: 'bytes' }),
  memoryResumed: flightEvent('memory-resumed', { unit: 'bytes' }),
  queueHigh: flightEvent('queue-high', { unit: 'bytes' }),
  queueDrained: flightEvent('queue-drained', { unit: 'bytes' }),
  sendRefused: flightEvent('send-refused', { unit: 'bytes' }),
  handlerSlow: flightEvent('handler-slow', { unit: 'ms' }),
  peerEnded: flightEvent('peer-ended'),
  firstByteLate: flightEvent('first-byte-late', { unit: 'ms' }),
  handshakeLate: flightEvent('handshake-late', { unit: 'ms' }),
  loginLate: flightEvent('login-late', { unit: 'ms' }),
  frameLate: flightEvent('frame-late', { unit: 'ms' }),
  messageLate: flightEvent('message-late', { unit: 'ms' }),
  readingLate: flightEvent('reading-late', { unit: 'ms' }),
  closeLate: flightEvent('close-late', { unit: 'ms' }),
  displaced: flightEvent('displaced', { unit: 'ms' }),
  networkFull: flightEvent('network-full'),
  networkRate: flightEvent('network-rate'),
  shutdownAsked: flightEvent('shutdown-asked'),
  closing: flightEvent('closing', { unit: 'bytes' }),
  cut: flightEvent('cut', { unit: 'bytes' }),
  gone: flightEvent('gone'),
} as const;
