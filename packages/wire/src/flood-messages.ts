import { type CommandText, type Field, requestText, responseText } from './command-text.js';
import { ProtocolError, RequestError } from './errors.js';
import { optionalInteger, requiredKey } from './keys.js';
import { Command, Key } from './names.js';
import { type Response, responseInteger } from './response.js';
import { ResultCode } from './result-codes.js';

/** Which way the data of a measurement goes: `up` is from the client to the server. */
export const FLOOD_DIRECTIONS = ['up', 'down', 'both'] as const;

export type FloodDirection = (typeof FLOOD_DIRECTIONS)[number];

/** Longest time that can be asked for, in milliseconds. */
export const MAX_FLOOD_MS = 3_600_000;

/** Most bytes each way, and what is meant without a Size: 2^50. */
export const MAX_FLOOD_BYTES = 2 ** 50;

/** How often reports can be asked for, in milliseconds. */
export const MIN_REPORT_MS = 50;
export const MAX_REPORT_MS = 60_000;

/** What Flood asks for. docs/protocol.md, section 17.11. */
export interface FloodRequest {
  readonly direction: FloodDirection;
  /** Milliseconds, 1 to {@link MAX_FLOOD_MS}. */
  readonly durationMs: number;
  /** Each way that is used ends after so many bytes of data, 1 to {@link MAX_FLOOD_BYTES}. @default {@link MAX_FLOOD_BYTES} */
  readonly size?: number;
  /** Time between two reports, {@link MIN_REPORT_MS} to {@link MAX_REPORT_MS} milliseconds. @default no reports but the last */
  readonly intervalMs?: number;
}

/** What the server grants. */
export interface FloodGrant {
  /** Not longer than what was asked for. */
  readonly durationMs: number;
  /** What the server lets this client move, or all clients together if that is less, in bytes a second each way; 0 for no limit. */
  readonly rate: number;
}

/** What a server has seen of a flood so far. */
export interface FloodReport {
  /** Bytes of data that have come. */
  readonly received: number;
  /** Bytes of data that have been sent, or wait to leave. */
  readonly sent: number;
  /** Time since the beginning, in milliseconds. */
  readonly elapsedMs: number;
  /** CPU time that the whole process of the server has used since then, in milliseconds, of all its threads. */
  readonly cpuMs: number;
  /** How much of the time the thread that moves the bytes was at work, in milliseconds. */
  readonly busyMs: number;
  /** Whether it is the last one: the flood is over. */
  readonly isEnd: boolean;
}

export function encodeFloodRequest({ direction, durationMs, size, intervalMs }: FloodRequest): Uint8Array {
  const fields: Field[] = [
    [Key.Direction, direction],
    [Key.DurationMs, durationMs],
  ];
  if (size !== undefined) fields.push([Key.Size, size]);
  if (intervalMs !== undefined) fields.push([Key.IntervalMs, intervalMs]);
  return requestText(Command.Flood, fields);
}

/** @throws {RequestError} code 6 */
export function decodeFloodRequest(text: CommandText): FloodRequest {
  const value = requiredKey(text, Key.Direction);
  const direction = FLOOD_DIRECTIONS.find((each) => each === value);
  if (!direction) throw new RequestError(ResultCode.ParameterError, `${Key.Direction} must be up, down or both`);
  requiredKey(text, Key.DurationMs);
  const durationMs = numberWithin(text, Key.DurationMs, 1, MAX_FLOOD_MS);
  const size = numberWithin(text, Key.Size, 1, MAX_FLOOD_BYTES);
  const intervalMs = numberWithin(text, Key.IntervalMs, MIN_REPORT_MS, MAX_REPORT_MS);
  return {
    direction,
    durationMs: durationMs as number,
    ...(size !== undefined && { size }),
    ...(intervalMs !== undefined && { intervalMs }),
  };
}

export function encodeFloodResponse(command: string, { durationMs, rate }: FloodGrant): Uint8Array {
  return responseText(command, ResultCode.Success, [
    [Key.DurationMs, durationMs],
    [Key.Rate, rate],
  ]);
}

/** @throws {ProtocolError} `ERR_RESPONSE_INVALID` */
export function decodeFloodResponse(response: Response): FloodGrant {
  return { durationMs: numberOf(response, Key.DurationMs), rate: numberOf(response, Key.Rate) };
}

/** A report: a packet that the server sends by itself. */
export function encodeFloodReport(report: FloodReport): Uint8Array {
  const fields: Field[] = [
    [Key.Received, report.received],
    [Key.Sent, report.sent],
    [Key.ElapsedMs, Math.round(report.elapsedMs)],
    [Key.CpuMs, Math.round(report.cpuMs)],
    [Key.BusyMs, Math.round(report.busyMs)],
  ];
  if (report.isEnd) fields.push([Key.End, 'yes']);
  return responseText(Command.FloodReport, ResultCode.Success, fields);
}

/** @throws {ProtocolError} `ERR_RESPONSE_INVALID` */
export function decodeFloodReport(response: Response): FloodReport {
  return {
    received: numberOf(response, Key.Received),
    sent: numberOf(response, Key.Sent),
    elapsedMs: numberOf(response, Key.ElapsedMs),
    cpuMs: numberOf(response, Key.CpuMs),
    busyMs: numberOf(response, Key.BusyMs),
    isEnd: response.text.first(Key.End) === 'yes',
  };
}

/** @throws {RequestError} code 6 when it is there and bad */
function numberWithin(text: CommandText, key: string, min: number, max: number): number | undefined {
  const value = optionalInteger(text, key, 64);
  if (value === undefined) return undefined;
  if (value < BigInt(min) || value > BigInt(max))
    throw new RequestError(ResultCode.ParameterError, `${key} must be ${min} to ${max}`);
  return Number(value);
}

/** @throws {ProtocolError} `ERR_RESPONSE_INVALID` */
function numberOf(response: Response, key: string): number {
  const value = Number(responseInteger(response, key));
  if (!Number.isSafeInteger(value))
    throw new ProtocolError('ERR_RESPONSE_INVALID', `${response.command} was answered without a usable ${key}`);
  return value;
}
