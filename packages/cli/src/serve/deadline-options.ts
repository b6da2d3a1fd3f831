import type { OptionTable, OptionValues } from '../options/option-table.js';

const DAY_MS = 86_400_000;

/** Options of serve about the time that peers have. */
export const deadlineOptions = {
  'first-byte-timeout': {
    kind: 'duration',
    placeholder: 'TIME',
    min: 1,
    max: DAY_MS,
    default: 6000,
    summary: 'how long a new connection may be silent',
  },
  'tls-handshake-timeout': {
    kind: 'duration',
    placeholder: 'TIME',
    min: 0,
    max: DAY_MS,
    default: 10_000,
    summary: 'how long a TLS handshake may take; 0 for no limit',
  },
  'login-timeout': {
    kind: 'duration',
    placeholder: 'TIME',
    min: 0,
    max: DAY_MS,
    default: 30_000,
    summary: 'how long a connection may be there without the login that it needs; 0 for no limit',
  },
  'frame-timeout': {
    kind: 'duration',
    placeholder: 'TIME',
    min: 0,
    max: DAY_MS,
    default: 30_000,
    summary: 'how long a packet may take to come, unless it comes at --frame-rate; 0 for no limit',
  },
  'frame-rate': {
    kind: 'bytes',
    placeholder: 'SIZE',
    min: 0,
    max: 2 ** 30,
    default: 1024,
    summary: 'lowest rate, in bytes a second, of a packet that takes longer; 0 for no limit',
  },
  'idle-timeout': {
    kind: 'duration',
    placeholder: 'TIME',
    min: 0,
    max: DAY_MS,
    default: 300_000,
    summary: 'how long a client may send nothing, and take nothing that it has asked for; 0 for no limit',
  },
  'write-stall-timeout': {
    kind: 'duration',
    placeholder: 'TIME',
    min: 0,
    max: DAY_MS,
    default: 60_000,
    summary: 'how long a client may take nothing of what waits for it; 0 for no limit',
  },
} as const satisfies OptionTable;

/** What the options say, as `SluiceServer.start` takes it; the TLS handshake belongs to its `tls`. */
export function deadlinesOf(options: OptionValues<typeof deadlineOptions>) {
  return {
    firstByteTimeoutMs: options['first-byte-timeout'],
    loginTimeoutMs: options['login-timeout'],
    frameTimeoutMs: options['frame-timeout'],
    minFrameBytesPerSecond: options['frame-rate'],
    idleTimeoutMs: options['idle-timeout'],
    writeStallTimeoutMs: options['write-stall-timeout'],
  };
}
