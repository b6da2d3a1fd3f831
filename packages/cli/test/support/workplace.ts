import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { PlainServer } from '@sluice/testkit';
import { runSluice, type SluiceOptions, type SluiceResult } from './sluice-process.js';

/** A directory to work in, and a plain server on another one. */
export class Workplace implements AsyncDisposable {
  readonly server: PlainServer;
  readonly #directory: string;

  private constructor(directory: string, server: PlainServer) {
    this.#directory = directory;
    this.server = server;
  }

  static async open(): Promise<Workplace> {
    const directory = await mkdtemp(path.join(tmpdir(), 'sluice-cli-'));
    return new Workplace(directory, await PlainServer.listen({ root: path.join(directory, 'served') }));
  }

  /** A local path. */
  local(...names: string[]): string {
    return path.join(this.#directory, ...names);
  }

  /** Where the server keeps a file. */
  served(...names: string[]): string {
    return path.join(this.server.root, ...names);
  }

  /** Runs the command here, with the server as base. */
  sluice(args: readonly string[], { env, ...options }: SluiceOptions = {}): Promise<SluiceResult> {
    return runSluice(args, { cwd: this.#directory, ...options, env: { SLUICE_URL: this.server.url, ...env } });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server.close();
    await rm(this.#directory, { recursive: true, force: true });
  }
}
