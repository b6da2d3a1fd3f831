import assert from 'node:assert/strict';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, it } from 'node:test';
import { connect, connectControl, measureSpeed, readLogOutput } from '@sluice/client/browser';
import { BrowserScene, openSocket, someBytes } from './support/browser-scene.js';

describe('A page that connects', () => {
  it('logs in by SCRAM, and is told of a wrong password', async () => {
    await using scene = await BrowserScene.open();
    await scene.client.ping();
    const options = BrowserScene.optionsFor(scene.gateway, { password: 'wrong' });
    await assert.rejects(connect(options), { code: 'ERR_LOGIN_REFUSED' });
    await assert.rejects(connectControl(options), { code: 'ERR_LOGIN_REFUSED' });
  });

  it('needs a password for a user, and nothing with a session', async () => {
    await assert.rejects(connect({ url: 'ws://127.0.0.1/', userName: 'a' }), {
      code: 'ERR_URL',
      message: /no password/,
    });
    await assert.rejects(connect({ url: 'ws://127.0.0.1/', session: false }), { code: 'ERR_URL', message: /no user/ });
  });

  it('is told that its session has ended', async () => {
    const asked: string[] = [];
    const server = http.createServer(({ url = '' }, response) => {
      asked.push(url);
      response.writeHead(401).end();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    try {
      await assert.rejects(connect({ url, openSocket }), { code: 'ERR_LOGIN_REFUSED', message: /log in again/ });
      assert.deepEqual(asked, ['/session']);
    } finally {
      server.closeAllConnections();
      server.close();
    }
  });

  it('waits when the server has no room, as long as it is told to', async () => {
    await using scene = await BrowserScene.open();
    scene.gateway.refusal = { code: 1013, reason: 'total RetryAfterMs=5' };
    const delays: number[] = [];
    const client = await scene.reload({
      onRetry: ({ delayMs }) => {
        delays.push(delayMs);
        scene.gateway.refusal = undefined;
      },
    });
    await client.close();
    assert.equal(delays.length, 1);
    assert.ok(delays[0]! >= 5);
  });

  it('fails with ERR_CONNECT where nobody answers', async () => {
    const options = { url: 'ws://127.0.0.1:1/', openSocket, userName: 'a', password: 'b' };
    await assert.rejects(connect(options), { code: 'ERR_CONNECT', message: /127\.0\.0\.1:1/ });
  });

  it('lists, makes and removes, looks and reads at any place, as in Node', async () => {
    await using scene = await BrowserScene.open();
    const { client } = scene;
    await client.makeDirectory('a/b');
    const bytes = someBytes(300_000);
    await client.upload(bytes, 'a/b/file');
    assert.deepEqual(await client.list('a/b'), [{ name: 'file', kind: 'file', size: bytes.length }]);
    const tree: string[] = [];
    for await (const { path } of client.listTree('')) tree.push(path);
    assert.deepEqual(tree, ['a', 'a/b', 'a/b/file']);
    assert.equal((await client.stat('a/b/file')).size, bytes.length);
    {
      await using file = await client.openRemoteFile('a/b/file', { mode: 'write' });
      const some = await Promise.all([0, 1000, 200_000].map((at) => file.readAt(at, 500)));
      for (const [i, at] of [0, 1000, 200_000].entries()) assert.deepEqual(some[i], bytes.slice(at, at + 500));
      await file.writeAt(7, Uint8Array.of(1, 2, 3));
      await file.sync();
    }
    const { state, local } = await client.verify('a/b/file', { local: new Blob([bytes]) });
    assert.equal(local?.isEqual, false);
    assert.equal(state, 'changed');
    await client.rename('a/b/file', 'a/renamed');
    assert.deepEqual(
      (await client.list('a')).map(({ name }) => name),
      ['b', 'renamed'],
    );
    await client.removeFile('a/renamed');
    await client.removeDirectory('a');
    assert.deepEqual(await client.list(''), []);
  });

  it('sees who is connected, follows the log, and acts on the server', async () => {
    await using scene = await BrowserScene.open();
    const control = await connectControl(BrowserScene.optionsFor(scene.gateway));
    try {
      const clients = await control.list();
      assert.ok(clients.some(({ user, protocol }) => user === 'admin' && /control/i.test(protocol)));
      for await (const seen of control.watch({ intervalMs: 200 })) {
        assert.ok(seen.length >= 2);
        break;
      }
      assert.equal(typeof (await control.stats())['uptimeMs'], 'number');
      const events: string[] = [];
      for await (const { records } of control.followLog({ lines: 100, follows: false }))
        events.push(...records.map(({ event }) => event));
      assert.ok(events.length > 0);
      const { id } = clients.find(({ protocol }) => /upload/i.test(protocol))!;
      assert.equal(await control.kick({ id: id! }), 1);
      await scene.client.list(''); // on another connection
      assert.ok((await control.explain(id!)).events.length > 0);
    } finally {
      await control.close();
    }
  });

  it('measures the speed without a login', async () => {
    await using scene = await BrowserScene.open();
    const { url } = scene.gateway;
    const { up, down, client, method } = await measureSpeed({ url, openSocket, seconds: 0.3, bytes: 4 << 20 });
    assert.equal(method, 'flood');
    assert.ok(up!.bytes > 0 && down!.bytes > 0);
    assert.equal(client, undefined);
  });

  it('reads the plain log of its own machine', async () => {
    await using scene = await BrowserScene.open();
    const { url } = scene.gateway;
    const end = new AbortController();
    for await (const text of readLogOutput({ url, openSocket, signal: end.signal })) {
      assert.ok(text.length > 0);
      break;
    }
  });
});
