import { type OpenedLog, openLog, ownLogDirectory, type SluiceServerOptions } from '@sluice/server';
import { TestServer } from './test-server.js';

/** A test server whose log is kept in a journal, and can be read. */
export class JournalServer implements AsyncDisposable {
  readonly server: TestServer;
  readonly opened: OpenedLog;

  private constructor(server: TestServer, opened: OpenedLog) {
    this.server = server;
    this.opened = opened;
  }

  /** @param directory where the journal is */
  static async start(
    directory: string,
    options: Partial<SluiceServerOptions> & { readonly maxBytes?: number } = {},
  ): Promise<JournalServer> {
    const { maxBytes = 1 << 20, ...others } = options;
    const journal = { directory: ownLogDirectory(directory), maxBytes };
    const opened = await openLog({ level: 'debug', format: 'json', write: () => {}, journal });
    return new JournalServer(await TestServer.start({ log: opened.log, logStream: opened.log, ...others }), opened);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server[Symbol.asyncDispose]();
    await this.opened.close();
  }
}
