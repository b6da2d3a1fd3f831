import { OptionsError } from '@sluice/framing';
import { type FloodDirection, MAX_FLOOD_BYTES, MAX_FLOOD_MS, MAX_REPORT_MS } from '@sluice/wire';
import type { CallOptions } from '../transfer.js';
import type { SpeedInterval } from './speed-result.js';

/** How the speed is measured. */
export interface SpeedOptions extends CallOptions {
  /** `up` is to the server; `both` at the same time. @default 'both' */
  readonly direction?: 'up' | 'down' | 'both';
  /** Connections that move bytes, 1 to 64; one more measures round trips. @default 1 */
  readonly streams?: number;
  /** More than 0, at most 3600. The server may grant less. @default 5 */
  readonly seconds?: number;
  /** Each direction ends after so many bytes, over all streams, if that is before the time: 1 to 2^50. @default no limit */
  readonly bytes?: number;
  /** Length of the intervals, 100 to 60,000 milliseconds. @default 1000 */
  readonly intervalMs?: number;
  /** Called at the end of each interval; the last one may be shorter or longer, by less than half. */
  readonly onInterval?: (interval: SpeedInterval) => void;
}

/** {@link SpeedOptions} with what was left out. */
export interface ResolvedSpeedOptions {
  readonly direction: FloodDirection;
  readonly streams: number;
  readonly durationMs: number;
  readonly bytes: number;
  readonly intervalMs: number;
  readonly onInterval: (interval: SpeedInterval) => void;
}

const MAX_STREAMS = 64;
const MIN_INTERVAL_MS = 100;

/** @throws {OptionsError} `ERR_OPTION_RANGE` */
export function resolveSpeedOptions(given: SpeedOptions): ResolvedSpeedOptions {
  const { direction = 'both', streams = 1, seconds = 5, bytes = MAX_FLOOD_BYTES, intervalMs = 1000 } = given;
  const { onInterval = () => {} } = given;
  const durationMs = Math.round(seconds * 1000);
  if (!['up', 'down', 'both'].includes(direction))
    throw new OptionsError(`direction is ${direction}; it must be up, down or both`);
  requireWhole('streams', streams, 1, MAX_STREAMS);
  requireWhole('bytes', bytes, streams, MAX_FLOOD_BYTES);
  requireWhole('intervalMs', intervalMs, MIN_INTERVAL_MS, MAX_REPORT_MS);
  if (!(durationMs >= 1 && durationMs <= MAX_FLOOD_MS))
    throw new OptionsError(`seconds is ${seconds}; it must be 0.001 to ${MAX_FLOOD_MS / 1000}`);
  return { direction, streams, durationMs, bytes, intervalMs, onInterval };
}

function requireWhole(name: string, value: number, min: number, max: number): void {
  if (!Number.isInteger(value) || value < min || value > max) {
    throw new OptionsError(`${name} is ${value}; it must be a whole number from ${min} to ${max}`);
  }
}
