import net from 'node:net';
import tls from 'node:tls';
import { LengthFieldDecoder } from '@sluice/framing';
import {
  type CommandText,
  commandTextEnd,
  decodeCommandText,
  encodePacket,
  PACKET_HEAD_BYTES,
  packetLayout,
} from '@sluice/wire';

/** What somebody in the middle does with a packet of the client: `pass` it on, or answer it with this text in the server's place. */
export type Interference = (request: CommandText) => 'pass' | Uint8Array;

export interface MiddleOptions {
  /** For clients that come with TLS: what they are shown. */
  readonly secure?: { readonly cert: string; readonly key: string };
  /** Whether it goes on to the server with TLS. @default false */
  readonly isServerSecure?: boolean;
}

/** Somebody between clients and a server, who reads and changes what the clients send. */
export class Middle implements AsyncDisposable {
  /** The texts of all packets of clients. */
  readonly requests: CommandText[] = [];
  interferes: Interference;
  readonly #server: net.Server;
  readonly #sockets = new Set<net.Socket>();
  readonly #targetPort: number;
  readonly #options: MiddleOptions;

  private constructor(targetPort: number, interferes: Interference, options: MiddleOptions) {
    this.#targetPort = targetPort;
    this.interferes = interferes;
    this.#options = options;
    const { secure } = options;
    this.#server = secure
      ? tls.createServer(secure, (client) => this.#connect(client))
      : net.createServer((client) => this.#connect(client));
  }

  static async before(
    targetPort: number,
    interferes: Interference = () => 'pass',
    options: MiddleOptions = {},
  ): Promise<Middle> {
    const middle = new Middle(targetPort, interferes, options);
    await new Promise<void>((resolve) => middle.#server.listen(0, '127.0.0.1', resolve));
    return middle;
  }

  get port(): number {
    return (this.#server.address() as net.AddressInfo).port;
  }

  /** Whether any client has sent the digest of a password. */
  get hasSeenDigest(): boolean {
    return this.requests.some((request) => request.first('Password') !== undefined);
  }

  #connect(client: net.Socket): void {
    const { isServerSecure = false } = this.#options;
    const to = { host: '127.0.0.1', port: this.#targetPort };
    const server = isServerSecure ? tls.connect({ ...to, rejectUnauthorized: false }) : net.connect(to);
    for (const [one, other] of [
      [client, server],
      [server, client],
    ] as const) {
      this.#sockets.add(one);
      one.on('error', () => other.destroy());
      one.on('close', () => other.destroy());
    }
    server.on('data', (chunk: Buffer) => client.write(chunk));
    let hasFlag = false;
    const decoder = new LengthFieldDecoder(packetLayout(), {
      onFrame: (source, start, end) => {
        const textEnd = commandTextEnd(source, start, end - start);
        const request = decodeCommandText(source, start + PACKET_HEAD_BYTES, textEnd);
        this.requests.push(request);
        const answer = this.interferes(request);
        if (answer === 'pass') server.write(Uint8Array.from(source.subarray(start, end)));
        else client.write(encodePacket(answer));
        return true;
      },
    });
    client.on('data', (chunk: Buffer) => {
      if (!hasFlag) server.write(chunk.subarray(0, 1));
      decoder.push(chunk, hasFlag ? 0 : 1, chunk.length);
      hasFlag = true;
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
