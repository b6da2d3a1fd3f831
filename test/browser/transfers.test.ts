import assert from 'node:assert/strict';
import { stat, writeFile } from 'node:fs/promises';
import { describe, it } from 'node:test';
import { BrowserScene, CHUNK, fileOf, MIB, someBytes } from './support/browser-scene.js';

async function bytesOf(content: Blob | ReadableStream<Uint8Array>): Promise<Buffer> {
  return Buffer.from(await new Response(content).arrayBuffer());
}

describe('A page that uploads', () => {
  it('a file sends it over several connections, with its time, and is told how far it is', async () => {
    await using scene = await BrowserScene.open();
    const bytes = someBytes(40 * MIB + 123);
    let [last, most] = [0, 0];
    const result = await scene.client.upload(fileOf(bytes), 'up.bin', {
      onProgress: ({ bytesDone }) => {
        last = bytesDone;
        most = Math.max(most, scene.gateway.connections);
      },
    });
    assert.deepEqual([result.bytesSent, result.bytes, last], [bytes.length, bytes.length, bytes.length]);
    assert.equal(result.durability, 'durable');
    assert.ok(most > 1);
    assert.ok((await scene.onServer('up.bin')).equals(bytes));
    assert.equal((await stat(scene.served('up.bin'))).mtimeMs, 1_700_000_000_123);
  });

  it('bytes, a blob, a stream or what can be iterated sends all of it', async () => {
    await using scene = await BrowserScene.open();
    const { client } = scene;
    const bytes = someBytes(CHUNK + 5);
    const pieces = async function* () {
      yield bytes.subarray(0, 100_000);
      yield bytes.subarray(100_000);
    };
    await client.upload(bytes, 'bytes');
    await client.upload(new Blob([bytes]), 'blob');
    await client.upload(new Blob([bytes]).stream(), 'stream');
    await client.upload(pieces(), 'pieces');
    await client.upload(new Uint8Array(0), 'nothing');
    for (const name of ['bytes', 'blob', 'stream', 'pieces'])
      assert.ok((await scene.onServer(name)).equals(bytes), name);
    assert.equal((await scene.onServer('nothing')).length, 0);
  });

  it('what the server has already sends nothing, and what has changed sends that', async () => {
    await using scene = await BrowserScene.open();
    const bytes = someBytes(3 * CHUNK + 10);
    await scene.client.upload(fileOf(bytes), 'file');
    const same = await scene.client.upload(fileOf(bytes.slice(), 'other name', 5), 'file');
    assert.equal(same.bytesSent, 0);
    bytes[CHUNK + 1]! ^= 1;
    const changed = await scene.client.upload(fileOf(bytes), 'file');
    assert.equal(changed.bytesSent, CHUNK);
    assert.ok((await scene.onServer('file')).equals(bytes));
  });

  it('leaves a file alone that is there, if it is told to', async () => {
    await using scene = await BrowserScene.open();
    await scene.client.upload(someBytes(10), 'file');
    await assert.rejects(scene.client.upload(someBytes(10), 'file', { ifExists: 'fail' }), { code: 'ERR_EXISTS' });
    const { skipped } = await scene.client.upload(fileOf(someBytes(5 * MIB)), 'file', { ifExists: 'skip' });
    assert.equal(skipped, 'exists');
    assert.deepEqual(await scene.client.listPendingUploads(), []);
  });

  it('goes on when its connections break, and does not send again what has arrived', async () => {
    const retries: number[] = [];
    await using scene = await BrowserScene.open({ onRetry: ({ attempt }) => void retries.push(attempt) });
    const bytes = someBytes(12 * CHUNK);
    let isCut = false;
    const result = await scene.client.upload(fileOf(bytes), 'file', {
      onProgress: ({ bytesDone }) => {
        if (isCut || bytesDone < 6 * CHUNK) return;
        isCut = true;
        scene.gateway.cut();
      },
    });
    assert.ok(retries.length > 0);
    assert.ok(result.bytesSent < 2 * bytes.length);
    assert.ok((await scene.onServer('file')).equals(bytes));
  });

  it('fails loudly when the file changes, and the server keeps what it had', async () => {
    await using scene = await BrowserScene.open();
    await scene.client.upload(fileOf(someBytes(100)), 'file');
    const file = fileOf(someBytes(3 * CHUNK));
    const slice = file.slice.bind(file);
    file.slice = (start, end) => {
      const part = slice(start, end);
      // As a browser does it once the file on the disk has another time.
      const arrayBuffer = () => Promise.reject(new DOMException('it could not be read', 'NotReadableError'));
      return (start ?? 0) >= CHUNK ? Object.assign(part, { arrayBuffer }) : part;
    };
    await assert.rejects(scene.client.upload(file, 'file'), { code: 'ERR_SOURCE_CHANGED', message: /picked\.bin/ });
    assert.equal((await scene.onServer('file')).length, 100);
  });

  it('waits for a server that takes nothing, without filling its memory', async () => {
    await using scene = await BrowserScene.open();
    const bytes = someBytes(64 * MIB);
    scene.gateway.read(false);
    let read = 0;
    const file = fileOf(bytes);
    const slice = file.slice.bind(file);
    file.slice = (start, end) => {
      const part = slice(start, end);
      read += part.size;
      return part;
    };
    const stop = new AbortController();
    const upload = scene.client.upload(file, 'file', { streams: 1, signal: stop.signal });
    upload.catch(() => {});
    scene.gateway.read(true);
    while (read < 2 * CHUNK) await new Promise((resolve) => setTimeout(resolve, 5));
    scene.gateway.read(false);
    let before = -1;
    while (read !== before) {
      before = read;
      await new Promise((resolve) => setTimeout(resolve, 300));
    }
    assert.ok(read < bytes.length, `${read} bytes were read`);
    scene.gateway.read(true);
    await upload;
    assert.ok((await scene.onServer('file')).equals(bytes));
  });

  it('thousands of small files, and some large ones, sends all, and is told of those that fail', async () => {
    await using scene = await BrowserScene.open();
    const large = someBytes(9 * MIB);
    const files = Array.from({ length: 3_000 }, (_, i) => ({
      source: fileOf(new TextEncoder().encode(`content ${i}`), `f${i}`),
      target: `dir/${i % 7}/f${i}`,
    }));
    const broken = fileOf(someBytes(10), 'broken');
    broken.arrayBuffer = () => Promise.reject(new DOMException('gone', 'NotFoundError'));
    files.splice(1_500, 0, { source: fileOf(large), target: 'new/large' }, { source: broken, target: 'broken' });
    const told: string[] = [];
    const failed: string[] = [];
    const result = await scene.client.uploadFiles(files, {
      onFile: ({ target, error }) => void (error ? failed : told).push(target),
    });
    assert.deepEqual([result.files, result.failed], [3_001, 1]);
    assert.deepEqual(failed, ['broken']);
    assert.equal(new Set(told).size, 3_001);
    for (const i of [0, 1_499, 2_999]) assert.equal(String(await scene.onServer(`dir/${i % 7}/f${i}`)), `content ${i}`);
    assert.ok((await scene.onServer('new/large')).equals(large));
    assert.equal((await stat(scene.served('dir/3/f3'))).mtimeMs, 1_700_000_000_123);
  });
});

/** A file of the File System Access API. */
class FakeFile {
  readonly kind = 'file';
  readonly name = 'saved.bin';
  content = Buffer.from('what was there before');
  /** What writing fails with. */
  failure: Error | undefined;
  isAborted = false;

  async createWritable(): Promise<FileSystemWritableFileStream> {
    let content = Buffer.alloc(0);
    const writable = {
      write: async ({ position, data }: { position: number; data: Uint8Array }) => {
        await new Promise(setImmediate);
        if (this.failure) throw this.failure;
        if (content.length < position + data.length) {
          const longer = Buffer.alloc(position + data.length);
          content.copy(longer);
          content = longer;
        }
        content.set(data, position);
      },
      close: async () => {
        this.content = content;
      },
      abort: async () => {
        this.isAborted = true;
      },
    };
    return writable as unknown as FileSystemWritableFileStream;
  }

  get asHandle(): FileSystemFileHandle {
    return this as unknown as FileSystemFileHandle;
  }
}

describe('A page that downloads', () => {
  const sizes = [0, 1, CHUNK, 5 * CHUNK + 77, 23 * CHUNK + 1];
  for (const size of sizes) {
    it(`${size} bytes gets them as a blob, as a stream and in a file`, async () => {
      await using scene = await BrowserScene.open();
      const bytes = someBytes(size);
      await writeFile(scene.served('file'), bytes);
      const blob = await scene.client.downloadBlob('file', { type: 'video/mp4' });
      assert.equal(blob.type, 'video/mp4');
      assert.ok((await bytesOf(blob)).equals(bytes));
      assert.ok((await bytesOf(scene.client.downloadStream('file'))).equals(bytes));
      const saved = new FakeFile();
      let last = 0;
      const result = await scene.client.download('file', saved.asHandle, {
        onProgress: ({ bytesDone }) => {
          last = bytesDone;
        },
      });
      assert.ok(saved.content.equals(bytes));
      assert.deepEqual([result.bytes, result.bytesReceived, last], [size, size, size]);
    });
  }

  it('to a stream of its own does not close it', async () => {
    await using scene = await BrowserScene.open();
    await scene.client.upload(someBytes(CHUNK + 1), 'file');
    let bytes = 0;
    const stream = new WritableStream<Uint8Array>({
      write(chunk) {
        bytes += chunk.length;
      },
    });
    await scene.client.download('file', stream);
    assert.equal(bytes, CHUNK + 1);
    await stream.getWriter().close();
  });

  it('goes on when its connections break, in order and without a byte twice', async () => {
    await using scene = await BrowserScene.open();
    const bytes = someBytes(14 * CHUNK + 5);
    await writeFile(scene.served('file'), bytes);
    let cuts = 0;
    const onProgress = ({ bytesDone }: { bytesDone: number }): void => {
      if (bytesDone < (cuts + 1) * 4 * CHUNK || cuts === 2) return;
      cuts += 1;
      scene.gateway.cut();
    };
    assert.ok((await bytesOf(scene.client.downloadStream('file', { onProgress }))).equals(bytes));
    assert.equal(cuts, 2);
    cuts = 0;
    assert.ok((await bytesOf(await scene.client.downloadBlob('file', { onProgress }))).equals(bytes));
    assert.equal(cuts, 2);
  });

  it('asks for no more than a little while nobody reads, and ends when it is cancelled', async () => {
    await using scene = await BrowserScene.open();
    await writeFile(scene.served('file'), someBytes(60 * CHUNK));
    let done = 0;
    const stream = scene.client.downloadStream('file', {
      onProgress: ({ bytesDone }) => {
        done = bytesDone;
      },
    });
    const reader = stream.getReader();
    await reader.read();
    let before = -1;
    while (done !== before) {
      before = done;
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
    assert.ok(done <= 24 * CHUNK, `${done / CHUNK} chunks came`);
    await reader.cancel();
    await scene.client.ping();
  });

  it('something that is not there is told so, and a file here stays as it was', async () => {
    await using scene = await BrowserScene.open();
    const saved = new FakeFile();
    await assert.rejects(scene.client.download('none', saved.asHandle), { code: 'ERR_REMOTE', resultCode: 9 });
    assert.equal(String(saved.content), 'what was there before');
    assert.equal(saved.isAborted, true);
    await assert.rejects(bytesOf(scene.client.downloadStream('none')));
  });

  it('to a full disk is told so, and ends', async () => {
    await using scene = await BrowserScene.open();
    await writeFile(scene.served('file'), someBytes(30 * CHUNK));
    const saved = new FakeFile();
    saved.failure = new DOMException('no room', 'QuotaExceededError');
    await assert.rejects(scene.client.download('file', saved.asHandle), {
      code: 'ERR_LOCAL_FILE',
      message: /saved\.bin: no room/,
    });
    const broken = new WritableStream<Uint8Array>({
      write() {
        throw new Error('no more');
      },
    });
    await assert.rejects(scene.client.download('file', broken), { code: 'ERR_LOCAL_FILE' });
  });

  it('is called off by its signal', async () => {
    await using scene = await BrowserScene.open();
    await writeFile(scene.served('file'), someBytes(30 * CHUNK));
    const stop = new AbortController();
    const options = { signal: stop.signal, onProgress: () => stop.abort(new Error('enough')) };
    await assert.rejects(scene.client.downloadBlob('file', options), /enough/);
  });
});
