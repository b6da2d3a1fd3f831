import { once } from 'node:events';
import http, { type IncomingHttpHeaders } from 'node:http';
import https from 'node:https';
import net from 'node:net';
import { text } from 'node:stream/consumers';

export interface HttpAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

export interface AskOptions {
  readonly method?: string;
  readonly headers?: http.OutgoingHttpHeaders;
  readonly body?: string | Uint8Array;
  /** @default one connection for each request */
  readonly agent?: http.Agent;
  /** A certificate to be trusted; with it the request goes by TLS. */
  readonly ca?: string;
}

/** One request to a server of this machine, with nothing added that was not asked for. */
export function askHttp(port: number, path: string, options: AskOptions = {}): Promise<HttpAnswer> {
  const { method = 'GET', headers = {}, body, agent = false, ca } = options;
  return new Promise((resolve, reject) => {
    const all = { host: '127.0.0.1', port, path, method, headers, agent };
    const request = ca === undefined ? http.request(all) : https.request({ ...all, ca, servername: 'localhost' });
    request.on('error', reject);
    request.on('response', (response) => {
      text(response).then(
        (body) => resolve({ status: response.statusCode ?? 0, headers: response.headers, body }),
        reject,
      );
    });
    request.end(body);
  });
}

/** A connection on which bytes are sent as they are. */
export class RawHttp implements AsyncDisposable {
  readonly socket: net.Socket;
  received = '';

  private constructor(socket: net.Socket) {
    this.socket = socket;
    socket.setEncoding('latin1').on('data', (text: string) => {
      this.received += text;
    });
    socket.on('error', () => {});
  }

  static async connect(port: number): Promise<RawHttp> {
    const socket = net.connect({ host: '127.0.0.1', port });
    await once(socket, 'connect');
    return new RawHttp(socket);
  }

  send(text: string): void {
    this.socket.write(text, 'latin1');
  }

  /** Resolves when what was received matches. */
  async until(pattern: RegExp): Promise<string> {
    while (!pattern.test(this.received)) {
      if (this.socket.destroyed) throw new Error(`ended without ${pattern}: ${this.received}`);
      await new Promise<void>((resolve) => {
        this.socket.once('data', () => resolve());
        this.socket.once('close', () => resolve());
      });
    }
    return this.received;
  }

  /** Resolves when the server has ended the connection. */
  async ended(): Promise<string> {
    if (!this.socket.closed) await new Promise<void>((resolve) => this.socket.once('close', () => resolve()));
    return this.received;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.socket.destroy();
  }
}
