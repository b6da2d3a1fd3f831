import { type CommandText, type Field, requestText, responseText } from './command-text.js';
import { ProtocolError, RequestError } from './errors.js';
import { optionalInteger } from './keys.js';
import { Command, Key } from './names.js';
import type { Response } from './response.js';
import { ResultCode } from './result-codes.js';
import { decodeUtf8, encodeUtf8 } from './utf8.js';

/** Between the fields of an Item of GetClients. Specification 3.6. */
const FIELD_SEPARATOR = '\t';

/** An Item of GetClients. Specification 5. */
export interface ClientItem {
  /** `a.b.c.d:port`. */
  readonly localAddress: string;
  readonly remoteAddress: string;
  readonly protocol: string;
  /** Empty if not logged in. */
  readonly userName: string;
  /** `YYYY-MM-DD HH:MM:SS`, UTC; of an original server whatever its machine's language makes of it. */
  readonly boundAt: string;
  /** Of the last receive or completed send; likewise. */
  readonly lastActivityAt: string;
}

export function encodeGetClientsRequest(): Uint8Array {
  return requestText(Command.GetClients);
}

/** A TAB or a line break in a field, which would break the record, becomes a blank. */
export function encodeGetClientsResponse(command: string, items: readonly ClientItem[]): Uint8Array {
  return responseText(
    command,
    ResultCode.Success,
    items.map((item) => {
      const fields = [
        item.localAddress,
        item.remoteAddress,
        item.protocol,
        item.userName,
        item.boundAt,
        item.lastActivityAt,
      ];
      return [Key.Item, fields.map((field) => field.replace(/[\t\r\n]/g, ' ')).join(FIELD_SEPARATOR)] as const;
    }),
  );
}

/** Lenient: the Delphi server writes a blank in front, and other texts for addresses and times (V6). Fields that are missing are empty. */
export function decodeGetClientsResponse(response: Response): ClientItem[] {
  return response.text.all(Key.Item).map((item) => {
    const [localAddress = '', remoteAddress = '', protocol = '', userName = '', boundAt = '', lastActivityAt = ''] =
      item.replace(/^ /, '').split(FIELD_SEPARATOR);
    return { localAddress, remoteAddress, protocol, userName, boundAt, lastActivityAt };
  });
}

/** A time as GetClients has it: `YYYY-MM-DD HH:MM:SS`, UTC. Specification 5. */
export function clientTime(time: Date): string {
  return time.toISOString().slice(0, 19).replace('T', ' ');
}

/** What a connection is transferring. docs/protocol.md, section 17. */
export interface TransferRecord {
  readonly direction: 'upload' | 'download' | 'stream';
  /** As the client named it. */
  readonly name: string;
  readonly doneBytes: number;
  /** When it is known. */
  readonly totalBytes?: number;
}

/** A connection, as ListClients and WatchClients tell it. Times are ISO 8601, UTC. docs/protocol.md, section 17. */
export interface ClientRecord {
  readonly id: number;
  readonly localAddress: string;
  readonly remoteAddress: string;
  readonly protocol: string;
  readonly isEncrypted: boolean;
  /** Missing if not logged in. */
  readonly user?: string;
  readonly connectedAt: string;
  readonly lastActivityAt: string;
  readonly receivedBytes: number;
  readonly sentBytes: number;
  /** Whole packets. */
  readonly receivedFrames: number;
  readonly sentFrames: number;
  /** Bytes that wait for the peer to read. */
  readonly queuedBytes: number;
  /** Over the last seconds, in bytes per second, both directions together. */
  readonly receiveRate: number;
  readonly sendRate: number;
  readonly transfer?: TransferRecord;
}

/** What has changed since the last one; the first has all. docs/protocol.md, section 17. */
export interface ClientChanges {
  /** Records that are new or different. */
  readonly changed: readonly ClientRecord[];
  /** Ids of connections that are gone. */
  readonly removed: readonly number[];
  /** Connections in all. */
  readonly total: number;
  /** Whether more changes of the same round follow. */
  readonly more: boolean;
}

/** Which connections Kick ends: those for which all that is given holds. */
export interface KickRequest {
  readonly id?: number;
  readonly user?: string;
  /** An address, or a network as `10.0.0.0/8`. */
  readonly address?: string;
  readonly idleMs?: number;
  /** Only count them. */
  readonly isDryRun?: boolean;
}

/** Most records that one answer to ListClients has. */
export const MAX_LISTED_CLIENTS = 1000;

/** Which page of the connections: those with an id above `after`. */
export interface ListClientsRequest {
  readonly after: number;
  readonly limit: number;
}

export function encodeListClientsRequest({ after, limit }: ListClientsRequest): Uint8Array {
  return requestText(Command.ListClients, [
    [Key.After, after],
    [Key.Count, limit],
  ]);
}

/** @throws {RequestError} code 6 */
export function decodeListClientsRequest(text: CommandText): ListClientsRequest {
  const after = optionalNumber(text, Key.After, 0, Number.MAX_SAFE_INTEGER) ?? 0;
  const limit = optionalNumber(text, Key.Count, 1, MAX_LISTED_CLIENTS) ?? MAX_LISTED_CLIENTS;
  return { after, limit };
}

export function encodeKickRequest(kick: KickRequest): Uint8Array {
  const fields: Field[] = [];
  if (kick.id !== undefined) fields.push([Key.Id, kick.id]);
  if (kick.user !== undefined) fields.push([Key.UserName, kick.user]);
  if (kick.address !== undefined) fields.push([Key.Address, kick.address]);
  if (kick.idleMs !== undefined) fields.push([Key.IdleMs, kick.idleMs]);
  if (kick.isDryRun) fields.push([Key.DryRun, 'yes']);
  return requestText(Command.Kick, fields);
}

/** @throws {RequestError} code 6 for a bad value, and when nothing says which connections */
export function decodeKickRequest(text: CommandText): KickRequest {
  const id = optionalNumber(text, Key.Id, 1, Number.MAX_SAFE_INTEGER);
  const idleMs = optionalNumber(text, Key.IdleMs, 0, Number.MAX_SAFE_INTEGER);
  const user = text.first(Key.UserName);
  const address = text.first(Key.Address);
  if (id === undefined && idleMs === undefined && user === undefined && address === undefined)
    throw new RequestError(ResultCode.ParameterError, 'Id, UserName, Address or IdleMs is needed');
  return {
    ...(id !== undefined && { id }),
    ...(user !== undefined && { user }),
    ...(address !== undefined && { address }),
    ...(idleMs !== undefined && { idleMs }),
    isDryRun: optionalChoice(text, Key.DryRun, ['yes', 'no']) === 'yes',
  };
}

/** @param intervalMs 0 ends the watching */
export function encodeWatchClientsRequest(intervalMs: number): Uint8Array {
  return requestText(Command.WatchClients, [[Key.IntervalMs, intervalMs]]);
}

export const MIN_WATCH_INTERVAL_MS = 200;
export const MAX_WATCH_INTERVAL_MS = 60_000;

/** @returns 0 to end the watching @throws {RequestError} code 6 */
export function decodeWatchClientsRequest(text: CommandText): number {
  const intervalMs = optionalNumber(text, Key.IntervalMs, 0, MAX_WATCH_INTERVAL_MS);
  if (intervalMs === undefined || (intervalMs > 0 && intervalMs < MIN_WATCH_INTERVAL_MS)) {
    const range = `0, or ${MIN_WATCH_INTERVAL_MS} to ${MAX_WATCH_INTERVAL_MS}`;
    throw new RequestError(ResultCode.ParameterError, `${Key.IntervalMs} must be ${range}`);
  }
  return intervalMs;
}

/** @param graceMs how long what is begun may go on; the server's own time without it */
export function encodeDrainRequest(graceMs: number | undefined): Uint8Array {
  return requestText(Command.Drain, graceMs === undefined ? [] : [[Key.GraceMs, graceMs]]);
}

/** @throws {RequestError} code 6 */
export function decodeDrainRequest(text: CommandText): number | undefined {
  return optionalNumber(text, Key.GraceMs, 0, 86_400_000);
}

/** @param value without it, asks what it is */
export function encodeReadOnlyRequest(value: boolean | undefined): Uint8Array {
  return requestText(Command.ReadOnly, value === undefined ? [] : [[Key.Value, value ? 'on' : 'off']]);
}

/** @throws {RequestError} code 6 */
export function decodeReadOnlyRequest(text: CommandText): boolean | undefined {
  const value = optionalChoice(text, Key.Value, ['on', 'off']);
  return value === undefined ? undefined : value === 'on';
}

/** @param level without it, asks what it is */
export function encodeLogLevelRequest(level: string | undefined): Uint8Array {
  return requestText(Command.LogLevel, level === undefined ? [] : [[Key.Value, level]]);
}

/** @throws {RequestError} code 6 for a level that is not in `levels` */
export function decodeLogLevelRequest<T extends string>(text: CommandText, levels: readonly T[]): T | undefined {
  return optionalChoice(text, Key.Value, levels);
}

/** The answer to ReadOnly and LogLevel: what it is now. */
export function encodeValueResponse(command: string, value: string): Uint8Array {
  return responseText(command, ResultCode.Success, [[Key.Value, value]]);
}

/** Data of a packet that is one JSON value: unlike the text of a packet it has no rules for lines. */
export function encodeJsonData(value: unknown): Uint8Array {
  return encodeUtf8(JSON.stringify(value));
}

/** @returns `undefined` when it is no JSON */
export function decodeJsonData(data: Uint8Array): unknown {
  try {
    return JSON.parse(decodeUtf8(data, 0, data.length)) as unknown;
  } catch {
    return undefined;
  }
}

function optionalNumber(text: CommandText, key: string, min: number, max: number): number | undefined {
  const value = optionalInteger(text, key, 64);
  if (value === undefined) return undefined;
  if (value < min || value > max) throw new RequestError(ResultCode.ParameterError, `${key} must be ${min} to ${max}`);
  return Number(value);
}

function optionalChoice<T extends string>(text: CommandText, key: string, choices: readonly T[]): T | undefined {
  const value = text.first(key);
  if (value === undefined) return undefined;
  const choice = choices.find((each) => each === value);
  if (choice === undefined) throw new RequestError(ResultCode.ParameterError, `${key} must be ${choices.join(', ')}`);
  return choice;
}

/** @throws {ProtocolError} `ERR_RESPONSE_INVALID` for data that is no list of records */
export function decodeClientRecords(data: Uint8Array): ClientRecord[] {
  const value = decodeJsonData(data);
  if (!Array.isArray(value) || !value.every(isClientRecord)) throw invalidData('connections');
  return value;
}

/** @throws {ProtocolError} `ERR_RESPONSE_INVALID` */
export function decodeClientChanges(data: Uint8Array): ClientChanges {
  const value = decodeJsonData(data);
  if (!isObject(value)) throw invalidData('changes');
  const { changed, removed, total, more } = value;
  const isRight =
    Array.isArray(changed) &&
    changed.every(isClientRecord) &&
    Array.isArray(removed) &&
    removed.every((id) => typeof id === 'number') &&
    typeof total === 'number' &&
    typeof more === 'boolean';
  if (!isRight) throw invalidData('changes');
  return { changed, removed: removed as number[], total, more };
}

const TEXT_FIELDS = ['localAddress', 'remoteAddress', 'protocol', 'connectedAt', 'lastActivityAt'] as const;
const NUMBER_FIELDS = [
  'id',
  'receivedBytes',
  'sentBytes',
  'receivedFrames',
  'sentFrames',
  'queuedBytes',
  'receiveRate',
  'sendRate',
] as const;

function isClientRecord(value: unknown): value is ClientRecord {
  if (!isObject(value)) return false;
  const { user, transfer, isEncrypted } = value;
  return (
    TEXT_FIELDS.every((field) => typeof value[field] === 'string') &&
    NUMBER_FIELDS.every((field) => Number.isFinite(value[field])) &&
    typeof isEncrypted === 'boolean' &&
    (user === undefined || typeof user === 'string') &&
    (transfer === undefined || isTransferRecord(transfer))
  );
}

function isTransferRecord(value: unknown): value is TransferRecord {
  if (!isObject(value)) return false;
  const { direction, name, doneBytes, totalBytes } = value;
  return (
    typeof direction === 'string' &&
    typeof name === 'string' &&
    Number.isFinite(doneBytes) &&
    (totalBytes === undefined || Number.isFinite(totalBytes))
  );
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

function invalidData(what: string): ProtocolError {
  return new ProtocolError('ERR_RESPONSE_INVALID', `the data does not tell ${what}`);
}
