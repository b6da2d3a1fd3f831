import 'fake-indexeddb/auto';
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { afterEach, describe, it } from 'node:test';
import type { BrowserClient } from '@sluice/client/browser';
import { IDBFactory } from 'fake-indexeddb';
import { BrowserScene, CHUNK, fileOf, someBytes } from './support/browser-scene.js';

/** Begins an upload, and has the page go away when so many bytes are on their way. */
async function uploadInPart(client: BrowserClient, file: File, target: string, bytes: number): Promise<void> {
  const leave = new AbortController();
  const upload = client.upload(file, target, {
    signal: leave.signal,
    onProgress: ({ bytesDone }) => bytesDone >= bytes && leave.abort(new Error('the page is gone')),
  });
  await assert.rejects(upload, /the page is gone/);
}

describe('An upload that a reload has ended', () => {
  afterEach(() => {
    globalThis.indexedDB = new IDBFactory();
  });

  it('is listed, and goes on when the file is picked again: what has arrived is not sent twice', async () => {
    await using scene = await BrowserScene.open();
    const bytes = someBytes(20 * CHUNK + 9);
    await uploadInPart(scene.client, fileOf(bytes), 'dir-less', 8 * CHUNK);
    await scene.client.close();

    const client = await scene.reload();
    const [pending, ...others] = await client.listPendingUploads();
    assert.ok(pending);
    assert.deepEqual(others, []);
    assert.deepEqual(
      [pending.target, pending.name, pending.size, pending.lastModified, pending.needsFile, pending.isRunning],
      ['dir-less', 'picked.bin', bytes.length, 1_700_000_000_123, true, false],
    );
    assert.ok(pending.bytesDone >= 8 * CHUNK && pending.bytesDone < bytes.length);
    const result = await client.resumeUpload(pending.id, fileOf(bytes.slice(), 'moved.bin', 1));
    assert.ok(result.bytesSent > 0 && result.bytesSent < bytes.length - 4 * CHUNK, `${result.bytesSent} bytes sent`);
    assert.ok((await scene.onServer('dir-less')).equals(bytes));
    assert.deepEqual(await client.listPendingUploads(), []);
    await client.close();
  });

  it('is not gone on with by another file, whatever its name, size and time', async () => {
    await using scene = await BrowserScene.open();
    const bytes = someBytes(12 * CHUNK);
    await writeFile(scene.served('file'), 'what was there before');
    await uploadInPart(scene.client, fileOf(bytes), 'file', 6 * CHUNK);
    const [pending] = await scene.client.listPendingUploads();
    assert.ok(pending);
    const other = bytes.slice();
    other[3]! ^= 1;
    await assert.rejects(scene.client.resumeUpload(pending.id, fileOf(other)), {
      code: 'ERR_SOURCE_CHANGED',
      message: /not the file whose upload was begun/,
    });
    await assert.rejects(scene.client.resumeUpload(pending.id, fileOf(bytes.slice(1))), {
      code: 'ERR_SOURCE_CHANGED',
      message: /12\*?|bytes instead of/,
    });
    assert.equal(String(await scene.onServer('file')), 'what was there before');
    await scene.client.resumeUpload(pending.id, fileOf(bytes));
    assert.ok((await scene.onServer('file')).equals(bytes));
  });

  it('and that another file has been put in the place of meanwhile, is still what was picked', async () => {
    await using scene = await BrowserScene.open();
    const bytes = someBytes(8 * CHUNK);
    await uploadInPart(scene.client, fileOf(bytes), 'file', 4 * CHUNK);
    const [pending] = await scene.client.listPendingUploads();
    await scene.client.upload(someBytes(8 * CHUNK), 'file', { isRemembered: false });
    await scene.client.resumeUpload(pending!.id, fileOf(bytes));
    assert.ok((await scene.onServer('file')).equals(bytes));
  });

  it('needs its file', async () => {
    await using scene = await BrowserScene.open();
    await uploadInPart(scene.client, fileOf(someBytes(8 * CHUNK)), 'file', CHUNK);
    const [pending] = await scene.client.listPendingUploads();
    const message = /pick picked\.bin again/;
    await assert.rejects(scene.client.resumeUpload(pending!.id), { code: 'ERR_LOCAL_FILE', message });
    await assert.rejects(scene.client.resumeUpload('none'), { code: 'ERR_LOCAL_FILE' });
  });

  it('can be dropped, here and on the server', async () => {
    await using scene = await BrowserScene.open();
    await uploadInPart(scene.client, fileOf(someBytes(8 * CHUNK)), 'file', 2 * CHUNK);
    const [pending] = await scene.client.listPendingUploads();
    await scene.client.dropPendingUpload(pending!.id);
    assert.deepEqual(await scene.client.listPendingUploads(), []);
    assert.deepEqual(await scene.client.listPartials(), []);
  });

  it('can be dropped when the server has put it away', async () => {
    await using scene = await BrowserScene.open();
    await uploadInPart(scene.client, fileOf(someBytes(8 * CHUNK)), 'file', 2 * CHUNK);
    const [pending] = await scene.client.listPendingUploads();
    for (;;) {
      const [partial] = await scene.client.listPartials();
      if (partial && !partial.isHeld) break;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    await scene.client.dropPendingUpload(pending!.id);
    assert.deepEqual(await scene.client.listPartials(), []);
  });

  it('is not kept when it is not to be, and small ones never are', async () => {
    await using scene = await BrowserScene.open();
    const leave = new AbortController();
    const options = { isRemembered: false, signal: leave.signal, onProgress: () => leave.abort(new Error('gone')) };
    await assert.rejects(scene.client.upload(fileOf(someBytes(8 * CHUNK)), 'file', options), /gone/);
    await scene.client.upload(fileOf(someBytes(100)), 'small');
    assert.deepEqual(await scene.client.listPendingUploads(), []);
  });

  it('is of the server and of the user that it was begun with', async () => {
    await using scene = await BrowserScene.open();
    await using other = await BrowserScene.open();
    await uploadInPart(scene.client, fileOf(someBytes(8 * CHUNK)), 'file', CHUNK);
    const [pending] = await scene.client.listPendingUploads();
    assert.deepEqual(await other.client.listPendingUploads(), []);
    await assert.rejects(other.client.resumeUpload(pending!.id), { code: 'ERR_LOCAL_FILE' });
  });

  it('is nothing to a browser that keeps nothing: uploads go on all the same', async () => {
    globalThis.indexedDB = { open: () => assert.fail('not in a private window') } as unknown as IDBFactory;
    await using scene = await BrowserScene.open();
    const bytes = someBytes(2 * CHUNK);
    await scene.client.upload(fileOf(bytes), 'file');
    assert.ok((await scene.onServer('file')).equals(bytes));
    assert.deepEqual(await scene.client.listPendingUploads(), []);
  });
});
