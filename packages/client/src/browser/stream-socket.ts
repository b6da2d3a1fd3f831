import type { GatewaySocket } from './web-socket-transport.js';

/** What some browsers have beside WebSocket, and the types of TypeScript do not. */
interface WebSocketStream {
  readonly opened: Promise<{
    readonly readable: ReadableStream<unknown>;
    readonly writable: WritableStream<Uint8Array>;
  }>;
  readonly closed: Promise<StreamEnd>;
  close(): void;
}

/** Errors have it, too. */
interface StreamEnd {
  readonly closeCode?: number;
  readonly reason?: string;
}

type WebSocketStreamConstructor = new (url: string, options: { readonly protocols: string[] }) => WebSocketStream;

/** The end of a connection that nobody has closed. RFC 6455, section 7.4.1 */
const ABNORMAL = 1006;

/** A WebSocket that says when something was taken, and can be read as slowly as it has to be. */
export class StreamSocket implements GatewaySocket {
  binaryType: BinaryType = 'arraybuffer';
  bufferedAmount = 0;
  onopen: GatewaySocket['onopen'] = null;
  onclose: GatewaySocket['onclose'] = null;
  onerror: GatewaySocket['onerror'] = null;
  onmessage: GatewaySocket['onmessage'] = null;
  readonly #stream: WebSocketStream;
  #writer: WritableStreamDefaultWriter<Uint8Array> | undefined;
  #isPaused = false;
  #onResumed: () => void = () => {};

  private constructor(stream: WebSocketStream) {
    this.#stream = stream;
    stream.opened.then(
      ({ readable, writable }) => {
        this.#writer = writable.getWriter();
        this.#writer.closed.catch(() => {}); // `closed` of the stream tells
        this.onopen?.({});
        void this.#read(readable.getReader());
      },
      () => this.onerror?.({}),
    );
    stream.closed.then(
      (end) => this.#onEnd(end),
      (error: StreamEnd) => this.#onEnd(error),
    );
  }

  /** @returns `undefined` where the browser has no such thing */
  static open(url: string, protocol: string): StreamSocket | undefined {
    const { WebSocketStream } = globalThis as { readonly WebSocketStream?: WebSocketStreamConstructor };
    return WebSocketStream && new StreamSocket(new WebSocketStream(url, { protocols: [protocol] }));
  }

  /** Settles when the browser has taken it. */
  async send(message: Uint8Array<ArrayBuffer>): Promise<void> {
    this.bufferedAmount += message.length;
    await this.#writer?.write(message);
    this.bufferedAmount -= message.length;
  }

  /** Reads no more, after what is being read. */
  pauseReading(): void {
    this.#isPaused = true;
  }

  resumeReading(): void {
    this.#isPaused = false;
    this.#onResumed();
  }

  close(): void {
    // Chromium 156 loses the whole page when it closes a stream that has writes waiting, and not when they are called off before.
    this.#writer?.abort().catch(() => {});
    this.#stream.close();
    this.resumeReading();
  }

  async #read(reader: ReadableStreamDefaultReader<unknown>): Promise<void> {
    try {
      for (;;) {
        const { done, value } = await reader.read();
        if (done) return;
        this.onmessage?.({ data: value });
        if (this.#isPaused)
          await new Promise<void>((resolve) => {
            this.#onResumed = resolve;
          });
      }
    } catch {} // it has ended, and says so
  }

  #onEnd({ closeCode = ABNORMAL, reason = '' }: StreamEnd): void {
    this.onclose?.({ code: closeCode, reason });
  }
}
