import { randomBytes } from 'node:crypto';
import net from 'node:net';
import { setTimeout } from 'node:timers/promises';
import type { DirectoryHandle } from './directory-handle.js';
import { DirectoryTree } from './directory-tree.js';
import { StorageError, systemCodeOf } from './storage-error.js';

const DIRECTORY = 'lock';
const OWN_NAME = /^[0-9a-f]{16}\.sock$/;

/** Between two looks at a server that starts, too, and for how long it is waited for, in milliseconds. */
const POLL_MS = 20;
const MAX_STARTING_MS = 5000;

/** A server that is there answers within this, in milliseconds, unless its machine stands still: then it counts as there. */
const ANSWER_TIMEOUT_MS = 2000;

type State = 'starting' | 'serving';

/** What the system says where a directory cannot be written to, or has no room for sockets. Then there is nothing of a server's to protect. */
const WITHOUT_LOCK = new Set(['EROFS', 'EACCES', 'EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSPC', 'EDQUOT', 'EINVAL']);

/**
 * One server at a time has a root: its journals, logs and partials are written by one. A socket below the root, because the system itself
 * knows whether anybody is behind it: one that a dead process has left refuses, whatever its process id is by now, and also across
 * containers. Each server makes a socket of its own before it looks for others, so that of two that start at once one sees the other. Servers
 * on two machines that share a file system do not see each other.
 */
export class RootLock {
  readonly #directory: DirectoryHandle;
  readonly #name: string;
  readonly #server: net.Server;
  #state: State = 'starting';

  /**
   * To be taken before anything below the root is opened.
   *
   * @returns `undefined` where no lock can be made, for example because nothing can be written below the root
   * @throws {StorageError} `ERR_IN_USE` when another server serves the root; others when the root cannot be used
   */
  static async take(root: string): Promise<RootLock | undefined> {
    await using tree = await DirectoryTree.open(root);
    let lock: RootLock | undefined;
    try {
      const directory = await tree.openOwn(DIRECTORY, true);
      if (directory.entryPrefix === undefined) {
        await directory.close();
        return undefined;
      }
      lock = new RootLock(directory, `${randomBytes(8).toString('hex')}.sock`);
      await lock.#bind();
      await lock.#settle();
      return lock;
    } catch (error) {
      await lock?.close();
      const code = systemCodeOf(error) ?? systemCodeOf((error as Error).cause);
      if (code !== undefined && WITHOUT_LOCK.has(code)) return undefined;
      throw error;
    }
  }

  private constructor(directory: DirectoryHandle, name: string) {
    this.#directory = directory;
    this.#name = name;
    this.#server = net.createServer((socket) => {
      socket.on('error', () => {});
      socket.end(this.#state);
    });
    this.#server.unref();
  }

  async close(): Promise<void> {
    if (this.#server.listening) {
      await new Promise<void>((resolve) => this.#server.close(() => resolve()));
      await this.#directory.unlink(this.#name).catch(() => {}); // gone already, as a rule
    }
    await this.#directory.close();
  }

  #bind(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(this.#pathOf(this.#name), () => {
        this.#server.off('error', reject);
        resolve();
      });
    });
  }

  /** Serves when nobody else does, or gives up. Of two that start at once the one with the smaller name stays. */
  async #settle(): Promise<void> {
    for (let waitedMs = 0; ; waitedMs += POLL_MS) {
      const others = await this.#others();
      const isTaken = others.some(({ name, state }) => state === 'serving' || name < this.#name);
      if (isTaken || waitedMs >= MAX_STARTING_MS) {
        throw new StorageError('ERR_IN_USE', 'another server serves it');
      }
      if (others.length === 0) break;
      await setTimeout(POLL_MS);
    }
    this.#state = 'serving';
  }

  /** Those that live; what dead ones have left is removed. */
  async #others(): Promise<{ readonly name: string; readonly state: State }[]> {
    const names = (await this.#directory.list()).map(({ name }) => name.toString());
    const others = names.filter((name) => OWN_NAME.test(name) && name !== this.#name);
    const asked = await Promise.all(
      others.map(async (name) => {
        const state = await stateBehind(this.#pathOf(name));
        if (state === undefined) await this.#directory.unlink(name).catch(() => {});
        return { name, state };
      }),
    );
    return asked.flatMap(({ name, state }) => (state === undefined ? [] : [{ name, state }]));
  }

  #pathOf(name: string): string {
    return `${this.#directory.entryPrefix}/${name}`;
  }
}

/** @returns `undefined` when nobody is behind a socket */
function stateBehind(path: string): Promise<State | undefined> {
  return new Promise((resolve) => {
    let text = '';
    const socket = net.connect(path);
    socket.setTimeout(ANSWER_TIMEOUT_MS, () => {
      socket.destroy();
      resolve('serving');
    });
    socket.setEncoding('utf8');
    socket.on('data', (data) => {
      text += data;
    });
    socket.on('error', () => resolve(undefined));
    socket.on('close', () => resolve(text === 'starting' || text === 'serving' ? text : undefined));
  });
}
