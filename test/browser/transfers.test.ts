import assert from 'node:assert/strict';
import { stat } from 'node:fs/promises';
import { describe, it } from 'node:test';
import { BrowserScene, CHUNK, fileOf, MIB, someBytes } from './support/browser-scene.js';

describe('A page', () => {
  it('uploads a file over several connections, with its time, and is told how far it is', async () => {
    await using scene = await BrowserScene.open();
    const bytes = someBytes(40 * MIB + 123);
    let last = 0;
    const result = await scene.client.upload(fileOf(bytes), 'dir/../up.bin'.replace('dir/../', ''), {
      onProgress: ({ bytesDone }) => {
        last = bytesDone;
      },
    });
    assert.equal(result.bytesSent, bytes.length);
    assert.equal(result.durability, 'durable');
    assert.equal(last, bytes.length);
    assert.ok((await scene.onServer('up.bin')).equals(bytes));
    assert.equal((await stat(scene.served('up.bin'))).mtimeMs, 1_700_000_000_123);
  });

  it('downloads a file as a blob, and as a stream', async () => {
    await using scene = await BrowserScene.open();
    const bytes = someBytes(5 * CHUNK + 77);
    await scene.client.upload(bytes, 'file');
    const blob = await scene.client.downloadBlob('file', { type: 'video/mp4' });
    assert.equal(blob.type, 'video/mp4');
    assert.deepEqual(new Uint8Array(await blob.arrayBuffer()), bytes);
    const streamed = await new Response(scene.client.downloadStream('file')).arrayBuffer();
    assert.ok(Buffer.from(streamed).equals(bytes));
  });
});
