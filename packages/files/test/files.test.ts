import assert from 'node:assert/strict';
import { type FileHandle, mkdtemp, open, readFile, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { describe, it } from 'node:test';
import { ChunkDigester, digestChunks, FileReader, FileWriter, IoPace, paceOfDevice } from '@sluice/files';
import fc from 'fast-check';

/** A file that is removed when disposed. */
async function scratchFile(): Promise<{ file: string; handle: FileHandle } & AsyncDisposable> {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'sluice-files-'));
  const file = path.join(folder, 'f');
  const handle = await open(file, 'w+');
  return {
    file,
    handle,
    async [Symbol.asyncDispose]() {
      await handle.close().catch(() => {});
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function pooled(): IoPace {
  const pace = new IoPace();
  pace.record(1000);
  return pace;
}

describe('pace of a device', () => {
  it('goes to the thread pool after one slow call, and back after a row of fast ones', () => {
    const pace = new IoPace();
    pace.record(1);
    assert.equal(pace.isDirect, true);
    pace.record(100);
    assert.equal(pace.isDirect, false);
    for (let i = 0; i < 15; i++) pace.record(1);
    assert.equal(pace.isDirect, false);
    pace.record(100);
    for (let i = 0; i < 15; i++) pace.record(1);
    assert.equal(pace.isDirect, false, 'a slow call begins the row anew');
    pace.record(1);
    assert.equal(pace.isDirect, true);
  });

  it('is one for all files of a device', () => {
    assert.equal(paceOfDevice(77), paceOfDevice(77));
    assert.notEqual(paceOfDevice(77), paceOfDevice(78));
    assert.equal(paceOfDevice(77, 'random'), paceOfDevice(77, 'random'));
    assert.notEqual(paceOfDevice(77, 'random'), paceOfDevice(77));
  });

  it('leaves the event loop sooner where calls go to any place: a disk that seeks takes some 8 ms (D46)', () => {
    const streaming = new IoPace();
    streaming.record(8);
    assert.equal(streaming.isDirect, true);
    const random = paceOfDevice(79, 'random');
    random.record(8);
    assert.equal(random.isDirect, false);
    for (let i = 0; i < 16; i++) random.record(3);
    assert.equal(random.isDirect, true);
  });
});

for (const [way, paceOf] of [
  ['directly', () => new IoPace()],
  ['by the thread pool', pooled],
] as const) {
  describe(`a file, ${way}`, () => {
    it('is written in order from the position on, and the parts may be overwritten when the call returns', async () => {
      await using scratch = await scratchFile();
      await scratch.handle.write('0123456789');
      const writer = new FileWriter(scratch.handle, 4, paceOf());
      for (const text of ['abc', 'd', 'ef']) {
        const parts = [...text].map((letter) => Buffer.from(letter));
        const pending = writer.write(parts);
        for (const part of parts) part.fill('!');
        await pending;
      }
      assert.equal(writer.position, 10);
      await writer.sync();
      assert.equal(await readFile(scratch.file, 'utf8'), '0123abcdef');
      assert.equal(writer.syncedBytes, 10);
    });

    it('is read into the views one after the other, fewer bytes at its end', async () => {
      await using scratch = await scratchFile();
      await scratch.handle.write('0123456789');
      const reader = new FileReader(scratch.handle, paceOf());
      const views = [Buffer.alloc(3, '.'), Buffer.alloc(4, '.')];
      assert.equal(await reader.read(views, 1), 7);
      assert.equal(Buffer.concat(views).toString(), '1234567');
      assert.equal(await reader.read(views, 6), 4);
      assert.equal(Buffer.concat(views).toString(), '6789567');
      assert.equal(await reader.read(views, 50), 0);
    });

    it('gives the failure of a write, and says how far it came', async () => {
      await using scratch = await scratchFile();
      const readOnly = await open(scratch.file, 'r');
      try {
        const writer = new FileWriter(readOnly, 0, paceOf());
        await assert.rejects(async () => writer.write([Buffer.from('x')]), { code: 'EBADF' });
        assert.equal(writer.position, 0);
      } finally {
        await readOnly.close();
      }
    });
  });
}

describe('syncing', () => {
  it('keeps the failure of a sync in the background: nothing behind the last good one counts as synced any more', async (t) => {
    await using scratch = await scratchFile();
    const writer = new FileWriter(scratch.handle, 0, new IoPace());
    await writer.write([Buffer.alloc(100)]);
    await writer.sync();
    const datasync = t.mock.method(scratch.handle, 'datasync', async () => {
      throw Object.assign(new Error('EIO: i/o error'), { code: 'EIO' });
    });
    await writer.write([Buffer.alloc(65 << 20)]);
    await writer.settle();
    assert.equal(datasync.mock.callCount(), 1, 'it was begun by itself');
    datasync.mock.restore();
    assert.equal(writer.hasSyncFailed, true);
    await assert.rejects(writer.sync(), { code: 'EIO' });
    assert.equal(writer.syncedBytes, 100);
  });
});

describe('chunk digests', () => {
  it('are those of XXH64, one for each chunk, the last of what is left', async () => {
    await using scratch = await scratchFile();
    await scratch.handle.write('aaaab');
    const digests = await digestChunks(scratch.handle, { position: 0, count: 100, chunkBytes: 4 });
    assert.deepEqual(Buffer.from(digests), Buffer.concat([await digestOf('aaaa'), await digestOf('b')]));
    assert.equal((await digestOf('a')).toString('hex'), 'd24ec4f1a98c6e5b');
    const second = await digestChunks(scratch.handle, { position: 4, count: 1, chunkBytes: 4 });
    assert.deepEqual(Buffer.from(second), await digestOf('b'));
    assert.equal((await digestChunks(scratch.handle, { position: 8, count: 4, chunkBytes: 4 })).length, 0);
  });

  it('are the same however the bytes pass by', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ maxLength: 200 }),
        fc.integer({ min: 1, max: 40 }),
        fc.nat(50),
        async (bytes, chunkBytes, step) => {
          const whole = await ChunkDigester.create(chunkBytes);
          whole.update(bytes);
          const pieces = await ChunkDigester.create(chunkBytes);
          for (let at = 0; at < bytes.length; at += step + 1) pieces.update(bytes.subarray(at, at + step + 1));
          assert.deepEqual(pieces.digests(), whole.digests());
          assert.equal(whole.digests().length, 8 * Math.ceil(bytes.length / chunkBytes));
        },
      ),
    );
  });

  it('are not made any further when they are called off', async () => {
    await using scratch = await scratchFile();
    await scratch.handle.write('abc');
    const signal = AbortSignal.abort(new Error('gone'));
    await assert.rejects(digestChunks(scratch.handle, { position: 0, count: 3, chunkBytes: 4, signal }), /gone/);
  });
});

/** The digest of one chunk with this content. */
async function digestOf(text: string): Promise<Buffer> {
  const digester = await ChunkDigester.create(1 << 20);
  digester.update(Buffer.from(text));
  return Buffer.from(digester.digests());
}
