import { randomFillSync } from 'node:crypto';
import { mkdir, readFile } from 'node:fs/promises';
import { type BrowserClient, type BrowserConnectOptions, connect } from '@sluice/client/browser';
import { WebSocket as NodeWebSocket } from 'ws';
import { Scratch, ServeCommand } from '../../end-to-end/support/command.js';
import { RelayGateway } from './relay-gateway.js';

export const MIB = 1 << 20;
export const CHUNK = 4 * MIB;

/** What Node lacks of a browser. */
export function openSocket(url: string, protocol: string): WebSocket {
  return new NodeWebSocket(url, protocol, { perMessageDeflate: false }) as unknown as WebSocket;
}

/** A server behind a gateway, and a client as it is in a page. */
export class BrowserScene implements AsyncDisposable {
  readonly scratch: Scratch;
  server: ServeCommand;
  readonly gateway: RelayGateway;
  readonly client: BrowserClient;

  private constructor(scratch: Scratch, server: ServeCommand, gateway: RelayGateway, client: BrowserClient) {
    this.scratch = scratch;
    this.server = server;
    this.gateway = gateway;
    this.client = client;
  }

  static async open(options: BrowserConnectOptions = {}): Promise<BrowserScene> {
    const scratch = await Scratch.make();
    await mkdir(scratch.path('root'));
    const server = await ServeCommand.start(scratch.path('root'));
    const gateway = await RelayGateway.to(server.port);
    const client = await connect(BrowserScene.optionsFor(gateway, options));
    return new BrowserScene(scratch, server, gateway, client);
  }

  static optionsFor({ url }: RelayGateway, options: BrowserConnectOptions = {}): BrowserConnectOptions {
    return { url, openSocket, userName: 'admin', password: 'admin', retryDelayMs: 1, ...options };
  }

  /** Another client of the same, as after a reload of the page. */
  reload(options: BrowserConnectOptions = {}): Promise<BrowserClient> {
    return connect(BrowserScene.optionsFor(this.gateway, options));
  }

  served(...names: string[]): string {
    return this.scratch.path('root', ...names);
  }

  onServer(...names: string[]): Promise<Buffer> {
    return readFile(this.served(...names));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.client.close();
    await this.gateway[Symbol.asyncDispose]();
    await this.server[Symbol.asyncDispose]();
    await this.scratch[Symbol.asyncDispose]();
  }
}

export function someBytes(count: number): Uint8Array<ArrayBuffer> {
  return randomFillSync(new Uint8Array(count));
}

export function fileOf(bytes: Uint8Array<ArrayBuffer>, name = 'picked.bin', lastModified = 1_700_000_000_123): File {
  return new File([bytes], name, { lastModified });
}
