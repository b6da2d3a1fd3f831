import type { IncomingMessage } from 'node:http';

/** How the body of a request ended. */
export type BodyEnd = 'whole' | 'broken';

/**
 * Hands the body of a request on as it comes. While what takes it is busy, nothing more is read.
 *
 * @param take returns a promise while it is busy with the bytes, which nobody changes
 * @param signal ends it early
 * @returns when all that came was taken; `broken` when the peer is gone, or the signal was aborted, before the end
 * @throws what `take` throws; the rest of the body is dropped then
 */
export function receiveBody(
  message: IncomingMessage,
  take: (bytes: Buffer) => void | Promise<void>,
  signal: AbortSignal,
): Promise<BodyEnd> {
  return new Promise((resolve, reject) => {
    let busy: Promise<void> | undefined;
    let hasEnded = false;
    const stop = (settle: () => void): void => {
      if (hasEnded) return;
      hasEnded = true;
      message.off('data', onData).off('end', onEnd).off('close', onBroken).off('error', onBroken);
      signal.removeEventListener('abort', onBroken);
      message.resume(); // what still comes is nobody's
      if (busy) busy.then(settle, reject);
      else settle();
    };
    const onData = (bytes: Buffer): void => {
      try {
        const pending = take(bytes);
        if (!pending) return;
        message.pause();
        busy = pending;
        pending.then(
          () => {
            busy = undefined;
            if (!hasEnded) message.resume();
          },
          (error: unknown) => stop(() => reject(error)),
        );
      } catch (error) {
        stop(() => reject(error));
      }
    };
    const onEnd = (): void => stop(() => resolve(message.complete ? 'whole' : 'broken'));
    const onBroken = (): void => stop(() => resolve('broken'));
    if (message.destroyed || signal.aborted) {
      resolve(message.readableEnded && message.complete && !signal.aborted ? 'whole' : 'broken');
      return;
    }
    signal.addEventListener('abort', onBroken, { once: true });
    message.on('error', onBroken).on('close', onBroken).on('end', onEnd).on('data', onData);
  });
}
