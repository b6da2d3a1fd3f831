import { WebSocket as NodeWebSocket } from 'ws';

/** WebSocketStream as browsers have it, on what Node has. */
export class NodeSocketStream {
  static made = 0;
  readonly opened: Promise<{ readable: ReadableStream<Uint8Array>; writable: WritableStream<Uint8Array> }>;
  readonly closed: Promise<{ closeCode: number; reason: string }>;
  readonly #socket: NodeWebSocket;

  constructor(url: string, { protocols }: { readonly protocols: string[] }) {
    NodeSocketStream.made += 1;
    const socket = new NodeWebSocket(url, protocols, { perMessageDeflate: false });
    this.#socket = socket;
    let failure: Error | undefined;
    this.closed = new Promise((resolve, reject) => {
      socket.once('close', (closeCode, reason) => {
        if (failure || closeCode === 1006) reject(Object.assign(new Error('it broke'), { closeCode, reason: '' }));
        else resolve({ closeCode, reason: String(reason) });
      });
    });
    this.opened = new Promise((resolve, reject) => {
      socket.once('error', (error) => {
        failure = error;
        reject(error);
      });
      socket.once('open', () => resolve({ readable: this.#readable(), writable: this.#writable() }));
    });
  }

  close(): void {
    this.#socket.close();
  }

  #readable(): ReadableStream<Uint8Array> {
    const socket = this.#socket;
    return new ReadableStream<Uint8Array>(
      {
        start(controller) {
          socket.on('message', (data: Buffer) => {
            controller.enqueue(Uint8Array.from(data));
            if ((controller.desiredSize ?? 0) <= 0) socket.pause();
          });
          socket.once('close', (code) =>
            code === 1006 ? controller.error(new Error('it broke')) : controller.close(),
          );
        },
        pull: () => socket.resume(),
      },
      { highWaterMark: 4 },
    );
  }

  #writable(): WritableStream<Uint8Array> {
    const socket = this.#socket;
    return new WritableStream<Uint8Array>({
      start(controller) {
        socket.once('close', () => controller.error(new Error('it broke')));
      },
      write: (chunk) =>
        new Promise((resolve, reject) => socket.send(chunk, (error) => (error ? reject(error) : resolve()))),
    });
  }
}
