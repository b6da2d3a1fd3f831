import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { type ControlClient, connect, connectControl, type SluiceClient } from '@sluice/client';
import { runToEnd, ServerProgram } from './server-program.js';

/** The shipped server over a directory of its own, with the user admin, password admin. */
export class Place implements AsyncDisposable {
  readonly folder: string;
  readonly server: ServerProgram;

  private constructor(folder: string, server: ServerProgram) {
    this.folder = folder;
    this.server = server;
  }

  static async open(options: readonly string[] = []): Promise<Place> {
    const folder = await mkdtemp(path.join(os.tmpdir(), 'sluice-soak-'));
    try {
      for (const name of ['root', 'local']) await mkdir(path.join(folder, name));
      const [users, password] = [path.join(folder, 'users.json'), path.join(folder, 'password')];
      await writeFile(password, 'admin\n');
      await runToEnd(['user', 'add', 'admin', '--role', 'admin', '--users', users, '--password-file', password]);
      const log = ['--log-file', path.join(folder, 'server.log'), '--log-max-size', '8MiB', '--log-keep', '1'];
      const args = ['--root', path.join(folder, 'root'), '--users', users, ...log, ...options];
      return new Place(folder, await ServerProgram.start(args));
    } catch (error) {
      await rm(folder, { recursive: true, force: true });
      throw error;
    }
  }

  get url(): string {
    return `sluice://admin:admin@127.0.0.1:${this.server.port}/`;
  }

  client(retries = 0): Promise<SluiceClient> {
    return connect(this.url, { retries });
  }

  control(): Promise<ControlClient> {
    return connectControl(this.url, { retries: 0, maxConnections: 2 });
  }

  local(name: string): string {
    return path.join(this.folder, 'local', name);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server[Symbol.asyncDispose]();
    await rm(this.folder, { recursive: true, force: true });
  }
}
