import net from 'node:net';

/**
 * A link between clients and a server, through which all bytes go, and which can be cut or held up at a byte. Counts over all connections.
 */
export class Link implements AsyncDisposable {
  readonly #server: net.Server;
  readonly #sockets = new Set<net.Socket>();
  readonly #targetPort: number;
  #bytes = 0;
  #limitBytes = Number.POSITIVE_INFINITY;
  #onLimit: (() => void) | undefined;
  #flipAtBytes = Number.POSITIVE_INFINITY;
  #cutOn: string | undefined;
  #bytesToServer = 0;

  private constructor(targetPort: number) {
    this.#targetPort = targetPort;
    this.#server = net.createServer((client) => this.#connect(client));
  }

  static async to(port: number): Promise<Link> {
    const link = new Link(port);
    await new Promise<void>((resolve) => link.#server.listen(0, '127.0.0.1', resolve));
    return link;
  }

  get port(): number {
    return (this.#server.address() as net.AddressInfo).port;
  }

  /** Bytes that have passed, in both directions together. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Changes a bit when so many more bytes have passed, once. */
  flipAfter(bytes: number): void {
    this.#flipAtBytes = this.#bytes + bytes;
  }

  /** Settles when `bytes` bytes have passed in both directions together; nothing passes after that until `release` or `cut`. */
  holdAfter(bytes: number): Promise<void> {
    this.#limitBytes = this.#bytes + bytes;
    return new Promise((resolve) => {
      this.#onLimit = resolve;
    });
  }

  /** Bytes that clients have sent so far. */
  get bytesToServer(): number {
    return this.#bytesToServer;
  }

  /** Connections that pass through it now. */
  get connections(): number {
    return this.#sockets.size / 2;
  }

  /** Cuts all connections, once, in place of the first bytes from the server that hold this text. */
  cutOnAnswer(text: string): void {
    this.#cutOn = text;
  }

  /** Cuts the connection that was made last, with a reset. */
  cutNewest(): void {
    for (const socket of [...this.#sockets].slice(-2)) socket.resetAndDestroy();
  }

  /** Cuts all connections with a reset; new ones pass. */
  cut(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy();
    this.release();
  }

  /** Lets bytes pass again. */
  release(): void {
    this.#limitBytes = Number.POSITIVE_INFINITY;
    for (const socket of this.#sockets) socket.resume();
  }

  #connect(client: net.Socket): void {
    const server = net.connect(this.#targetPort, '127.0.0.1');
    client.on('data', (chunk: Buffer) => {
      this.#bytesToServer += chunk.length;
    });
    this.#pass(client, server);
    this.#pass(server, client, () => this.#cutOn);
  }

  #pass(from: net.Socket, to: net.Socket, cutOn: () => string | undefined = () => undefined): void {
    this.#sockets.add(from);
    from.on('error', () => to.destroy());
    from.on('end', () => to.end());
    from.on('close', () => {
      this.#sockets.delete(from);
      to.destroy();
    });
    from.on('data', (chunk: Buffer) => {
      const text = cutOn();
      if (text !== undefined && chunk.includes(text)) {
        this.#cutOn = undefined;
        this.cut();
        return;
      }
      this.#bytes += chunk.length;
      if (this.#bytes > this.#flipAtBytes) {
        this.#flipAtBytes = Number.POSITIVE_INFINITY;
        chunk[chunk.length - 1]! ^= 1;
      }
      if (!to.write(chunk)) {
        from.pause();
        to.once('drain', () => {
          if (this.#bytes < this.#limitBytes) from.resume();
        });
      }
      if (this.#bytes >= this.#limitBytes) {
        for (const socket of this.#sockets) socket.pause();
        this.#onLimit?.();
        this.#onLimit = undefined;
      }
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
