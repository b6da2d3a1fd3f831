import type { SpeedLimits } from '@sluice/server';
import type { OptionTable, OptionValues } from '../options/option-table.js';

/** Options of serve about uploads that are not complete. */
export const partialOptions = {
  'keep-partials': {
    kind: 'duration',
    placeholder: 'TIME',
    min: 0,
    max: 366 * 86_400_000,
    default: 7 * 86_400_000,
    summary: 'age after which an upload that was broken off is removed; 0 for never',
  },
  'keep-free': {
    kind: 'bytes',
    placeholder: 'SIZE',
    min: 0,
    max: Number.MAX_SAFE_INTEGER,
    summary: 'what uploads must leave free on the disk; without it a hundredth of the file system, at most 1 GiB',
  },
} as const satisfies OptionTable;

/** Options of serve about single protocols. */
export const protocolOptions = {
  open: {
    kind: 'choices',
    placeholder: 'PROTOCOL',
    choices: ['remote-stream', 'log-output'],
    summary: 'a protocol that anybody may use: remote-stream, without a login; log-output, also from other machines',
  },
  'allow-digest-login': {
    kind: 'flag',
    summary:
      'let old clients log in by the MD5 digest of the password from other machines without TLS, too: whoever reads it there can log in ' +
      'with it',
  },
  'keep-files': {
    kind: 'duration',
    placeholder: 'TIME',
    min: 0,
    max: 86_400_000,
    default: 60_000,
    summary:
      'how long a remote file may stay open when its connection breaks, if the client asks for it; 0 for not at all',
  },
  'speed-streams': {
    kind: 'integer',
    placeholder: 'N',
    min: 0,
    max: 10_000,
    default: 64,
    summary: 'connections of sluice speed that may move bytes at once; 0 switches measurements off',
  },
  'speed-streams-per-client': {
    kind: 'integer',
    placeholder: 'N',
    min: 1,
    max: 10_000,
    default: 16,
    summary: 'of these, from one address, or one /64 of IPv6',
  },
  'speed-time': {
    kind: 'duration',
    placeholder: 'TIME',
    min: 100,
    max: 3_600_000,
    default: 60_000,
    summary: 'how long one measurement may move bytes',
  },
  'speed-rate': {
    kind: 'bytes',
    placeholder: 'SIZE',
    min: 0,
    max: 2 ** 40,
    default: 0,
    summary: 'bytes a second, each way, that all measurements together may move; 0 for no limit',
  },
  'speed-rate-per-client': {
    kind: 'bytes',
    placeholder: 'SIZE',
    min: 0,
    max: 2 ** 40,
    default: 0,
    summary: 'the same for one address, or one /64 of IPv6',
  },
} as const satisfies OptionTable;

/** What the options say about measurements of the speed. */
export function speedLimitsOf(options: OptionValues<typeof protocolOptions>): SpeedLimits {
  return {
    maxFloods: options['speed-streams'],
    maxFloodsPerClient: options['speed-streams-per-client'],
    maxMs: options['speed-time'],
    bytesPerSecond: options['speed-rate'],
    bytesPerSecondPerClient: options['speed-rate-per-client'],
  };
}
