import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import type { HttpVisitor, SluiceServerOptions } from '@sluice/server';
import { TestServer } from '../../support/test-server.js';

/** What the HTTP listener would know of who asks. */
export interface Asking {
  remoteAddress?: string;
  isSecure?: boolean;
  visitor?: HttpVisitor;
}

/** A server whose gateway is behind an HTTP server of the test, which says of each that comes what the test wants. */
export class GatewayServer implements AsyncDisposable {
  readonly server: TestServer;
  readonly #http: http.Server;
  /** Of those that come from now on. */
  asking: Asking = {};

  private constructor(server: TestServer, httpServer: http.Server) {
    this.server = server;
    this.#http = httpServer;
    httpServer.on('upgrade', (message, socket, head) => {
      const { remoteAddress = '127.0.0.1', isSecure = false, visitor } = this.asking;
      const url = new URL(message.url ?? '/', 'http://127.0.0.1');
      const gone = new AbortController().signal;
      server.server.gateway.upgrade({ message, url, remoteAddress, isSecure, visitor, gone }, socket, head);
    });
  }

  static async start(options: Partial<SluiceServerOptions> = {}): Promise<GatewayServer> {
    const server = await TestServer.start(options);
    const httpServer = http.createServer();
    httpServer.listen(0, '127.0.0.1');
    await once(httpServer, 'listening');
    return new GatewayServer(server, httpServer);
  }

  get port(): number {
    return (this.#http.address() as AddressInfo).port;
  }

  get listener() {
    return this.server.server.listener;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#http.close();
    await this.server[Symbol.asyncDispose]();
  }
}
