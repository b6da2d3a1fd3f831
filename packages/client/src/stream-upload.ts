import { dataRequestText, PACKET_HEAD_BYTES, ProtocolFlag, writePacketHead } from '@sluice/wire';
import { abortable } from './cancellation.js';
import type { Connection } from './connection.js';
import { ClientError } from './errors.js';
import type { RemotePath } from './remote-path.js';
import { RemoteUpload } from './remote-upload.js';
import { withRetries } from './retry.js';
import type { UploadOptions, UploadResult } from './transfer.js';
import type { TransferContext } from './transfer-context.js';

/** Data per packet at most; pieces of a stream are seldom larger. */
const MAX_PACKET_BYTES = 256 << 10;
/** The same to an original server, whose cost grows with the square of it (D13). */
const MAX_PLAIN_PACKET_BYTES = 32 << 10;

/** Uploads what a stream yields, in place of what is on the server. Once something was read, a lost connection cannot be mended. */
export async function uploadStream(
  context: TransferContext,
  source: AsyncIterable<Uint8Array>,
  remote: RemotePath,
  callOptions: UploadOptions,
): Promise<UploadResult> {
  const { pool, options, signal } = context;
  const startedMs = options.clock.nowMs();
  const iterator = source[Symbol.asyncIterator]();
  let bytesSent = 0;
  let hasRead = false;

  const send = async (connection: Connection): Promise<void> => {
    for (;;) {
      hasRead = true;
      const next = await abortable(signal, iterator.next());
      if (next.done) return;
      for (const parts of packetsOf(next.value, connection.isExtended)) await connection.send(parts);
      bytesSent += next.value.length;
      callOptions.onProgress?.({ bytesDone: bytesSent, bytesTotal: undefined, bytesResumed: 0 });
    }
  };

  let hasEnded = false;
  try {
    return await withRetries(options, signal, (attempt) =>
      pool.use(ProtocolFlag.Upload, signal, async (connection) => {
        const upload = new RemoteUpload(connection, remote);
        await upload.restart(await upload.open());
        try {
          await send(connection);
          hasEnded = true;
          const durability = await upload.finish(bytesSent);
          return {
            bytes: bytesSent,
            bytesSent,
            bytesResumed: 0,
            seconds: (options.clock.nowMs() - startedMs) / 1_000,
            attempts: attempt.number,
            ...(durability && { durability }),
          };
        } catch (error) {
          if (!hasRead || !(error instanceof ClientError) || !error.retryable) throw error;
          const text = `${error.message}; a stream cannot be read a second time`;
          throw new ClientError(error.code, text, { cause: error });
        }
      }),
    );
  } finally {
    // Not awaited: a generator that waits for its next piece would hold the failure back.
    if (!hasEnded) iterator.return?.().catch(() => {});
  }
}

/** The packets that carry a piece, each as head and a view of the piece. */
function* packetsOf(piece: Uint8Array, isExtended: boolean): Generator<Uint8Array[]> {
  const limit = isExtended ? MAX_PACKET_BYTES : MAX_PLAIN_PACKET_BYTES;
  const text = dataRequestText();
  for (let at = 0; at < piece.length; at += limit) {
    const data = piece.subarray(at, at + limit);
    const head = new Uint8Array(PACKET_HEAD_BYTES + text.length);
    writePacketHead(head, 0, text.length, data.length);
    head.set(text, PACKET_HEAD_BYTES);
    yield [head, data];
  }
}
