import type { IncomingMessage } from 'node:http';

/** How the body of a request ended. */
export type BodyEnd = 'whole' | 'broken';

/** Whether the body of a request may come, for others than who takes it: memory may be short. */
export class BodyGate {
  #isOpen = true;
  /** Called when it is opened. */
  onOpen: (() => void) | undefined;

  get isOpen(): boolean {
    return this.#isOpen;
  }

  set isOpen(isOpen: boolean) {
    if (isOpen === this.#isOpen) return;
    this.#isOpen = isOpen;
    if (isOpen) this.onOpen?.();
  }
}

/**
 * Hands the body of a request on as it comes. While what takes it is busy, or the gate is closed, nothing more is read.
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
  gate: BodyGate = new BodyGate(),
): Promise<BodyEnd> {
  return new Promise((resolve, reject) => {
    let busy: Promise<void> | undefined;
    let hasEnded = false;
    const stop = (settle: () => void): void => {
      if (hasEnded) return;
      hasEnded = true;
      gate.onOpen = undefined;
      message.off('data', onData).off('end', onEnd).off('close', onBroken).off('error', onBroken);
      signal.removeEventListener('abort', onBroken);
      message.resume(); // what still comes is nobody's
      if (busy) busy.then(settle, reject);
      else settle();
    };
    const goOn = (): void => {
      if (!hasEnded && !busy && gate.isOpen) message.resume();
    };
    const onData = (bytes: Buffer): void => {
      try {
        busy = take(bytes) ?? undefined;
        if (busy || !gate.isOpen) message.pause();
        busy?.then(
          () => {
            busy = undefined;
            goOn();
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
    gate.onOpen = goOn;
    message.on('error', onBroken).on('close', onBroken).on('end', onEnd).on('data', onData);
  });
}
