import type { MemoryAccount, MemoryCeiling, MemoryHolder } from '@sluice/core';
import { BusyError } from './busy-error.js';
import type { SessionMemory } from './protocol.js';

/** When memory is short, it is worth another try after so many milliseconds. */
const RETRY_AFTER_MS = 2000;

const NOTHING: Disposable = { [Symbol.dispose]() {} };

/** What the requests of one connection may take of the server's memory. */
export class RequestMemory implements SessionMemory {
  readonly #ceiling: MemoryCeiling | undefined;
  readonly #account: MemoryAccount | undefined;
  readonly #peer: { readonly gone: AbortSignal };
  #isFeeding = false;

  /** @param peer its `gone` is aborted when the connection is gone: then nobody waits any more; asked for when somebody has to */
  constructor(ceiling: MemoryCeiling | undefined, holder: MemoryHolder, peer: { readonly gone: AbortSignal }) {
    this.#ceiling = ceiling;
    this.#account = ceiling?.work.open(holder);
    this.#peer = peer;
  }

  get isShort(): boolean {
    return this.#ceiling !== undefined && (this.#ceiling.send.isShort || this.#ceiling.work.isShort);
  }

  roomToSend(bytes: number): void | Promise<void> {
    return this.#room(bytes, undefined);
  }

  roomForMore(bytes: number): void | Promise<void> {
    return this.#room(bytes, Number.POSITIVE_INFINITY);
  }

  #room(bytes: number, maxMs: number | undefined): void | Promise<void> {
    const { send } = this.#ceiling ?? {};
    if (!send || (send.waitingNow === 0 && send.hasRoomFor(bytes))) return;
    return send.waitForRoom(bytes, this.#peer.gone, maxMs).then((hasRoom) => {
      if (!hasRoom) this.#refuse();
    });
  }

  requireRoomToSend(bytes: number): void {
    if (this.#ceiling && !this.#ceiling.send.hasRoomFor(bytes)) this.#refuse();
  }

  hold(bytes: number): Disposable {
    const account = this.#account;
    if (!account) return NOTHING;
    account.add(bytes);
    let isHeld = true;
    return {
      [Symbol.dispose]() {
        if (isHeld) account.add(-bytes);
        isHeld = false;
      },
    };
  }

  async holdWhenRoom(bytes: number): Promise<Disposable> {
    const { work } = this.#ceiling ?? {};
    if (work && (work.waitingNow > 0 || !work.hasRoomFor(bytes)) && !(await work.waitForRoom(bytes, this.#peer.gone)))
      this.#refuse();
    return this.hold(bytes);
  }

  get isFeeding(): boolean {
    return this.#isFeeding;
  }

  set isFeeding(isFeeding: boolean) {
    if (isFeeding === this.#isFeeding) return;
    this.#isFeeding = isFeeding;
    if (this.#account) this.#account.isFeeding = isFeeding;
  }

  /** The connection is gone. What is still held for it, until that ends too, counts no more for closing others. */
  close(): void {
    this.#account?.budget.forget(this.#account);
  }

  #refuse(): never {
    this.#peer.gone.throwIfAborted();
    throw new BusyError('memory is short', RETRY_AFTER_MS);
  }
}
