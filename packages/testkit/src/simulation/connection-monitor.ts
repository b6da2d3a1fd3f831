import type { CloseReason, Connection, ConnectionHandler, SendResult } from '@sluice/core';
import type { SimulatedPeer } from './simulated-peer.js';
import { Violation } from './violation.js';

/** What a monitor tells. */
export interface MonitorOwner {
  /** The first violation counts. */
  onViolation(violation: Violation): void;
  /** Something has happened that a run of the same seed must repeat. */
  note(event: string): void;
}

/** A message that `release` must be called for, once. */
interface Loan {
  releases: number;
}

/**
 * Stands between a connection and its handler, and sees that each keeps what core promises: one close, calls one at a time, none after the end,
 * bytes in order and whole in both directions, memory given back once.
 */
export class ConnectionMonitor {
  readonly connection: Connection;
  readonly peer: SimulatedPeer | undefined;
  readonly #owner: MonitorOwner;
  readonly #handed: Buffer[] = [];
  readonly #accepted: Buffer[] = [];
  readonly #loans: Loan[] = [];
  /** The call of the handler, or of `send`, that goes on. */
  #running: string | undefined;
  #isEnding = false;
  #wasDestroyed = false;
  #firstReason: CloseReason | undefined;
  #closes = 0;
  /** A `queued` was answered, and no `onDrained` has come. */
  #isDrainedOwed = false;

  /** @returns the monitor, and the handler to give to the listener in place of that which `serve` makes */
  static watch(
    connection: Connection,
    peer: SimulatedPeer | undefined,
    owner: MonitorOwner,
    serve: (connection: Connection) => ConnectionHandler,
  ): { readonly monitor: ConnectionMonitor; readonly handler: ConnectionHandler } {
    const monitor = new ConnectionMonitor(connection, peer, owner);
    monitor.#interpose();
    return { monitor, handler: monitor.#wrap(serve(connection)) };
  }

  private constructor(connection: Connection, peer: SimulatedPeer | undefined, owner: MonitorOwner) {
    this.connection = connection;
    this.peer = peer;
    this.#owner = owner;
  }

  /** Whether the server has cut it: what was queued may not have been sent. */
  get wasDestroyed(): boolean {
    return this.#wasDestroyed;
  }

  /** To be called when the peer has read all there is, and the connection stands. */
  checkQuiet(): void {
    if (this.#isDrainedOwed && !this.connection.isClosing && this.connection.queuedBytes === 0)
      this.#fail(
        'drained-is-told',
        'a send was answered by queued, the peer has read all of it, and onDrained never came',
      );
  }

  /** To be called when everything is over. */
  checkEnd(): void {
    if (this.#closes !== 1) this.#fail('one-close', `onClosed was called ${this.#closes} times`);
    if (this.connection.queuedBytes !== 0)
      this.#fail('queue-is-emptied', `${this.connection.queuedBytes} bytes are queued after the end`);
    for (const { releases } of this.#loans)
      if (releases !== 1) this.#fail('released-once', `release was called ${releases} times`);
    if (this.peer) this.#checkBytes(this.peer);
  }

  #checkBytes(peer: SimulatedPeer): void {
    const handed = Buffer.concat(this.#handed);
    const { sent, received } = peer;
    if (!handed.equals(sent.subarray(0, handed.length)))
      this.#fail(
        'received-in-order',
        `what the handler was given is not what the peer sent, from byte ${differsAt(handed, sent)} on`,
      );
    const accepted = Buffer.concat(this.#accepted);
    if (!received.equals(accepted.subarray(0, received.length)))
      this.#fail(
        'sent-in-order',
        `what the peer received is not what was sent, from byte ${differsAt(received, accepted)} on`,
      );
    if (peer.ending === 'server-ended') {
      if (!this.#wasDestroyed && received.length < accepted.length)
        this.#fail(
          'close-flushes',
          `${accepted.length} bytes were sent before close, and ${received.length} came before the end`,
        );
      if (this.#firstReason === 'peer-closed' && handed.length < sent.length)
        this.#fail(
          'received-whole',
          `the peer sent ${sent.length} bytes and ended, and ${handed.length} were handed on`,
        );
    }
  }

  #fail(invariant: string, detail: string): void {
    this.#owner.onViolation(new Violation(invariant, `connection ${this.connection.id}: ${detail}`));
  }

  /** Puts this in front of what handlers call. */
  #interpose(): void {
    const { connection } = this;
    const original = {
      send: connection.send.bind(connection),
      sendInPlace: connection.sendInPlace.bind(connection),
      sendOwned: connection.sendOwned.bind(connection),
      close: connection.close.bind(connection),
      destroy: connection.destroy.bind(connection),
    };
    const { prototype } = connection.constructor as typeof Connection;
    const handler = Object.getOwnPropertyDescriptor(prototype, 'handler')!;
    Object.defineProperties(connection, {
      send: { value: (bytes: Uint8Array) => this.#send(bytes, () => original.send(bytes)) },
      sendInPlace: {
        value: (maxBytes: number, fill: (target: Uint8Array, at: number) => number) =>
          this.#sendInPlace(maxBytes, fill, original.sendInPlace),
      },
      sendOwned: {
        value: (bytes: Uint8Array, release: () => void) => this.#sendOwned(bytes, release, original.sendOwned),
      },
      close: {
        value: (reason: CloseReason) => {
          this.#noteEnd(reason);
          original.close(reason);
        },
      },
      destroy: {
        value: (reason: CloseReason, error?: Error) => {
          this.#noteEnd(reason);
          this.#wasDestroyed = true;
          original.destroy(reason, error);
        },
      },
      handler: {
        get: () => handler.get!.call(connection),
        set: (next: ConnectionHandler) =>
          handler.set!.call(connection, this.#isWrapped(next) ? next : this.#wrap(next)),
      },
    });
  }

  readonly #wrappers = new WeakSet<ConnectionHandler>();

  #isWrapped(handler: ConnectionHandler): boolean {
    return this.#wrappers.has(handler);
  }

  #noteEnd(reason: CloseReason): void {
    this.#isEnding = true;
    this.#firstReason ??= reason;
  }

  #send(bytes: Uint8Array, send: () => SendResult): SendResult {
    const place = this.#accepted.length;
    this.#accepted.push(Buffer.from(bytes)); // first: from within, more may be sent
    const result = this.#during('send', send);
    if (result === 'refused') this.#accepted[place] = Buffer.alloc(0);
    return this.#judge(result, bytes.length);
  }

  #sendInPlace(
    maxBytes: number,
    fill: (target: Uint8Array, at: number) => number,
    send: Connection['sendInPlace'],
  ): SendResult {
    const result = this.#during('send', () =>
      send(maxBytes, (target, at) => {
        const count = fill(target, at);
        this.#accepted.push(Buffer.from(target.subarray(at, at + count)));
        return count;
      }),
    );
    return this.#judge(result, maxBytes);
  }

  #sendOwned(
    bytes: Uint8Array,
    release: () => void,
    send: (bytes: Uint8Array, release: () => void) => SendResult,
  ): SendResult {
    const loan: Loan = { releases: 0 };
    this.#loans.push(loan);
    const result = this.#send(bytes, () =>
      send(bytes, () => {
        loan.releases += 1;
        const running = this.#running;
        this.#running = undefined; // whose memory is given back may send again
        release();
        this.#running = running;
      }),
    );
    if (result === 'refused') {
      if (loan.releases > 0) this.#fail('released-once', 'release was called for what was refused');
      loan.releases = 1;
    }
    return result;
  }

  #judge(result: SendResult, bytes: number): SendResult {
    if (result === 'queued') this.#isDrainedOwed = true;
    if (result === 'sent' && this.#isDrainedOwed && this.connection.isAboveHighWaterMark)
      this.#fail('queued-is-told', `a send of ${bytes} bytes was answered by sent above the high-water mark`);
    return result;
  }

  #during<T>(what: string, run: () => T): T {
    const before = this.#running;
    this.#running = what;
    try {
      return run();
    } finally {
      this.#running = before;
    }
  }

  /** The handler itself, but for the calls that are watched. */
  #wrap(handler: ConnectionHandler): ConnectionHandler {
    const wrapped = new Proxy(handler, {
      get: (target, key) => {
        const value: unknown = Reflect.get(target, key, target);
        const watch = this.#watched.get(key);
        if (watch && (value || ALWAYS_CALLED.has(key)))
          return (...args: unknown[]) =>
            watch(args, () => this.#call(key as string, () => (value as Call | undefined)?.apply(target, args)));
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
    this.#wrappers.add(wrapped);
    return wrapped;
  }

  /** What is noted of a call of the handler. */
  readonly #watched = new Map<string | symbol, (args: unknown[], goOn: () => unknown) => unknown>([
    [
      'onBytes',
      ([source, start, end], goOn) => {
        this.#handed.push(Buffer.from((source as Uint8Array).subarray(start as number, end as number)));
        return goOn();
      },
    ],
    ['onPeerEnd', (_, goOn) => goOn()],
    ['onShutdown', (_, goOn) => goOn()],
    [
      'onDrained',
      (_, goOn) => {
        this.#isDrainedOwed = false;
        return goOn();
      },
    ],
    [
      'onClosed',
      ([reason, error], goOn) => {
        this.#judgeEnd(reason as CloseReason, error as NodeJS.ErrnoException | undefined);
        const result = goOn();
        this.#closes += 1;
        return result;
      },
    ],
  ]);

  #judgeEnd(reason: CloseReason, error: NodeJS.ErrnoException | undefined): void {
    this.#owner.note(`${this.connection.id} closed ${reason}`);
    if (this.#firstReason !== undefined && reason !== this.#firstReason)
      this.#fail('first-reason-counts', `closed for ${this.#firstReason}, told ${reason}`);
    if ((reason === 'socket-error' && error?.code !== 'ETIMEDOUT') || error?.code?.startsWith('ERR_STREAM'))
      this.#fail('the-socket-is-used-rightly', `${error?.message}`);
  }

  #call(name: string, run: () => unknown): unknown {
    if (this.#closes > 0) this.#fail('nothing-after-the-end', `${name} was called after onClosed`);
    if (this.#running) this.#fail('one-call-at-a-time', `${name} was called from within ${this.#running}`);
    if (this.#isEnding && name !== 'onClosed') this.#fail('nothing-after-the-end', `${name} was called after close`);
    this.#owner.note(`${this.connection.id} ${name}`);
    return this.#during(name, run);
  }
}

type Call = (...args: unknown[]) => unknown;

/** Watched in handlers too that do not have them. */
const ALWAYS_CALLED: ReadonlySet<string | symbol> = new Set(['onDrained', 'onClosed']);

function differsAt(one: Buffer, other: Buffer): number {
  let at = 0;
  while (at < one.length && one[at] === other[at]) at += 1;
  return at;
}
