import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { appendFile, readFile, rename, stat, symlink, writeFile } from 'node:fs/promises';
import { describe, it } from 'node:test';
import { type ConnectOptions, connect, type SluiceClient } from '@sluice/client';
import { Scratch, urlOf } from './support/command.js';
import { FileServer } from './support/file-server.js';
import { Link } from './support/link.js';

const MIB = 1 << 20;

/** A server, a link to it that can be cut, and a client behind that. */
class Scene implements AsyncDisposable {
  readonly scratch: Scratch;
  readonly server: FileServer;
  readonly link: Link;
  readonly client: SluiceClient;

  private constructor(scratch: Scratch, server: FileServer, link: Link, client: SluiceClient) {
    this.scratch = scratch;
    this.server = server;
    this.link = link;
    this.client = client;
  }

  static async make(options: ConnectOptions = {}): Promise<Scene> {
    const scratch = await Scratch.make();
    const server = await FileServer.start(scratch.folder);
    const link = await Link.to(server.port);
    return new Scene(scratch, server, link, await connect(urlOf(link.port), { retryDelayMs: 5, ...options }));
  }

  write(name: string, content: Uint8Array): Promise<void> {
    return writeFile(this.scratch.path(name), content);
  }

  read(name: string): Promise<Buffer> {
    return readFile(this.scratch.path(name));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.client.close();
    await this.link[Symbol.asyncDispose]();
    await this.server[Symbol.asyncDispose]();
    await this.scratch[Symbol.asyncDispose]();
  }
}

describe('A remote file', () => {
  it('is read and written anywhere, synced, cut, looked at and closed', async () => {
    await using scene = await Scene.make();
    await scene.client.makeDirectory('dir');
    const file = await scene.client.openRemoteFile('dir/new', { mode: 'write' });
    await file.write(Buffer.from('0123456789'));
    await file.writeAt(20, Buffer.from('end'));
    await file.sync();
    assert.equal(`${await scene.read('dir/new')}`, '0123456789\0\0\0\0\0\0\0\0\0\0end');
    assert.equal(`${Buffer.from(await file.readAt(8, 2))}`, '89');
    await file.truncate(12);
    const { size, modifiedNs } = await file.stat();
    assert.equal(size, 12);
    assert.equal(modifiedNs, (await stat(scene.scratch.path('dir/new'), { bigint: true })).mtimeNs);
    await assert.rejects(scene.client.openRemoteFile('dir/new'), { code: 'ERR_REMOTE', resultCode: 11 });
    await file.close();
    await using again = await scene.client.openRemoteFile('dir/new');
    assert.equal((await again.read(100)).length, 12);
    await assert.rejects(again.write(Buffer.from('x')), { code: 'ERR_REMOTE', resultCode: 6 });
  });

  it('has hundreds of reads and writes under way at a time', async () => {
    await using scene = await Scene.make();
    const content = randomBytes(4 * MIB);
    await using file = await scene.client.openRemoteFile('a', { mode: 'write' });
    const places = shuffled(Array.from({ length: 1_024 }, (_, i) => i * 4_096));
    await Promise.all(places.map((at) => file.writeAt(at, content.subarray(at, at + 4_096))));
    assert.ok(content.equals(await scene.read('a')));
    await Promise.all(
      shuffled(places).map(async (at) => {
        assert.ok(content.subarray(at, at + 4_096).equals(await file.readAt(at, 4_096)));
      }),
    );
  });

  it('is moved whole through its streams, and in one read and one write larger than a packet', async () => {
    await using scene = await Scene.make();
    const content = randomBytes(23 * MIB + 5);
    await scene.write('a', content);
    await using from = await scene.client.openRemoteFile('a');
    await using into = await scene.client.openRemoteFile('b', { mode: 'write' });
    await from.readable().pipeTo(into.writable());
    assert.ok(content.equals(await scene.read('b')));
    assert.ok(content.equals(await from.readAt(0, 24 * MIB)));
    await into.writeAt(1, content);
    assert.ok(content.equals((await scene.read('b')).subarray(1)));
  });

  it('shows a reader in order what was appended meanwhile, without a hole', async () => {
    await using scene = await Scene.make();
    await scene.write('log', Buffer.alloc(300_000, 'a'));
    await using file = await scene.client.openRemoteFile('log');
    const parts: Uint8Array[] = [];
    for (let round = 0; round < 5; round++) {
      for (;;) {
        const part = await file.read(10_000);
        if (part.length === 0) break;
        parts.push(part);
      }
      await appendFile(scene.scratch.path('log'), Buffer.alloc(123_457, `${round}`));
    }
    const read = Buffer.concat(parts);
    assert.ok(read.equals((await scene.read('log')).subarray(0, read.length)));
    assert.equal(read.length, 300_000 + 4 * 123_457);
  });
});

describe('stat', () => {
  it('tells kind, size and time of a name, follows no link, and leaves the file to others', async () => {
    await using scene = await Scene.make();
    const { client, scratch } = scene;
    await client.makeDirectory('dir');
    await scene.write('dir/a', Buffer.from('123'));
    await symlink(scratch.path('dir/a'), scratch.path('link'));
    const { mtimeNs } = await stat(scratch.path('dir/a'), { bigint: true });
    await using _ = await client.openRemoteFile('dir/a', { mode: 'write' });
    const { kind, size, modifiedNs } = await client.stat('dir/a');
    assert.deepEqual({ kind, size, modifiedNs }, { kind: 'file', size: 3, modifiedNs: mtimeNs });
    assert.equal((await client.stat('dir')).kind, 'directory');
    assert.equal((await client.stat('link')).kind, 'other');
    scene.link.cut();
    await assert.rejects(client.stat('dir/b'), { code: 'ERR_REMOTE', resultCode: 9 });
  });
});

describe('A remote file whose link breaks', () => {
  it('goes on where it was: reads, with what was read ahead, bring every byte once', async () => {
    await using scene = await Scene.make();
    const content = randomBytes(8 * MIB);
    await scene.write('a', content);
    await using file = await scene.client.openRemoteFile('a');
    const cutting = cutTimes(scene.link, 4, MIB);
    const parts: Uint8Array[] = [];
    for (;;) {
      const part = await file.read(50_000);
      if (part.length === 0) break;
      parts.push(part);
    }
    assert.ok(content.equals(Buffer.concat(parts)));
    await cutting;
    assert.equal(file.position, content.length);
  });

  it('makes writes again that nobody has confirmed, and loses none', async () => {
    await using scene = await Scene.make();
    await using file = await scene.client.openRemoteFile('a', { mode: 'write' });
    for (const cuts of [1, 3]) {
      const content = randomBytes(8 * MIB);
      const cutting = cutTimes(scene.link, cuts, MIB);
      await Promise.all(
        Array.from({ length: 512 }, (_, i) => file.writeAt(i * 16_384, content.subarray(i * 16_384, (i + 1) * 16_384))),
      );
      await cutting;
      await file.sync();
      assert.ok(content.equals(await scene.read('a')));
    }
    await file.write(Buffer.from('x'));
    await file.close();
    assert.equal((await scene.read('a'))[0], 'x'.charCodeAt(0));
  });

  it('never has an earlier write come after a later one', async () => {
    await using scene = await Scene.make();
    await using file = await scene.client.openRemoteFile('a', { mode: 'write' });
    let isCutting = true;
    // Far apart enough that something is brought forward in between.
    const cutting = cutTimes(scene.link, 20, 3_000).finally(() => {
      isCutting = false;
    });
    for (let i = 0; isCutting; i++) {
      await file.writeAt(0, Buffer.from(String(i).padStart(4)));
      assert.equal(Number(await scene.read('a')), i);
    }
    await cutting;
  });

  it('is taken back from a connection that has only gone silent, with what is under way there', async () => {
    let link: Link | undefined;
    await using scene = await Scene.make({ responseTimeoutMs: 300, onRetry: () => link?.release() });
    ({ link } = scene);
    await using file = await scene.client.openRemoteFile('a', { mode: 'write' });
    const content = randomBytes(4 * MIB);
    const held = link.holdAfter(MIB);
    const writing = file.writeAt(0, content);
    await held;
    await writing;
    assert.ok(content.equals(await scene.read('a')));
  });

  it('stays nobody else’s while it is open for writing, and is taken back also when no call is made', async () => {
    await using scene = await Scene.make();
    await using other = await connect(urlOf(scene.server.port));
    const file = await scene.client.openRemoteFile('a', { mode: 'write' });
    await file.write(Buffer.from('one'));
    scene.link.cut();
    await assert.rejects(other.openRemoteFile('a', { mode: 'write' }), { code: 'ERR_REMOTE', resultCode: 11 });
    await file.write(Buffer.from('two'));
    await file.close();
    await using next = await other.openRemoteFile('a', { mode: 'write' });
    assert.equal(`${Buffer.from(await next.read(10))}`, 'onetwo');
  });

  it('rejects with ERR_SOURCE_CHANGED when the file has changed meanwhile', async () => {
    const changes: Readonly<Record<string, (path: string) => Promise<void>>> = {
      longer: (path) => appendFile(path, 'x'),
      other: async (path) => {
        await writeFile(`${path}.new`, 'another');
        await rename(`${path}.new`, path);
      },
    };
    for (const [what, change] of Object.entries(changes)) {
      for (const keepMs of [0, 60_000]) {
        await using scene = await Scene.make();
        await scene.write('a', Buffer.from('12345'));
        await using file = await scene.client.openRemoteFile('a', { keepMs });
        assert.equal((await file.read(2)).length, 2);
        await change(scene.scratch.path('a'));
        scene.link.cut();
        const changed = { code: 'ERR_SOURCE_CHANGED', resultCode: 15, retryable: false };
        await assert.rejects(file.read(2), changed, `${what}, ${keepMs}`);
        await assert.rejects(file.stat(), changed);
      }
    }
  });

  it('goes on with a server that was started again if it is only read and still the same', async () => {
    await using scene = await Scene.make({ retries: 200 });
    await scene.write('a', Buffer.from('12345'));
    await using file = await scene.client.openRemoteFile('a');
    assert.equal((await file.read(2)).length, 2);
    await scene.server.stop();
    const reading = file.read(2);
    await scene.server.startAgain();
    assert.equal(`${Buffer.from(await reading)}`, '34');
  });

  it('rejects with ERR_CONNECTION_LOST when it was written to and the server has started again', async () => {
    await using scene = await Scene.make({ retries: 200 });
    await using file = await scene.client.openRemoteFile('a', { mode: 'write' });
    await file.write(Buffer.from('12'));
    await scene.server.stop();
    const writing = file.write(Buffer.from('34'));
    await Promise.all([
      assert.rejects(writing, { code: 'ERR_CONNECTION_LOST', message: /has not kept a open/ }),
      scene.server.startAgain(),
    ]);
    await assert.rejects(file.sync(), { code: 'ERR_CONNECTION_LOST' });
  });

  it('tries as often as it may, says so, and tries again when it is called later', async () => {
    const retries: string[] = [];
    await using scene = await Scene.make({ retries: 2, onRetry: ({ error }) => retries.push(error.message) });
    await scene.write('a', Buffer.from('12345'));
    await using file = await scene.client.openRemoteFile('a');
    await scene.server.stop();
    await assert.rejects(file.read(2), { retryable: true });
    assert.ok(retries.length >= 2, retries.join());
    await scene.server.startAgain();
    assert.equal((await file.read(2)).length, 2);
  });

  it('is closed at once when the server is out of reach', async () => {
    await using scene = await Scene.make({ retries: 1 });
    await scene.write('a', Buffer.from('12345'));
    const file = await scene.client.openRemoteFile('a');
    await scene.server.stop();
    await assert.rejects(file.read(2));
    await file.close();
    await assert.rejects(file.read(2), { code: 'ERR_CLOSED' });
  });
});

/** Cuts a link so often, each time when so many bytes have passed. */
async function cutTimes(link: Link, times: number, bytes: number): Promise<void> {
  for (let i = 0; i < times; i++) {
    await link.holdAfter(bytes);
    link.cut();
  }
}

function shuffled<T>(values: readonly T[]): T[] {
  return values
    .map((value) => ({ value, at: Math.random() }))
    .sort((a, b) => a.at - b.at)
    .map(({ value }) => value);
}
