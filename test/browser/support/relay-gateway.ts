import net from 'node:net';
import { WebSocket, WebSocketServer } from 'ws';

/** Bytes of a message to the client at most. */
const MAX_MESSAGE_BYTES = 256 << 10;

/**
 * A gateway that does nothing but carry bytes between WebSockets and a TCP server: so what the client does is seen without what a real one adds.
 */
export class RelayGateway implements AsyncDisposable {
  readonly #server: WebSocketServer;
  readonly #pairs = new Map<WebSocket, net.Socket>();
  /** Sizes of the messages that have come. */
  readonly messageBytes: number[] = [];
  /** Bytes from clients, all connections together. */
  bytesToServer = 0;
  /** What connections are closed with in place of being served. */
  refusal: { readonly code: number; readonly reason: string } | undefined;
  #isReading = true;
  #target: number;

  private constructor(server: WebSocketServer, target: number) {
    this.#server = server;
    this.#target = target;
    server.on('connection', (socket) => this.#connect(socket));
  }

  static async to(port: number): Promise<RelayGateway> {
    const server = new WebSocketServer({
      host: '127.0.0.1',
      port: 0,
      path: '/gateway',
      perMessageDeflate: false,
      maxPayload: 1 << 20,
      handleProtocols: (offered) => (offered.has('sluice') ? 'sluice' : false),
    });
    await new Promise((resolve) => server.once('listening', resolve));
    return new RelayGateway(server, port);
  }

  get url(): string {
    return `ws://127.0.0.1:${(this.#server.address() as net.AddressInfo).port}/gateway`;
  }

  get connections(): number {
    return this.#pairs.size;
  }

  /** Where connections go from now on. */
  retarget(port: number): void {
    this.#target = port;
  }

  /** Breaks all connections, without a word. */
  cut(): void {
    for (const [socket] of this.#pairs) socket.terminate();
  }

  /** Whether it takes what clients send. */
  read(isReading: boolean): void {
    this.#isReading = isReading;
    for (const [socket] of this.#pairs) isReading ? socket.resume() : socket.pause();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const [socket, tcp] of this.#pairs) {
      socket.terminate();
      tcp.destroy();
    }
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #connect(socket: WebSocket): void {
    if (this.refusal) {
      socket.close(this.refusal.code, this.refusal.reason);
      return;
    }
    const tcp = net.connect({ host: '127.0.0.1', port: this.#target, noDelay: true });
    this.#pairs.set(socket, tcp);
    if (!this.#isReading) socket.pause();
    socket.on('message', (data: Buffer) => {
      this.messageBytes.push(data.length);
      this.bytesToServer += data.length;
      if (tcp.write(data)) return;
      socket.pause();
      tcp.once('drain', () => this.#isReading && socket.resume());
    });
    tcp.on('data', (data) => {
      let sent = 0;
      for (let at = 0; at < data.length; at += MAX_MESSAGE_BYTES) {
        const piece = data.subarray(at, at + MAX_MESSAGE_BYTES);
        sent += piece.length;
        socket.send(piece, () => tcp.isPaused() && socket.bufferedAmount < MAX_MESSAGE_BYTES && tcp.resume());
      }
      if (sent > 0 && socket.bufferedAmount > 4 * MAX_MESSAGE_BYTES) tcp.pause();
    });
    const end = (): void => {
      this.#pairs.delete(socket);
      tcp.destroy();
      if (socket.readyState === WebSocket.OPEN) socket.close(1000);
    };
    socket.on('error', end).on('close', end);
    tcp.on('error', end).on('close', end);
  }
}
