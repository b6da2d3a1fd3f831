import { readdir, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { type ConnectOptions, connect, type SluiceClient } from '@sluice/client';
import { Scratch, urlOf } from './command.js';
import { FileServer } from './file-server.js';
import { Link } from './link.js';

/** A server over `root`, a link to it that can be cut, a client behind that, and room for local files beside it. */
export class TreeScene implements AsyncDisposable {
  readonly server: FileServer;
  readonly link: Link;
  readonly client: SluiceClient;
  readonly #scratch: Scratch;
  readonly #root: Scratch;

  private constructor(scratch: Scratch, root: Scratch, server: FileServer, link: Link, client: SluiceClient) {
    this.#scratch = scratch;
    this.#root = root;
    this.server = server;
    this.link = link;
    this.client = client;
  }

  static async make(options: ConnectOptions = {}): Promise<TreeScene> {
    const [scratch, root] = [await Scratch.make(), await Scratch.make()];
    const server = await FileServer.start(root.folder);
    const link = await Link.to(server.port);
    const client = await connect(urlOf(link.port), { retryDelayMs: 5, ...options });
    return new TreeScene(scratch, root, server, link, client);
  }

  get url(): string {
    return urlOf(this.link.port);
  }

  /** A local path. */
  local(...names: string[]): string {
    return this.#scratch.path(path.join(...names));
  }

  /** Where the server has a file. */
  remote(...names: string[]): string {
    return this.#root.path(path.join(...names));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.client.close();
    await this.link[Symbol.asyncDispose]();
    await this.server[Symbol.asyncDispose]();
    await this.#root[Symbol.asyncDispose]();
    await this.#scratch[Symbol.asyncDispose]();
  }
}

/** All that is in a directory, by its name below it: contents of files, `undefined` for directories. The server's own directory is left out. */
export async function contentsOf(directory: string): Promise<Map<string, string | undefined>> {
  const contents = new Map<string, string | undefined>();
  for (const name of (await readdir(directory, { recursive: true })).sort()) {
    if (name === '.sluice' || name.startsWith('.sluice/')) continue;
    const file = path.join(directory, name);
    contents.set(name, (await stat(file)).isFile() ? await readFile(file, 'latin1') : undefined);
  }
  return contents;
}
