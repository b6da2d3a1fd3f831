import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type BrowserConnectOptions, connect, connectControl } from '@sluice/client/browser';
import { BrowserScene, CHUNK, fileOf, someBytes } from './support/browser-scene.js';
import { NodeSocketStream } from './support/node-socket-stream.js';

const platform = globalThis as { WebSocketStream?: typeof NodeSocketStream };

/** What the platform has is used. */
function optionsFor(scene: BrowserScene): BrowserConnectOptions {
  const { openSocket: _, ...options } = BrowserScene.optionsFor(scene.gateway);
  return options;
}

describe('Where a browser has WebSocketStream, a page', () => {
  before(() => {
    platform.WebSocketStream = NodeSocketStream;
  });
  after(() => {
    delete platform.WebSocketStream;
  });

  it('uses it, up and down, and goes on when connections break', async () => {
    await using scene = await BrowserScene.open();
    const before = NodeSocketStream.made;
    const client = await connect(optionsFor(scene));
    assert.ok(NodeSocketStream.made > before);
    const bytes = someBytes(12 * CHUNK + 7);
    let cuts = 0;
    const cutOnce = ({ bytesDone }: { bytesDone: number }): void => {
      if (bytesDone < 5 * CHUNK || bytesDone === bytes.length || cuts % 2 === 1) return;
      cuts += 1;
      scene.gateway.cut();
    };
    await client.upload(fileOf(bytes), 'file', { onProgress: cutOnce });
    assert.ok((await scene.onServer('file')).equals(bytes));
    assert.equal(cuts, 1);
    cuts = 2;
    const blob = await client.downloadBlob('file', { onProgress: cutOnce });
    assert.ok(Buffer.from(await blob.arrayBuffer()).equals(bytes));
    assert.equal(cuts, 3);
    await client.close();
  });

  it('reads as slowly as its reader, who gets every byte', async () => {
    await using scene = await BrowserScene.open();
    const client = await connect(optionsFor(scene));
    const bytes = someBytes(24 * CHUNK);
    await client.upload(bytes, 'file');
    let at = 0;
    for await (const chunk of client.downloadStream('file')) {
      assert.ok(Buffer.from(chunk).equals(bytes.subarray(at, at + chunk.length)));
      at += chunk.length;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    assert.equal(at, bytes.length);
    await client.close();
  });

  it('waits for a server that takes nothing', async () => {
    await using scene = await BrowserScene.open();
    const client = await connect(optionsFor(scene));
    let isHeld = false;
    const upload = client.upload(fileOf(someBytes(32 * CHUNK)), 'file', {
      onProgress: ({ bytesDone }) => {
        if (isHeld || bytesDone < CHUNK) return;
        isHeld = true;
        scene.gateway.read(false);
      },
      streams: 1,
    });
    upload.catch(() => {}); // awaited below
    let before = -1;
    while (!isHeld || before !== scene.gateway.bytesToServer) {
      before = scene.gateway.bytesToServer;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    assert.ok(before < 16 * CHUNK);
    scene.gateway.read(true);
    assert.equal((await upload).bytes, 32 * CHUNK);
    await client.close();
  });

  it('is told of a wrong password, of a server that is full, and of one that is not there', async () => {
    await using scene = await BrowserScene.open();
    await assert.rejects(connectControl({ ...optionsFor(scene), password: 'no' }), { code: 'ERR_LOGIN_REFUSED' });
    scene.gateway.refusal = { code: 1013, reason: 'total RetryAfterMs=1' };
    const full = connect({ ...optionsFor(scene), retries: 0 });
    await assert.rejects(full, { code: 'ERR_REMOTE', resultCode: 12, retryable: true });
    await assert.rejects(connect({ ...optionsFor(scene), url: 'ws://127.0.0.1:1/' }), { code: 'ERR_CONNECT' });
  });
});
