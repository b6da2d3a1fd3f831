import { abortable } from './cancellation.js';
import { PIECE_BYTES, ReadAhead, type ReadAt } from './read-ahead.js';

/** What a stream from a range begins with, in bytes; its reader takes everything in order. */
const START_BYTES = 1 << 20;

/** Most bytes that a stream into a range has sent and not yet confirmed. */
const MAX_UNCONFIRMED_BYTES = 8 << 20;

/** A stream of the bytes from `position` to `end`, or to the end of the file; reads ahead up to `maxBytes`. */
export function readableOf(
  readAt: ReadAt,
  range: { readonly position: number; readonly end: number; readonly maxBytes: number },
  signal: AbortSignal | undefined,
): ReadableStream<Uint8Array> {
  const ahead = new ReadAhead(readAt, {
    ...range,
    maxBytes: Math.max(range.maxBytes, PIECE_BYTES),
    startBytes: START_BYTES,
  });
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        signal?.throwIfAborted();
        const data = await (signal ? abortable(signal, ahead.next()) : ahead.next());
        if (data.length > 0) controller.enqueue(data);
        else controller.close();
      },
    },
    { highWaterMark: 0 }, // the read-ahead is what waits for the reader
  );
}

/** A stream into the bytes from `position` on. Its `close` settles when all are written; a write that fails is told by the next call. */
export function writableOf(
  writeAt: (position: number, data: Uint8Array) => Promise<void>,
  position: number,
  signal: AbortSignal | undefined,
): WritableStream<Uint8Array> {
  const unconfirmed = new Set<Promise<void>>();
  let unconfirmedBytes = 0;
  let failure: { readonly reason: unknown } | undefined;
  let at = position;

  const send = (data: Uint8Array): void => {
    unconfirmedBytes += data.length;
    const writing = writeAt(at, data)
      .catch((reason: unknown) => {
        failure ??= { reason };
      })
      .finally(() => {
        unconfirmedBytes -= data.length;
        unconfirmed.delete(writing);
      });
    unconfirmed.add(writing);
    at += data.length;
  };
  const confirmed = async (maxBytes: number): Promise<void> => {
    signal?.throwIfAborted();
    while (unconfirmedBytes > maxBytes && !failure) {
      const one = Promise.race(unconfirmed);
      await (signal ? abortable(signal, one) : one);
    }
    if (failure) throw failure.reason;
  };

  return new WritableStream<Uint8Array>({
    async write(chunk) {
      const copy = Uint8Array.from(chunk); // whoever writes may use the memory again
      for (let start = 0; start < copy.length; start += PIECE_BYTES) {
        await confirmed(MAX_UNCONFIRMED_BYTES - PIECE_BYTES);
        send(copy.subarray(start, start + PIECE_BYTES));
      }
    },
    close: () => confirmed(0),
    async abort() {
      await Promise.all(unconfirmed);
    },
  });
}
