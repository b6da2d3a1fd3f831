import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { TestServer } from '../support/test-server.js';
import { askHttp, RawHttp } from './support/http-peer.js';

const SCRIPT = `console.log(${JSON.stringify('x'.repeat(2000))});\n`;

let folder = '';
let server: TestServer;
let port = 0;

before(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'sluice-pages-'));
  const pages = path.join(folder, 'dist');
  await mkdir(path.join(pages, 'assets'), { recursive: true });
  await writeFile(path.join(folder, 'secret.txt'), 'secret');
  await writeFile(path.join(pages, 'index.html'), '<!doctype html><title>Sluice</title>');
  await writeFile(path.join(pages, 'assets/index-BqX3k_9a.js'), SCRIPT);
  await writeFile(path.join(pages, 'assets/plain.css'), 'a{}');
  await writeFile(path.join(pages, 'assets/plain-background.css'), 'b{}');
  await writeFile(path.join(pages, 'apple-touch-icon-v2.css'), 'c{}');
  await writeFile(path.join(pages, 'assets/plain.css.br'), 'b');
  await symlink('../secret.txt', path.join(pages, 'link.txt'));
  server = await TestServer.start({ http: { host: '127.0.0.1', port: 0, dashboard: pages } });
  port = server.server.http!.address.port;
});

after(async () => {
  await server[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

describe('the pages of the dashboard', () => {
  it('are shown to anybody, and asked for again each time, but what has a hash in its name', async () => {
    const index = await askHttp(port, '/');
    assert.equal(index.status, 200);
    assert.match(index.body, /Sluice/);
    assert.equal(index.headers['content-type'], 'text/html; charset=utf-8');
    assert.equal(index.headers['cache-control'], 'no-cache');
    const script = await askHttp(port, '/assets/index-BqX3k_9a.js');
    assert.equal(script.body, SCRIPT);
    assert.equal(script.headers['content-type'], 'text/javascript; charset=utf-8');
    assert.equal(script.headers['cache-control'], 'public, max-age=31536000, immutable');
    for (const name of ['/assets/plain-background.css', '/apple-touch-icon-v2.css'])
      assert.equal((await askHttp(port, name)).headers['cache-control'], 'no-cache', name);
  });

  it('are not sent again to who has them', async () => {
    const { etag } = (await askHttp(port, '/')).headers;
    assert.match(etag ?? '', /^"[\w-]+"$/);
    const again = await askHttp(port, '/', { headers: { 'if-none-match': `"other", W/${etag}` } });
    assert.deepEqual([again.status, again.body, again.headers.etag], [304, '', etag]);
    assert.equal((await askHttp(port, '/', { headers: { 'if-none-match': '"other"' } })).status, 200);
  });

  it('are compressed for who takes that, each coding with a tag of its own', async () => {
    const name = '/assets/index-BqX3k_9a.js';
    await using peer = await RawHttp.connect(port);
    peer.send(`GET ${name} HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip, br;q=0\r\nConnection: close\r\n\r\n`);
    const [head = '', body = ''] = (await peer.ended()).split('\r\n\r\n', 2);
    assert.match(head, /Content-Encoding: gzip/);
    assert.match(head, /Vary: Accept-Encoding/);
    assert.equal(gunzipSync(Buffer.from(body, 'latin1')).toString(), SCRIPT);
    const plain = await askHttp(port, name);
    assert.ok(!head.includes(plain.headers.etag!));
    const brotli = await askHttp(port, '/assets/plain.css', { headers: { 'accept-encoding': 'br' } });
    assert.deepEqual([brotli.body, brotli.headers['content-encoding']], ['b', 'br']);
    const refused = await askHttp(port, '/assets/plain.css', { headers: { 'accept-encoding': 'br;q=0, gzip' } });
    assert.equal(refused.body, 'a{}');
  });

  it('have the page itself answer for addresses that it makes up, and nothing else', async () => {
    const headers = { accept: 'text/html,application/xhtml+xml;q=0.9' };
    assert.match((await askHttp(port, '/connections/7', { headers })).body, /Sluice/);
    assert.equal((await askHttp(port, '/connections/7')).status, 404);
    assert.equal((await askHttp(port, '/assets/missing.js', { headers })).status, 404);
  });

  it('are all that can be reached: no name leads out of the directory, and no link', async () => {
    for (const target of [
      '/../secret.txt',
      '/assets/../../secret.txt',
      '/%2e%2e/secret.txt',
      '/..%2fsecret.txt',
      '/assets/..%5c..%5csecret.txt',
      '//secret.txt',
      '/link.txt',
      '/%00',
    ]) {
      await using peer = await RawHttp.connect(port);
      peer.send(`GET ${target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
      const answer = await peer.ended();
      assert.match(answer, /^HTTP\/1.1 40[04] /, target);
      assert.doesNotMatch(answer, /secret/, target);
    }
  });

  it('are read anew when the server is told to reload', async () => {
    await writeFile(path.join(folder, 'dist/index.html'), '<!doctype html><title>Sluice, the second</title>');
    assert.doesNotMatch((await askHttp(port, '/')).body, /second/);
    const [result] = await server.server.reload(['dashboard']);
    assert.equal(result?.isOk, true);
    assert.match((await askHttp(port, '/')).body, /second/);
  });
});
