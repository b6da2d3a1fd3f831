import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { ServerLog, SluiceServer, UserStore } from '@sluice/server';
import { RawPeer } from '@sluice/testkit';

// One for all tests: making a verifier costs a run of scrypt.
const users = UserStore.fromPairs([{ name: 'admin', password: 'admin' }]);

/** A server over an empty directory, with the user admin, password admin. */
export class TemporaryServer implements AsyncDisposable {
  readonly #root: string;
  readonly #server: SluiceServer;

  private constructor(root: string, server: SluiceServer) {
    this.#root = root;
    this.#server = server;
  }

  static async start(): Promise<TemporaryServer> {
    const root = await mkdtemp(path.join(os.tmpdir(), 'sluice-docs-'));
    const log = new ServerLog({ level: 'info', sinks: [] });
    const server = await SluiceServer.start({
      host: '127.0.0.1',
      port: 0,
      root,
      users: await users,
      log,
      logStream: log,
    });
    return new TemporaryServer(root, server);
  }

  get url(): string {
    return `sluice://admin:admin@127.0.0.1:${this.#server.address.port}/`;
  }

  path(name: string): string {
    return path.join(this.#root, name);
  }

  connect(): Promise<RawPeer> {
    return RawPeer.connect(this.#server.address.port);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.close();
    await rm(this.#root, { recursive: true, force: true });
  }
}
