import type { IncomingMessage } from 'node:http';
import { HttpError } from './http-error.js';

/**
 * Reads a small body that is JSON.
 *
 * @returns an object
 * @throws {HttpError} 415 for another type, 413 above `maxBytes`, 400 for what is no object in JSON
 */
export async function readJson(message: IncomingMessage, maxBytes: number): Promise<object> {
  // A form of a foreign page cannot have this type.
  if (!/^application\/json\b/i.test(message.headers['content-type'] ?? ''))
    throw new HttpError(415, 'send application/json');
  const chunks: Buffer[] = [];
  let bytes = 0;
  if (Number(message.headers['content-length'] ?? 0) > maxBytes) throw new HttpError(413, `at most ${maxBytes} bytes`);
  for await (const chunk of message as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > maxBytes) throw new HttpError(413, `at most ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  let value: unknown;
  try {
    value = JSON.parse(Buffer.concat(chunks).toString());
  } catch {
    throw new HttpError(400, 'this is not JSON');
  }
  if (typeof value !== 'object' || value === null) throw new HttpError(400, 'this is not an object in JSON');
  return value;
}
