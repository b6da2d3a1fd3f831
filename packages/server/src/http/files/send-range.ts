import type { ServerResponse } from 'node:http';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { FileReader, paceOfDevice } from '@sluice/files';
import { versionToken } from '../../storage/version-token.js';
import type { ByteRange } from './byte-range.js';
import type { FileRequest } from './file-request.js';
import type { ReadableFile } from './readable-file.js';

/** One is read while the other is sent. */
const BUFFER_BYTES = 128 << 10;

/** After so many bytes others have their turn, however fast the peer takes them. */
const BYTES_PER_TURN = 1 << 20;

/**
 * Sends a part of a file, as fast as the peer takes it, and ends the answer. Two buffers are all that it holds.
 *
 * @throws {RequestError} code 12 when there is no memory for it; an `Error` when the file is not any more what was announced: then the answer is
 *   broken off before its last bytes, so that nobody takes it for whole
 */
export async function sendRange(request: FileRequest, file: ReadableFile, { start, end }: ByteRange): Promise<void> {
  const { response, gone, memory } = request;
  const bufferBytes = Math.min(BUFFER_BYTES, end - start);
  const count = end - start > bufferBytes ? 2 : 1;
  if (bufferBytes === 0) {
    response.end();
    return;
  }
  using _held = await memory.holdWhenRoom(count * bufferBytes);
  const reader = new FileReader(file.handle, paceOfDevice(file.device));
  const buffers = Array.from({ length: count }, () => Buffer.allocUnsafeSlow(bufferBytes));
  const sent: Promise<void>[] = [];
  let turnBytes = 0;
  for (let at = start, number = 0; at < end; number += 1) {
    await sent[number % count]; // the system has taken what was in the buffer
    gone.throwIfAborted();
    if (turnBytes >= BYTES_PER_TURN) {
      await nextTurn();
      turnBytes = 0;
    }
    const piece = buffers[number % count]!.subarray(0, Math.min(bufferBytes, end - at));
    const got = await reader.read([piece], at);
    if (got < piece.length) throw new Error('the file has become shorter');
    at += got;
    turnBytes += got;
    if (at === end) await requireUnchanged(file);
    const sending = write(response, piece, gone);
    sending.catch(() => {}); // seen when its buffer is needed, or below
    sent[number % count] = sending;
  }
  await Promise.all(sent);
  response.end();
}

async function requireUnchanged({ handle, version }: ReadableFile): Promise<void> {
  if (versionToken(await handle.stat({ bigint: true })) !== version) throw new Error('the file has changed meanwhile');
}

/** Settles when the system has the bytes, and the buffer may be used again. */
function write(response: ServerResponse, bytes: Uint8Array, gone: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const onGone = (): void => reject(gone.reason);
    gone.addEventListener('abort', onGone, { once: true });
    response.write(bytes, (error) => {
      gone.removeEventListener('abort', onGone);
      if (error) reject(error);
      else resolve();
    });
  });
}
