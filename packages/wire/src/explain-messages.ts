import { type CommandText, requestText } from './command-text.js';
import type { ClientRecord } from './control-messages.js';
import { decodeJsonData } from './control-messages.js';
import { ProtocolError, RequestError } from './errors.js';
import { optionalInteger } from './keys.js';
import { Command, Key } from './names.js';
import { ResultCode } from './result-codes.js';

/** How a connection ended. docs/protocol.md, section 17.18. */
export interface ConnectionEnd {
  /** ISO 8601, UTC. */
  readonly closedAt: string;
  readonly durationMs: number;
  readonly reason: string;
  /** The code of the error behind it, where there was one with a code. */
  readonly cause?: string;
}

/** A connection that has ended, as it was at its end. */
export type ClosedConnection = ClientRecord & ConnectionEnd;

/** A run of equal events. Times are milliseconds since the connection was accepted. docs/protocol.md, section 17.18. */
export interface ConnectionEvent {
  readonly event: string;
  readonly direction?: 'in' | 'out';
  readonly atMs: number;
  /** Of the last of the run. */
  readonly lastMs: number;
  readonly count: number;
  readonly unit?: 'bytes' | 'ms' | 'code';
  /** Of all values of the run; with a unit. */
  readonly total?: number;
  readonly largest?: number;
}

/** What has happened on a connection. */
export interface ConnectionExplanation {
  readonly connection: ClientRecord & Partial<ConnectionEnd>;
  /** Runs that made room for later ones, behind the first of `events`. */
  readonly lostEvents: number;
  readonly events: readonly ConnectionEvent[];
}

/** @param id without it, asks for the connections that have ended lately */
export function encodeExplainRequest(id: number | undefined): Uint8Array {
  return requestText(Command.Explain, id === undefined ? [] : [[Key.Id, id]]);
}

/** @throws {RequestError} code 6 */
export function decodeExplainRequest(text: CommandText): number | undefined {
  const id = optionalInteger(text, Key.Id, 64);
  if (id === undefined) return undefined;
  if (id < 1 || id > Number.MAX_SAFE_INTEGER)
    throw new RequestError(ResultCode.ParameterError, `${Key.Id} must be 1 to ${Number.MAX_SAFE_INTEGER}`);
  return Number(id);
}

/** @throws {ProtocolError} `ERR_RESPONSE_INVALID` */
export function decodeClosedConnections(data: Uint8Array): ClosedConnection[] {
  const value = decodeJsonData(data);
  if (!Array.isArray(value) || !value.every((each) => isConnection(each) && typeof each['reason'] === 'string'))
    throw new ProtocolError('ERR_RESPONSE_INVALID', 'the data does not tell connections');
  return value as ClosedConnection[];
}

/** @throws {ProtocolError} `ERR_RESPONSE_INVALID` */
export function decodeExplanation(data: Uint8Array): ConnectionExplanation {
  const value = decodeJsonData(data);
  const { connection, lostEvents, events } = (isObject(value) ? value : {}) as Record<string, unknown>;
  if (!isConnection(connection) || !Number.isFinite(lostEvents) || !Array.isArray(events) || !events.every(isEvent))
    throw new ProtocolError('ERR_RESPONSE_INVALID', 'the data does not explain a connection');
  return value as ConnectionExplanation;
}

function isConnection(value: unknown): value is Record<string, unknown> {
  if (!isObject(value)) return false;
  const texts = ['localAddress', 'remoteAddress', 'protocol', 'connectedAt'];
  const numbers = ['id', 'receivedBytes', 'sentBytes'];
  return (
    texts.every((key) => typeof value[key] === 'string') &&
    numbers.every((key) => Number.isFinite(value[key])) &&
    (value['user'] === undefined || typeof value['user'] === 'string') &&
    (value['reason'] === undefined ||
      (typeof value['reason'] === 'string' &&
        typeof value['closedAt'] === 'string' &&
        Number.isFinite(value['durationMs'])))
  );
}

function isEvent(value: unknown): value is ConnectionEvent {
  return (
    isObject(value) &&
    typeof value['event'] === 'string' &&
    ['atMs', 'lastMs', 'count'].every((key) => Number.isFinite(value[key])) &&
    (value['unit'] === undefined || (Number.isFinite(value['total']) && Number.isFinite(value['largest'])))
  );
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
