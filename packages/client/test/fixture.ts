import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ConnectOptions, connect, type SluiceClient } from '@sluice/client';
import { digestChunks } from '@sluice/files';
import { PlainServer, type PlainServerOptions } from '@sluice/testkit';
import { DIGEST_CHUNK_BYTES, Feature } from '@sluice/wire';

export const MIB = 1 << 20;

/** A server, a client of it, and a directory for local files; all gone afterwards. */
export class Fixture implements AsyncDisposable {
  readonly directory: string;
  server: PlainServer;
  readonly client: SluiceClient;

  private constructor(directory: string, server: PlainServer, client: SluiceClient) {
    this.directory = directory;
    this.server = server;
    this.client = client;
  }

  static async make(options: ConnectOptions = {}, serverOptions: Partial<PlainServerOptions> = {}): Promise<Fixture> {
    const directory = await mkdtemp(join(tmpdir(), 'sluice-client-'));
    const server = await PlainServer.listen({ root: join(directory, 'root'), ...serverOptions });
    const client = await connect(server.url, { retryDelayMs: 1, ...options });
    return new Fixture(directory, server, client);
  }

  /** With a server that knows the extensions. */
  static makeExtended(options: ConnectOptions = {}): Promise<Fixture> {
    return Fixture.make(options, { features: [Feature.VerifiedResume, Feature.Durability], digest });
  }

  local(name: string): string {
    return join(this.directory, name);
  }

  async writeLocal(name: string, content: Uint8Array): Promise<string> {
    await writeFile(this.local(name), content);
    return this.local(name);
  }

  readLocal(name: string): Promise<Buffer> {
    return readFile(this.local(name));
  }

  async writeRemote(name: string, content: Uint8Array): Promise<void> {
    await writeFile(join(this.server.root, name), content);
  }

  readRemote(name: string): Promise<Buffer> {
    return readFile(join(this.server.root, name));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.client.close();
    await this.server.close();
    await rm(this.directory, { recursive: true, force: true });
  }
}

/** Unlike `deepEqual`, does not print megabytes when they differ. */
export function assertSameBytes(actual: Uint8Array, expected: Uint8Array): void {
  if (Buffer.compare(actual, expected) === 0) return;
  const at = actual.findIndex((byte, i) => byte !== expected[i]);
  assert.fail(`${actual.length} bytes instead of ${expected.length}, different from byte ${at} on`);
}

/** Bytes that compress to nothing and repeat nowhere. */
export function someBytes(count: number): Buffer {
  return randomBytes(count);
}

async function digest(path: string, position: number, count: number): Promise<Uint8Array> {
  const handle = await open(path);
  try {
    return await digestChunks(handle, { position, count, chunkBytes: DIGEST_CHUNK_BYTES });
  } finally {
    await handle.close();
  }
}
