import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { mkdir, readdir, readFile, symlink, utimes, writeFile } from 'node:fs/promises';
import http from 'node:http';
import { describe, it } from 'node:test';
import { basic, FilesServer, notingHooks } from '../../support/files-server.js';
import { eventually } from '../../support/test-server.js';
import { type AskOptions, type HttpAnswer, RawHttp } from '../support/http-peer.js';

function put(
  server: FilesServer,
  path: string,
  body: string | Uint8Array,
  options: AskOptions = {},
): Promise<HttpAnswer> {
  const isChunked = options.headers?.['transfer-encoding'] !== undefined;
  const headers = { ...(!isChunked && { 'content-length': Buffer.byteLength(body) }), ...options.headers };
  return server.ask(path, { method: 'PUT', body, ...options, headers });
}

/** A file without a recorded digest, that has not changed for a while. */
async function place(server: FilesServer, name: string, content: string | Uint8Array): Promise<void> {
  await writeFile(server.path(name), content);
  await utimes(server.path(name), 1_700_000_000, 1_700_000_000);
}

describe('files by HTTP', () => {
  it('are stored by PUT, whole and under their name, with the digest as the entity tag', async () => {
    const { events, hooks } = notingHooks();
    await using server = await FilesServer.start({ hooks: [hooks] });
    const answer = await put(server, '/files/new/dir/a%20b.txt', 'hello');
    assert.equal(answer.status, 201);
    assert.equal(answer.headers['sluice-durability'], 'durable');
    assert.equal(await readFile(server.path('new', 'dir', 'a b.txt'), 'utf8'), 'hello');
    assert.equal((await server.ask('/files/new/dir/a%20b.txt')).headers.etag, answer.headers.etag);
    assert.equal((await put(server, '/files/new/dir/a%20b.txt', 'other')).status, 204);
    assert.deepEqual(
      events.map(({ kind, files }) => [kind, files[0]?.name, files[0]?.size]),
      [
        ['before-upload', 'new/dir/a b.txt', 5],
        ['after-commit', 'new/dir/a b.txt', 5],
        ['before-upload', 'new/dir/a b.txt', 5],
        ['after-commit', 'new/dir/a b.txt', 5],
      ],
    );
  });

  it('are stored whose length is known at the end only, as far as the quota allows', async () => {
    await using server = await FilesServer.start({ quotaBytes: 10_000_000 });
    const content = randomBytes(9_000_000);
    const chunked = { headers: { 'transfer-encoding': 'chunked' } };
    assert.equal((await put(server, '/files/a', content, chunked)).status, 201);
    assert.ok(content.equals(await readFile(server.path('a'))));
    assert.equal((await put(server, '/files/b', content, chunked)).status, 507);
    assert.equal((await put(server, '/files/b', randomBytes(900_000), chunked)).status, 201);
  });

  it('stay as they were when a PUT is cut, and nothing of it is left', async () => {
    await using server = await FilesServer.start();
    await place(server, 'a', 'old');
    const request = http.request({
      host: '127.0.0.1',
      port: server.port,
      path: '/files/a',
      method: 'PUT',
      headers: { authorization: basic('anna'), 'content-length': 100 },
    });
    request.on('error', () => {});
    request.write('new');
    await eventually('it has begun', async () => (await server.staging.list()).length === 1);
    request.destroy();
    await eventually('it is given up', async () => (await server.staging.list()).length === 0);
    assert.equal(await readFile(server.path('a'), 'utf8'), 'old');
    assert.deepEqual(await readdir(server.path('.sluice', 'staging')), []);
  });

  it('are replaced only if they are what the client believes', async () => {
    await using server = await FilesServer.start();
    const first = await put(server, '/files/a', 'one', { headers: { 'if-none-match': '*' } });
    assert.equal(first.status, 201);
    assert.equal((await put(server, '/files/a', 'two', { headers: { 'if-none-match': '*' } })).status, 412);
    assert.equal((await put(server, '/files/a', 'two', { headers: { 'if-match': '"0000000000000000"' } })).status, 412);
    assert.equal((await put(server, '/files/b', 'two', { headers: { 'if-match': '*' } })).status, 412);
    const tag = first.headers.etag!;
    const second = await put(server, '/files/a', 'two', { headers: { 'if-match': `"x", ${tag}` } });
    assert.equal(second.status, 204);
    assert.equal((await put(server, '/files/a', 'three', { headers: { 'if-match': tag } })).status, 412);
    assert.equal(await readFile(server.path('a'), 'utf8'), 'two');
  });

  it('are refused when they are not what their digest says', async () => {
    await using server = await FilesServer.start();
    const sum = (text: string): string => `sha-256=:${createHash('sha256').update(text).digest('base64')}:`;
    assert.equal((await put(server, '/files/a', 'hello', { headers: { 'content-digest': sum('hullo') } })).status, 400);
    assert.equal((await server.ask('/files/a')).status, 404);
    assert.equal((await put(server, '/files/a', 'hello', { headers: { 'content-digest': sum('hello') } })).status, 201);
  });

  it('have an entity tag that is weak as long as no digest is recorded, and then are not taken for the same by If-Match', async () => {
    await using server = await FilesServer.start();
    await place(server, 'a', 'hello');
    const { headers } = await server.ask('/files/a');
    assert.match(headers.etag!, /^W\/"5-[0-9a-f]+"$/);
    assert.equal(headers['last-modified'], 'Tue, 14 Nov 2023 22:13:20 GMT');
    assert.equal((await server.ask('/files/a', { headers: { 'if-match': headers.etag! } })).status, 412);
    assert.equal((await server.ask('/files/a', { headers: { 'if-none-match': headers.etag! } })).status, 304);
    assert.equal(
      (await server.ask('/files/a', { headers: { 'if-modified-since': headers['last-modified']! } })).status,
      304,
    );
    const since = { 'if-unmodified-since': 'Tue, 14 Nov 2023 22:13:19 GMT' };
    assert.equal((await server.ask('/files/a', { headers: since })).status, 412);
  });

  it('are sent in part', async () => {
    await using server = await FilesServer.start();
    const { headers } = await put(server, '/files/a', '0123456789');
    for (const [range, body, contentRange] of [
      ['bytes=0-0', '0', 'bytes 0-0/10'],
      ['bytes=2-4', '234', 'bytes 2-4/10'],
      ['bytes=7-', '789', 'bytes 7-9/10'],
      ['bytes=-3', '789', 'bytes 7-9/10'],
      ['bytes=-30', '0123456789', 'bytes 0-9/10'],
      ['bytes=5-99', '56789', 'bytes 5-9/10'],
    ] as const) {
      const answer = await server.ask('/files/a', { headers: { range } });
      assert.equal(answer.status, 206, range);
      assert.equal(answer.body, body, range);
      assert.equal(answer.headers['content-range'], contentRange, range);
      assert.equal(answer.headers.etag, headers.etag);
    }
    for (const range of ['bytes=4-2', 'bytes=1-2,4-5', 'lines=1-2', 'bytes=-', 'bytes=a-b', 'bytes'])
      assert.equal((await server.ask('/files/a', { headers: { range } })).status, 200, range);
    for (const range of ['bytes=10-', 'bytes=-0', 'bytes=11-12']) {
      const answer = await server.ask('/files/a', { headers: { range } });
      assert.equal(answer.status, 416, range);
      assert.equal(answer.headers['content-range'], 'bytes */10');
    }
  });

  it('are sent whole to who has a part of another version', async () => {
    await using server = await FilesServer.start();
    const { headers } = await put(server, '/files/a', '0123456789');
    const status = async (ifRange: string): Promise<number> =>
      (await server.ask('/files/a', { headers: { range: 'bytes=1-2', 'if-range': ifRange } })).status;
    assert.equal(await status(headers.etag!), 206);
    assert.equal(await status('"0000000000000000"'), 200);
    assert.equal(await status(`W/${headers.etag}`), 200);
    await place(server, 'b', '0123456789');
    const old = await server.ask('/files/b');
    const range = { range: 'bytes=1-2' };
    const byTag = await server.ask('/files/b', { headers: { ...range, 'if-range': old.headers.etag! } });
    assert.equal(byTag.status, 200, 'a weak tag proves nothing');
    const byDate = await server.ask('/files/b', { headers: { ...range, 'if-range': old.headers['last-modified']! } });
    assert.equal(byDate.status, 206);
  });

  it('are told of by HEAD as by GET', async () => {
    await using server = await FilesServer.start();
    await put(server, '/files/a', '0123456789');
    const get = await server.ask('/files/a');
    const head = await server.ask('/files/a', { method: 'HEAD', headers: { range: 'bytes=1-2' } });
    assert.equal(head.status, 200);
    assert.equal(head.body, '');
    const { date: _, ...expected } = get.headers;
    const { date: __, ...told } = head.headers;
    assert.deepEqual(told, expected);
  });

  it('are never pages: a browser stores them, and runs nothing', async () => {
    await using server = await FilesServer.start();
    const name = `<img src=x onerror=alert(1)> "ä'%.html`;
    await put(server, `/files/${encodeURIComponent(name)}`, '<script>alert(1)</script>');
    const { headers } = await server.ask(`/files/${encodeURIComponent(name)}`);
    assert.equal(headers['content-type'], 'application/octet-stream');
    assert.equal(headers['x-content-type-options'], 'nosniff');
    assert.match(String(headers['content-security-policy']), /default-src 'none'.*sandbox/);
    assert.equal(
      headers['content-disposition'],
      `attachment; filename="<img src=x onerror=alert(1)> __'_.html"; filename*=UTF-8''%3Cimg%20src%3Dx%20onerror%3Dalert%281%29%3E%20%22%C3%A4%27%25.html`,
    );
  });

  it('are sent large, whole and in part, to a reader of any speed', async () => {
    await using server = await FilesServer.start();
    const content = randomBytes(20 << 20);
    await writeFile(server.path('a'), content);
    const response = await fetch(server.url('/files/a'), { headers: { authorization: basic('anna') } });
    assert.ok(content.equals(Buffer.from(await response.arrayBuffer())));
    const part = await fetch(server.url('/files/a'), {
      headers: { authorization: basic('anna'), range: 'bytes=1000001-12345678' },
    });
    assert.ok(content.subarray(1_000_001, 12_345_679).equals(Buffer.from(await part.arrayBuffer())));
    await eventually('no file is open', () => server.descriptors.openFiles === 0);
  });

  it('are let go of when the reader goes away, or does not read', async () => {
    await using server = await FilesServer.start();
    await writeFile(server.path('a'), randomBytes(20 << 20));
    const reader = await RawHttp.connect(server.port);
    reader.send(`GET /files/a HTTP/1.1\r\nHost: x\r\nAuthorization: ${basic('anna')}\r\n\r\n`);
    await reader.until(/octet-stream/);
    reader.socket.pause();
    assert.equal(server.descriptors.openFiles, 1);
    reader.socket.destroy();
    await eventually('no file is open', () => server.descriptors.openFiles === 0);
    assert.equal(server.openFiles.size, 0);
  });

  it('are not sent as whole when they change meanwhile', async () => {
    await using server = await FilesServer.start();
    await writeFile(server.path('a'), randomBytes(20 << 20));
    const reader = await RawHttp.connect(server.port);
    reader.send(`GET /files/a HTTP/1.1\r\nHost: x\r\nAuthorization: ${basic('anna')}\r\n\r\n`);
    await reader.until(/octet-stream/);
    reader.socket.pause();
    await writeFile(server.path('a'), randomBytes(20 << 20));
    reader.socket.resume();
    const received = await reader.ended();
    assert.ok(received.length < 20 << 20, 'the answer is broken off');
    await eventually('it is told', () => server.events.some(({ event }) => event === 'http request failed'));
  });

  it('are not sent while there is no memory for it, and their readers are told when to come back', async () => {
    await using server = await FilesServer.start({ takenWorkBytes: 30 << 20 });
    await writeFile(server.path('a'), 'x');
    const asked = server.ask('/files/a');
    await eventually('it is answered', () => {
      server.clock.advance(1000);
      return Promise.race([asked.then(() => true), new Promise<false>((resolve) => setImmediate(resolve, false))]);
    });
    const { status, headers } = await asked;
    assert.equal(status, 503);
    assert.equal(headers['retry-after'], '2');
    assert.equal(headers['content-disposition'], undefined);
  });

  it('are removed by DELETE, if they are what the client believes', async () => {
    await using server = await FilesServer.start();
    await put(server, '/files/a', 'x');
    const wrong = await server.ask('/files/a', { method: 'DELETE', headers: { 'if-match': '"0000000000000000"' } });
    assert.equal(wrong.status, 412);
    assert.equal((await server.ask('/files/a', { method: 'DELETE' })).status, 204);
    assert.equal((await server.ask('/files/a', { method: 'DELETE' })).status, 404);
    await mkdir(server.path('d'));
    assert.equal((await server.ask('/files/d', { method: 'DELETE' })).status, 409);
    assert.equal((await server.ask('/files/d/', { method: 'DELETE' })).status, 409);
  });

  it('are not removed while somebody reads them', async () => {
    await using server = await FilesServer.start();
    await writeFile(server.path('a'), randomBytes(20 << 20));
    await using reader = await RawHttp.connect(server.port);
    reader.send(`GET /files/a HTTP/1.1\r\nHost: x\r\nAuthorization: ${basic('anna')}\r\n\r\n`);
    await reader.until(/octet-stream/);
    reader.socket.pause();
    assert.equal((await server.ask('/files/a', { method: 'DELETE' })).status, 423);
  });

  it('are listed with the directories beside them', async () => {
    await using server = await FilesServer.start();
    await mkdir(server.path('d'));
    await mkdir(server.path('.uploads'));
    await writeFile(server.path('b'), 'xy');
    await writeFile(server.path('a'), '');
    const { headers, body } = await server.ask('/files/');
    assert.equal(headers['content-type'], 'application/json; charset=utf-8');
    assert.deepEqual(JSON.parse(body), {
      directories: ['d'],
      files: [
        { name: 'a', size: 0 },
        { name: 'b', size: 2 },
      ],
    });
    assert.deepEqual(JSON.parse((await server.ask('/files')).body), JSON.parse(body));
    assert.deepEqual(JSON.parse((await server.ask('/files/d/')).body), { directories: [], files: [] });
    const redirect = await server.ask('/files/d');
    assert.equal(redirect.status, 301);
    assert.equal(redirect.headers.location, '/files/d/');
    assert.equal((await server.ask('/files/not-there/')).status, 404);
  });

  it('outside of the root, the server’s own and behind links are not reached, by any spelling', async () => {
    await using server = await FilesServer.start();
    await put(server, '/files/a', 'x');
    await mkdir(server.path('d'));
    await symlink('/etc/passwd', server.path('link'));
    await symlink('/etc', server.path('linked'));
    for (const path of [
      '/files/../etc/passwd',
      '/files/%2e%2e/etc/passwd',
      '/files/..%2f..%2fetc/passwd',
      '/files/d/..%5c..%5cetc/passwd',
      '/files/.sluice/staging',
      '/files/.SLUICE/',
      '/files/a%00b',
      '/files//etc/passwd',
      '/files/link',
      '/files/linked/passwd',
      '/files/a/b',
      '/files/%ff',
      '/files/C:/x',
    ]) {
      const { status, body } = await server.ask(path);
      assert.ok([400, 404, 409].includes(status), `${path}: ${status}`);
      assert.doesNotMatch(body, /root:/);
      const written = await put(server, path, 'x');
      assert.ok(written.status >= 400, `PUT ${path}: ${written.status}`);
    }
  });

  it('need a login, and a user who may change them', async () => {
    await using server = await FilesServer.start();
    await put(server, '/files/a', 'x');
    for (const method of ['GET', 'HEAD', 'PUT', 'DELETE', 'POST', 'PATCH'])
      assert.equal((await server.ask('/files/a', { method, user: '' })).status, 401, method);
    const viewer = { user: 'viewer' } as const;
    assert.equal((await server.ask('/files/a', viewer)).status, 200);
    assert.equal((await server.ask('/files/a', { method: 'PUT', ...viewer })).status, 403);
    assert.equal((await server.ask('/files/a', { method: 'DELETE', ...viewer })).status, 403);
    assert.equal((await server.ask('/files/a', { method: 'PATCH' })).status, 405);
  });

  it('are not put in part, nor encoded, nor over a directory', async () => {
    await using server = await FilesServer.start();
    await mkdir(server.path('d'));
    assert.equal((await put(server, '/files/a', 'x', { headers: { 'content-range': 'bytes 0-0/2' } })).status, 400);
    assert.equal((await put(server, '/files/a', 'x', { headers: { 'content-encoding': 'gzip' } })).status, 415);
    assert.equal((await put(server, '/files/d', 'x')).status, 409);
    assert.equal((await put(server, '/files/d/', 'x')).status, 409);
    assert.deepEqual(await server.staging.list(), []);
  });
});
