import assert from 'node:assert/strict';
import { mkdir, readFile } from 'node:fs/promises';
import { describe, it } from 'node:test';
import { type BrowserConnectOptions, connect, connectControl, measureSpeed } from '@sluice/client/browser';
import { WebSocket as NodeWebSocket } from 'ws';
import { Scratch, ServeCommand } from '../end-to-end/support/command.js';
import { CHUNK, fileOf, openSocket, someBytes } from './support/browser-scene.js';

/** A server with its own gateway, and the cookies of a browser. */
class Page implements AsyncDisposable {
  readonly scratch: Scratch;
  readonly server: ServeCommand;
  readonly origin: string;
  #cookie: string | undefined;
  readonly #fetch = globalThis.fetch;

  private constructor(scratch: Scratch, server: ServeCommand, origin: string) {
    this.scratch = scratch;
    this.server = server;
    this.origin = origin;
    globalThis.fetch = (input, init) => this.#fetch(input, { ...init, headers: this.#headers(init?.headers) });
  }

  static async open(): Promise<Page> {
    const scratch = await Scratch.make();
    await mkdir(scratch.path('root'));
    const server = await ServeCommand.start(scratch.path('root'), ['--http', '127.0.0.1:0']);
    const [, origin] = await server.command.output(/^dashboard on (http:\/\/[^/]+)\/$/m);
    return new Page(scratch, server, origin!);
  }

  get options(): BrowserConnectOptions {
    const headers = this.#headers();
    const open = (url: string, protocol: string) =>
      new NodeWebSocket(url, protocol, { perMessageDeflate: false, headers }) as unknown as WebSocket;
    return { url: this.origin, openSocket: open, retryDelayMs: 1 };
  }

  async logIn(): Promise<void> {
    const body = JSON.stringify({ user: 'admin', password: 'admin' });
    const headers = { 'Content-Type': 'application/json' };
    const answer = await fetch(`${this.origin}/login`, { method: 'POST', body, headers });
    assert.equal(answer.status, 204);
    this.#cookie = answer.headers.get('set-cookie')?.split(';')[0];
  }

  async logOut(): Promise<void> {
    assert.equal((await fetch(`${this.origin}/logout`, { method: 'POST' })).status, 204);
  }

  #headers(given?: RequestInit['headers']): Record<string, string> {
    const own = { Origin: this.origin, ...(this.#cookie !== undefined && { Cookie: this.#cookie }) };
    return { ...(given as Record<string, string>), ...own };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    globalThis.fetch = this.#fetch;
    await this.server[Symbol.asyncDispose]();
    await this.scratch[Symbol.asyncDispose]();
  }
}

describe('The gateway of a server', () => {
  it('lets a page in whose cookie has logged in, without a password', async () => {
    await using page = await Page.open();
    await assert.rejects(connect(page.options), { code: 'ERR_LOGIN_REFUSED', message: /log in again/ });
    await page.logIn();
    const client = await connect(page.options);
    const control = await connectControl(page.options);
    const bytes = someBytes(9 * CHUNK + 3);
    const { durability } = await client.upload(fileOf(bytes), 'file');
    assert.equal(durability, 'durable');
    assert.ok((await readFile(page.scratch.path('root', 'file'))).equals(bytes));
    assert.deepEqual(new Uint8Array(await (await client.downloadBlob('file')).arrayBuffer()), bytes);
    await using file = await client.openRemoteFile('file');
    assert.deepEqual(await file.readAt(CHUNK, 10), bytes.slice(CHUNK, CHUNK + 10));
    const clients = await control.list();
    assert.ok(clients.every(({ user }) => user === 'admin'));
    await client.close();
    await control.close();
  });

  it('lets nobody in any more when the session has ended', async () => {
    await using page = await Page.open();
    await page.logIn();
    const client = await connect(page.options);
    await client.list('');
    await page.logOut();
    const untilRefused = async (): Promise<never> => {
      for (;;) await client.list('');
    };
    await assert.rejects(untilRefused, { code: 'ERR_LOGIN_REFUSED', message: /log in again/ });
    await assert.rejects(connect(page.options), { code: 'ERR_LOGIN_REFUSED' });
    await client.close();
  });

  it('lets programs in by SCRAM, and anybody measure', async () => {
    await using page = await Page.open();
    const options = { url: page.origin, openSocket };
    const client = await connect({ ...options, userName: 'admin', password: 'admin' });
    await client.upload(someBytes(10), 'file');
    await client.close();
    await assert.rejects(connect({ ...options, userName: 'admin', password: 'no' }), { code: 'ERR_LOGIN_REFUSED' });
    const { up } = await measureSpeed({ ...options, seconds: 0.2, direction: 'up', bytes: 1 << 20 });
    assert.ok(up!.bytes > 0);
  });
});
