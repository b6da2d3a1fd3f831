import { once } from 'node:events';
import type { Socket } from 'node:net';
import { LengthFieldDecoder } from '@sluice/framing';
import { commandTextEnd, PACKET_HEAD_BYTES, packetLayout } from '@sluice/wire';
import { type ClientOptions, WebSocket } from 'ws';
import type { RawPacket } from './raw-peer.js';

const WAIT_LIMIT_MS = 10_000;

/** How the server has ended a WebSocket. */
export interface WebSocketEnded {
  readonly code: number;
  readonly reason: string;
}

/** A WebSocket to the gateway of a server of this machine: sends any bytes, and takes what comes apart into packets. */
export class GatewayPeer implements AsyncDisposable {
  readonly webSocket: WebSocket;
  readonly messages: Buffer[] = [];
  receivedBytes = 0;
  readonly #packets: RawPacket[] = [];
  readonly #decoder: LengthFieldDecoder;
  #ended: WebSocketEnded | undefined;
  #wake = (): void => {};

  private constructor(webSocket: WebSocket) {
    this.webSocket = webSocket;
    this.#decoder = new LengthFieldDecoder(packetLayout(), {
      onFrame: (source, start, end) => {
        const textEnd = commandTextEnd(source, start, end - start);
        const text = Buffer.from(source.subarray(start + PACKET_HEAD_BYTES, textEnd)).toString('utf8');
        this.#packets.push({ text, data: Uint8Array.from(source.subarray(textEnd, end)) });
        return true;
      },
    });
    webSocket.on('message', (message: Buffer) => {
      this.receivedBytes += message.length;
      this.messages.push(message);
      try {
        this.#decoder.push(message, 0, message.length);
      } catch {
        // not packets
      }
      this.#wake();
    });
    webSocket.on('error', () => {});
    webSocket.on('close', (code, reason) => {
      this.#ended = { code, reason: reason.toString() };
      this.#wake();
    });
  }

  /** @param url of the gateway, or its port. @throws what the handshake fails with */
  static async connect(url: number | string, options: ClientOptions = {}): Promise<GatewayPeer> {
    const target = typeof url === 'number' ? `ws://127.0.0.1:${url}/gateway` : url;
    const peer = new GatewayPeer(new WebSocket(target, 'sluice', { perMessageDeflate: false, ...options }));
    await once(peer.webSocket, 'open');
    return peer;
  }

  get ended(): WebSocketEnded | undefined {
    return this.#ended;
  }

  /** The connection below. */
  get socket(): Socket {
    return (this.webSocket as WebSocket & { readonly _socket: Socket })._socket;
  }

  /** All parts as one message. */
  send(...parts: Uint8Array[]): void {
    this.webSocket.send(Buffer.concat(parts));
  }

  async nextPacket(): Promise<RawPacket> {
    await this.until('a packet', () => this.#packets.length > 0);
    return this.#packets.shift()!;
  }

  /** The lines of the next answer, without its marker. */
  async answer(): Promise<string[]> {
    return (await this.nextPacket()).text.split('\r\n').slice(1);
  }

  async waitForEnd(): Promise<WebSocketEnded> {
    await this.until('the end', () => this.#ended !== undefined);
    return this.#ended!;
  }

  async until(what: string, isDone: () => boolean): Promise<void> {
    const signal = AbortSignal.timeout(WAIT_LIMIT_MS);
    while (!isDone()) {
      if (this.#ended) throw new Error(`ended without ${what}: ${this.#ended.code} ${this.#ended.reason}`);
      await new Promise<void>((resolve, reject) => {
        this.#wake = resolve;
        signal.addEventListener('abort', () => reject(new Error(`not within 10 s: ${what}`)), { once: true });
      });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.webSocket.terminate();
  }
}
