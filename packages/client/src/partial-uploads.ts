import { Command, encodeUploadIdRequest, Feature, type PartialRecord, requestText } from '@sluice/wire';
import type { Connection } from './connection.js';
import { ClientError } from './errors.js';

/** An upload that is not complete. */
export type PartialUpload = PartialRecord;

/** @throws {ClientError} `ERR_UNSUPPORTED`, `ERR_PROTOCOL` */
export async function listPartials(connection: Connection): Promise<PartialUpload[]> {
  requireStaging(connection);
  const { data } = await connection.request(Command.ListPartials, requestText(Command.ListPartials));
  const list = parsed(data);
  if (!Array.isArray(list) || !list.every(isPartial)) {
    throw new ClientError('ERR_PROTOCOL', 'the server has listed partial uploads in a way that cannot be read');
  }
  return list;
}

/** @throws {ClientError} `ERR_UNSUPPORTED`, `ERR_URL` when the text can be no identifier */
export async function dropPartial(connection: Connection, id: string): Promise<void> {
  requireStaging(connection);
  if (!/^[0-9a-f]{32}$/i.test(id)) {
    throw new ClientError('ERR_URL', `${JSON.stringify(id)} is no upload: an id has 32 hexadecimal digits`);
  }
  await connection.request(Command.DropPartial, encodeUploadIdRequest(Command.DropPartial, id));
}

function requireStaging(connection: Connection): void {
  if (connection.supports(Feature.Staging)) return;
  throw new ClientError('ERR_UNSUPPORTED', 'the server does not stage uploads, so it has no partial ones');
}

function parsed(data: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(data));
  } catch {
    return undefined;
  }
}

function isPartial(value: unknown): value is PartialUpload {
  if (typeof value !== 'object' || value === null) return false;
  const { id, name, user, size, stagedBytes, createdAt, changedAt, isHeld } = value as Record<string, unknown>;
  return (
    [id, name, user, createdAt, changedAt].every((text) => typeof text === 'string') &&
    (size === undefined || typeof size === 'number') &&
    typeof stagedBytes === 'number' &&
    typeof isHeld === 'boolean'
  );
}
