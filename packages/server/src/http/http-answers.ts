import { type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http';
import { StorageError, type StorageErrorCode } from '../storage/storage-error.js';
import { HttpError } from './http-error.js';
import { securityHeaders } from './security-headers.js';

/** What is read, and dropped, of a request that was answered before it had all come. */
const MAX_DROPPED_BYTES = 1 << 20;

const statuses: Record<StorageErrorCode, number> = {
  ERR_NAME_INVALID: 400,
  ERR_DIRECTORY_NOT_FOUND: 404,
  ERR_FILE_NOT_FOUND: 404,
  ERR_NOT_A_FILE: 409,
  ERR_NOT_A_DIRECTORY: 409,
  ERR_IN_USE: 423,
  ERR_DISK_FULL: 507,
  ERR_NO_SPACE: 507,
  ERR_QUOTA: 507,
  ERR_EXISTS: 409,
  ERR_OTHER_DEVICE: 500,
  ERR_TOO_MANY_FILES: 503,
  ERR_TOO_MANY_ENTRIES: 409,
  ERR_IO: 500,
};

/** What a peer is told of whatever a route has thrown. Of what is not expected it is told nothing. */
export function httpErrorOf(error: unknown): HttpError {
  if (error instanceof HttpError) return error;
  if (error instanceof StorageError) return new HttpError(statuses[error.code], error.message);
  return new HttpError(500, 'the server failed');
}

/** Answers with one line of text. */
export function sendText(
  response: ServerResponse,
  status: number,
  text: string,
  headers: Readonly<Record<string, string>> = {},
): void {
  const body = Buffer.from(text === '' ? '' : `${text}\n`);
  response.statusCode = status;
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
  response.setHeader('Content-Type', 'text/plain; charset=utf-8');
  response.setHeader('Cache-Control', 'no-store');
  if (status !== 204 && status !== 304) response.setHeader('Content-Length', body.length);
  response.end(status === 204 || status === 304 ? undefined : body);
}

export function sendJson(response: ServerResponse, status: number, value: unknown): void {
  const body = Buffer.from(JSON.stringify(value));
  response.statusCode = status;
  response.setHeader('Content-Type', 'application/json; charset=utf-8');
  response.setHeader('Cache-Control', 'no-store');
  response.setHeader('Content-Length', body.length);
  response.end(body);
}

/** A failure is told, if no answer has begun; else the answer is broken off, so that nobody takes it for whole. */
export function sendError(message: IncomingMessage, response: ServerResponse, error: HttpError): void {
  if (response.headersSent) {
    if (!response.writableFinished) response.destroy();
    return;
  }
  for (const name of response.getHeaderNames()) {
    if (/^(?:content-(?:length|encoding|range|type|disposition)|etag|last-modified|transfer-encoding)$/.test(name))
      response.removeHeader(name);
  }
  sendText(response, error.status, error.message, error.headers);
  dropBody(message);
}

/** A whole answer for who cannot be answered otherwise; the connection is to be closed behind it. */
export function bareAnswer(
  status: number,
  text: string,
  isSecure: boolean,
  headers: Readonly<Record<string, string>> = {},
): string {
  const body = `${text}\n`;
  const all = {
    ...securityHeaders(isSecure),
    'Content-Type': 'text/plain; charset=utf-8',
    'Content-Length': String(Buffer.byteLength(body)),
    Connection: 'close',
    ...headers,
  };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}`);
  return `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n${lines.join('\r\n')}\r\n\r\n${body}`;
}

/** Lets the rest of a request come that nobody wants, so that the answer is not lost; but not gigabytes of it. */
function dropBody(message: IncomingMessage): void {
  if (message.complete) return;
  let dropped = 0;
  message.on('data', (chunk: Buffer) => {
    dropped += chunk.length;
    if (dropped > MAX_DROPPED_BYTES) message.destroy();
  });
}
