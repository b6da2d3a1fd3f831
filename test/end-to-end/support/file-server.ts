import { ServerLog, SluiceServer, UserStore } from '@sluice/server';

// One for all tests: making a verifier costs a run of scrypt.
const users = UserStore.fromPairs([{ name: 'admin', password: 'admin' }]);

/** A server in this process over a directory, with the user admin, password admin, which can be started again on its port. */
export class FileServer implements AsyncDisposable {
  readonly port: number;
  readonly #root: string;
  #server: SluiceServer | undefined;

  private constructor(root: string, server: SluiceServer) {
    this.#root = root;
    this.#server = server;
    this.port = server.address.port;
  }

  static async start(root: string): Promise<FileServer> {
    return new FileServer(root, await listen(root, 0));
  }

  async stop(): Promise<void> {
    await this.#server?.close();
    this.#server = undefined;
  }

  async startAgain(): Promise<void> {
    this.#server = await listen(this.#root, this.port);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }
}

async function listen(root: string, port: number): Promise<SluiceServer> {
  const log = new ServerLog({ level: 'info', sinks: [] });
  return SluiceServer.start({ host: '127.0.0.1', port, root, users: await users, log, logStream: log });
}
