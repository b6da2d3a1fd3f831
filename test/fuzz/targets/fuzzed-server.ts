import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { type LogRecord, ServerLog, SluiceServer, type SluiceServerOptions, UserStore } from '@sluice/server';

/** A server that has not ended a connection after so long has forgotten it. */
const END_LIMIT_MS = 20_000;

const SECRET = 'content of a file that no peer may ever see';

let users: Promise<UserStore> | undefined;

export interface Conversed {
  readonly answer: Buffer;
  /** Why the server has closed the connection. */
  readonly reason: string | undefined;
}

/** A whole server for targets that talk to it: over a directory beside which lies something that must stay as it is. */
export class FuzzedServer {
  readonly server: SluiceServer;
  readonly directory: string;
  readonly failures: string[];

  private constructor(server: SluiceServer, directory: string, failures: string[]) {
    this.server = server;
    this.directory = directory;
    this.failures = failures;
  }

  static async start(options: Partial<SluiceServerOptions> = {}): Promise<FuzzedServer> {
    const directory = await mkdtemp(path.join(os.tmpdir(), 'sluice-fuzz-'));
    const root = path.join(directory, 'root');
    await mkdir(path.join(root, 'sub'), { recursive: true });
    await writeFile(path.join(root, 'a'), 'abc');
    await writeFile(path.join(root, 'sub', 'c'), 'x'.repeat(10_000));
    await mkdir(path.join(directory, 'outside'));
    await writeFile(path.join(directory, 'outside', 'file'), SECRET);
    await symlink('../outside', path.join(root, 'link'));
    users ??= UserStore.fromPairs([{ name: 'admin', password: 'admin' }]);
    const failures: string[] = [];
    const sink = ({ level, event, fields }: LogRecord): void => {
      if (level === 'error') failures.push(`${event} ${JSON.stringify(fields)}`);
    };
    const log = new ServerLog({ level: 'info', sinks: [sink] });
    const server = await SluiceServer.start({
      host: '127.0.0.1',
      port: 0,
      root,
      users: await users,
      log,
      logStream: log,
      durability: 'memory',
      keepFilesMs: 1000,
      speed: { maxFloods: 4 },
      memory: { limitBytes: 256 << 20, lowersConnections: true },
      onDrainRequested: () => {},
      ...options,
    });
    return new FuzzedServer(server, directory, failures);
  }

  /** Says `bytes`, ends, and reads until the server has ended too. @throws when it does not */
  async converse(bytes: Uint8Array): Promise<Conversed> {
    const { closed } = this.server.listener.counters;
    const before = new Map(closed);
    const answer = await this.#exchange(bytes);
    await this.checkIdle();
    const reason = [...closed].find(([each, count]) => count !== before.get(each))?.[0];
    return { answer, reason };
  }

  #exchange(bytes: Uint8Array): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      const socket = net.connect({
        host: '127.0.0.1',
        port: this.server.address.port,
        allowHalfOpen: true,
        noDelay: true,
      });
      const chunks: Buffer[] = [];
      const timer = setTimeout(() => {
        socket.destroy();
        reject(new Error(`the server has not ended the connection after ${END_LIMIT_MS} ms`));
      }, END_LIMIT_MS);
      socket.on('data', (chunk: Buffer) => chunks.push(chunk));
      socket.on('error', () => {}); // a reset is one of the ways
      socket.on('close', () => {
        clearTimeout(timer);
        resolve(Buffer.concat(chunks));
      });
      socket.on('end', () => socket.destroy());
      socket.end(bytes);
    });
  }

  /** @throws when an answer holds what is no peer's business, or something has failed inside, or the outside was touched */
  async check(answer: Buffer): Promise<void> {
    const text = answer.toString('latin1');
    for (const told of [
      this.directory,
      SECRET,
      'ENOENT',
      'EACCES',
      'ENOTDIR',
      'EINVAL',
      'ERR_',
      'node:',
      '/proc/self/fd',
      'TypeError',
      'RangeError',
    ])
      assert.ok(!text.includes(told), `an answer tells ${JSON.stringify(told)}: ${JSON.stringify(text.slice(0, 400))}`);
    assert.deepEqual(this.failures.splice(0), [], 'what the server calls an error of its own');
    assert.deepEqual((await readdir(this.directory)).sort(), ['outside', 'root']);
    assert.deepEqual(await readdir(path.join(this.directory, 'outside')), ['file']);
    assert.equal(await readFile(path.join(this.directory, 'outside', 'file'), 'utf8'), SECRET);
  }

  /** @throws when something is left of connections that have ended */
  async checkIdle(): Promise<void> {
    const { listener } = this.server;
    const endMs = performance.now() + END_LIMIT_MS;
    while ((listener.connections.size > 0 || this.#heldBytes > 0) && performance.now() < endMs)
      await new Promise((resolve) => setImmediate(resolve));
    assert.equal(listener.connections.size, 0, 'connections that are left');
    assert.equal(listener.waiting, 0, 'connections that wait');
    assert.equal(this.#heldBytes, 0, 'bytes of budgets that are held by nobody');
    assert.equal(listener.descriptors.connections, 0, 'descriptors that are held by no connection');
  }

  get #heldBytes(): number {
    const { receive, send, work } = this.server.listener.memory!;
    return receive.usedBytes + send.usedBytes + work.usedBytes;
  }

  async stop(): Promise<void> {
    await this.checkIdle();
    await this.server.close();
    await rm(this.directory, { recursive: true, force: true });
  }
}
