import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { open, readdir, readFile, rename, stat, writeFile } from 'node:fs/promises';
import http from 'node:http';
import { describe, it } from 'node:test';
import { UploadRefused } from '@sluice/server';
import { basic, FilesServer, type FilesServerOptions, notingHooks, WEEK_MS } from '../../support/files-server.js';
import { eventually } from '../../support/test-server.js';
import { type HttpAnswer, RawHttp } from '../support/http-peer.js';

const TUS = { 'tus-resumable': '1.0.0' };
const PIECE = { ...TUS, 'content-type': 'application/offset+octet-stream' };

function metadata(values: Readonly<Record<string, string>>): string {
  return Object.entries(values)
    .map(([key, value]) => `${key} ${Buffer.from(value).toString('base64')}`)
    .join(',');
}

interface CreateOptions {
  readonly size?: number;
  readonly values?: Readonly<Record<string, string>>;
  readonly at?: string;
  readonly user?: string;
  readonly headers?: http.OutgoingHttpHeaders;
  readonly body?: Uint8Array;
}

function create(server: FilesServer, options: CreateOptions = {}): Promise<HttpAnswer> {
  const { size = 10, values = { filename: 'a.txt' }, at = '/files/', user = 'anna', headers, body } = options;
  return server.ask(at, {
    method: 'POST',
    user,
    headers: { ...TUS, 'upload-length': size, 'upload-metadata': metadata(values), ...headers },
    ...(body && { body }),
  });
}

/** @returns the path of a new upload */
async function created(server: FilesServer, options: CreateOptions = {}): Promise<string> {
  const { status, headers, body } = await create(server, options);
  assert.equal(status, 201, body);
  return headers.location!;
}

function patch(
  server: FilesServer,
  path: string,
  offset: number,
  body: Uint8Array | string,
  headers: http.OutgoingHttpHeaders = {},
): Promise<HttpAnswer> {
  return server.ask(path, { method: 'PATCH', headers: { ...PIECE, 'upload-offset': offset, ...headers }, body });
}

function head(server: FilesServer, path: string, user = 'anna'): Promise<HttpAnswer> {
  return server.ask(path, { method: 'HEAD', user, headers: TUS });
}

async function offsetOf(server: FilesServer, path: string): Promise<number> {
  const { status, headers } = await head(server, path);
  assert.equal(status, 200);
  return Number(headers['upload-offset']);
}

/** A PATCH that is cut when the server has so many of its bytes. */
async function cutPatch(
  server: FilesServer,
  path: string,
  content: Uint8Array,
  sent: number,
  headers = {},
): Promise<void> {
  const request = http.request({
    host: '127.0.0.1',
    port: server.port,
    path,
    method: 'PATCH',
    agent: false,
    headers: {
      authorization: basic('anna'),
      ...PIECE,
      'upload-offset': 0,
      'content-length': content.length,
      ...headers,
    },
  });
  request.on('error', () => {});
  await new Promise<void>((resolve) => request.write(content.subarray(0, sent), () => resolve()));
  await eventually('the server has what was sent', async () => (await stagedLength(server)) >= sent);
  request.destroy();
}

async function stagedLength(server: FilesServer): Promise<number> {
  const names = await readdir(server.path('.sluice', 'staging'));
  const data = names.find((name) => name.endsWith('.part'));
  return data === undefined ? 0 : (await stat(server.path('.sluice', 'staging', data))).size;
}

/** A connection that has sent the begin of a PATCH, and sends no more. */
async function stalledPatch(server: FilesServer, path: string, length: number, begin: Uint8Array): Promise<RawHttp> {
  const raw = await RawHttp.connect(server.port);
  const headers = { Host: 'x', Authorization: basic('anna'), ...PIECE, 'Upload-Offset': 0, 'Content-Length': length };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
  raw.send(`PATCH ${path} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`);
  raw.socket.write(begin);
  await eventually('the bytes are there', async () => (await stagedLength(server)) === begin.length);
  return raw;
}

async function started(options: FilesServerOptions = {}) {
  return await FilesServer.start(options);
}

describe('tus', () => {
  it('tells anybody what it can do', async () => {
    await using server = await started();
    const { status, headers } = await server.ask('/files/', { method: 'OPTIONS', user: '' });
    assert.equal(status, 204);
    assert.equal(headers['tus-version'], '1.0.0');
    assert.equal(headers['tus-extension'], 'creation,creation-with-upload,termination,checksum,expiration');
    assert.equal(headers['tus-checksum-algorithm'], 'sha1,sha256,sha512,md5');
  });

  it('creates an upload below /files/.uploads/ whose id nobody guesses, and says when it expires', async () => {
    await using server = await started();
    const { status, headers } = await create(server);
    assert.equal(status, 201);
    assert.match(headers.location ?? '', /^\/files\/\.uploads\/[0-9a-f]{32}$/);
    assert.equal(headers['tus-resumable'], '1.0.0');
    const leftMs = Date.parse(String(headers['upload-expires'])) - Date.now();
    assert.ok(Math.abs(leftMs - WEEK_MS) < 60_000, `${leftMs}`);
  });

  it('gives the file its name with the last byte, and records its digest', async () => {
    await using server = await started();
    const path = await created(server);
    assert.equal((await patch(server, path, 0, 'hello ')).headers['upload-offset'], '6');
    assert.equal((await server.ask('/files/a.txt')).status, 404);
    const last = await patch(server, path, 6, 'you!');
    assert.equal(last.status, 204);
    assert.equal(last.headers['upload-offset'], '10');
    assert.equal(last.headers['upload-expires'], undefined);
    const { body, headers } = await server.ask('/files/a.txt');
    assert.equal(body, 'hello you!');
    assert.match(headers.etag ?? '', /^"[0-9a-f]{16}"$/);
  });

  it('tells who asks how far it is, how long it is, and what it was told', async () => {
    await using server = await started();
    const values = { filename: 'ä b.txt', filetype: 'text/plain' };
    const path = await created(server, { values });
    await patch(server, path, 0, 'abc');
    const { headers } = await head(server, path);
    assert.equal(headers['upload-offset'], '3');
    assert.equal(headers['upload-length'], '10');
    assert.equal(headers['upload-metadata'], metadata(values));
    assert.equal(headers['cache-control'], 'no-store');
  });

  it('tells of a complete upload that it is complete, also again to who has not heard it', async () => {
    await using server = await started();
    const path = await created(server);
    await patch(server, path, 0, '0123456789');
    assert.equal(await offsetOf(server, path), 10);
    assert.equal((await patch(server, path, 10, '')).status, 204);
    assert.equal((await patch(server, path, 0, '0123456789')).status, 409);
  });

  it('takes an upload for complete whose file got its name before the server was killed', async () => {
    await using first = await started();
    const path = await created(first);
    await patch(first, path, 0, '0123456789');
    const id = path.split('/').at(-1);
    const folder = first.path('.sluice', 'tus');
    await rename(`${folder}/${id}.complete`, `${folder}/${id}.open`); // as a kill leaves it
    await using second = await first.crash();
    assert.equal(await offsetOf(second, path), 10);
    assert.deepEqual(await second.staging.list(), []);
  });

  it('refuses a piece that goes elsewhere than where the upload is, and says where', async () => {
    await using server = await started();
    const path = await created(server);
    await patch(server, path, 0, 'abc');
    const { status, headers } = await patch(server, path, 1, 'bcd');
    assert.equal(status, 409);
    assert.equal(headers['upload-offset'], '3');
  });

  it('refuses more than was announced, before it is read and while it comes', async () => {
    await using server = await started();
    const path = await created(server);
    assert.equal((await patch(server, path, 0, '01234567890')).status, 413);
    assert.equal((await patch(server, path, 0, '01234567890', { 'transfer-encoding': 'chunked' })).status, 413);
    assert.equal(await offsetOf(server, path), 0);
  });

  it('refuses other versions, other types and what makes no sense', async () => {
    await using server = await started();
    const path = await created(server);
    const old = await server.ask(path, { method: 'HEAD', headers: { 'tus-resumable': '0.2.2' } });
    assert.equal(old.status, 412);
    assert.equal(old.headers['tus-version'], '1.0.0');
    const statuses = [
      await server.ask('/files/', { method: 'POST' }),
      await patch(server, path, 0, 'x', { 'content-type': 'text/plain' }),
      await patch(server, path, 0, 'x', { 'upload-offset': '-1' }),
      await patch(server, path, 0, 'x', { 'upload-checksum': 'crc99 AAAA' }),
      await create(server, { headers: { 'upload-length': 'ten' } }),
      await create(server, { headers: { 'upload-defer-length': '1' } }),
      await create(server, { headers: { 'upload-concat': 'partial' } }),
      await create(server, { headers: { 'upload-metadata': 'filename ***' } }),
      await create(server, { headers: { 'upload-metadata': 'filename /w==' } }),
      await create(server, { headers: { 'upload-metadata': `filename ${'A'.repeat(9000)}` } }),
      await server.ask(path, { method: 'GET', headers: TUS }),
      await server.ask('/files/.uploads/', { method: 'HEAD', headers: TUS }),
      await server.ask(`${path}/x`, { method: 'HEAD', headers: TUS }),
    ].map(({ status }) => status);
    assert.deepEqual(statuses, [412, 415, 400, 400, 400, 400, 400, 400, 400, 413, 405, 404, 404]);
  });

  it('needs a login, a user who may write, and the user who has created the upload', async () => {
    await using server = await started();
    assert.equal((await create(server, { user: '' })).status, 401);
    assert.equal((await create(server, { user: 'viewer' })).status, 403);
    const path = await created(server);
    assert.equal((await head(server, path, '')).status, 401);
    assert.equal((await head(server, path, 'ben')).status, 404);
    assert.equal((await server.ask(path, { method: 'DELETE', user: 'ben', headers: TUS })).status, 404);
    server.mode.isReadOnly = true;
    assert.equal((await patch(server, path, 0, 'x')).status, 503, 'clients try again');
    assert.equal((await create(server)).status, 503);
  });

  it('puts files where URL, path and the dropped directory say, and makes what is missing', async () => {
    await using server = await started();
    const values = { filename: 'c.txt', path: 'in', relativePath: '/album/2026/c.txt', name: 'not this' };
    const path = await created(server, { at: '/files/photos/', values, size: 1 });
    await patch(server, path, 0, 'x');
    assert.equal(await readFile(server.path('photos', 'in', 'album', '2026', 'c.txt'), 'utf8'), 'x');
  });

  it('names files as Uppy says, and those without a name by the id of their upload', async () => {
    await using server = await started();
    const named = await created(server, {
      values: { name: 'b.txt', relativePath: 'null', type: 'text/plain' },
      size: 1,
    });
    await patch(server, named, 0, 'x');
    const unnamed = await created(server, { values: {}, size: 1 });
    await patch(server, unnamed, 0, 'y');
    assert.equal(await readFile(server.path('b.txt'), 'utf8'), 'x');
    assert.equal(await readFile(server.path(unnamed.split('/').at(-1)!), 'utf8'), 'y');
  });

  for (const values of [
    { filename: '../up.txt' },
    { filename: 'a/b.txt' },
    { filename: 'a\0b' },
    { filename: 'a.txt', path: '../up' },
    { filename: 'a.txt', path: '/etc' },
    { filename: 'a.txt', relativePath: '../../up/a.txt' },
    { filename: 'staged', path: '.sluice/staging' },
    { filename: '.SLUICE' },
    { filename: 'x', path: '.uploads' },
    { filename: '.uploads' },
    { filename: 'x'.repeat(256) },
    { filename: 'a.txt', ifExists: 'maybe' },
  ]) {
    it(`refuses ${JSON.stringify(values).slice(0, 60)}`, async () => {
      await using server = await started();
      assert.equal((await create(server, { values })).status, 400);
      assert.deepEqual(await server.staging.list(), []);
    });
  }

  it('replaces a file unless it is asked not to', async () => {
    await using server = await started();
    await writeFile(server.path('a.txt'), 'old');
    const fail = { values: { filename: 'a.txt', ifExists: 'fail' }, size: 3 };
    assert.equal((await create(server, fail)).status, 409);
    assert.equal((await create(server, { size: 3, headers: { 'if-none-match': '*' } })).status, 409);
    const path = await created(server, { size: 3 });
    await patch(server, path, 0, 'new');
    assert.equal(await readFile(server.path('a.txt'), 'utf8'), 'new');
  });

  it('does not replace a file that has come meanwhile, if it is asked not to', async () => {
    await using server = await started();
    const path = await created(server, { values: { filename: 'a.txt', ifExists: 'fail' }, size: 3 });
    await writeFile(server.path('a.txt'), 'old');
    assert.equal((await patch(server, path, 0, 'new')).status, 409);
    assert.equal((await head(server, path)).status, 409, 'nobody is told that it is complete');
    assert.equal(await readFile(server.path('a.txt'), 'utf8'), 'old');
  });

  it('keeps what came of a piece that was cut, and goes on behind it', async () => {
    await using server = await started();
    const content = randomBytes(9 << 20);
    const path = await created(server, { size: content.length });
    await cutPatch(server, path, content, 5_000_001);
    const offset = await offsetOf(server, path);
    assert.equal(offset, 5_000_001);
    assert.equal((await patch(server, path, offset, content.subarray(offset))).status, 204);
    assert.ok(content.equals(await readFile(server.path('a.txt'))));
  });

  it('keeps what came also when it has put the upload away meanwhile', async () => {
    await using server = await started();
    const content = randomBytes(5 << 20);
    const path = await created(server, { size: content.length });
    await patch(server, path, 0, content.subarray(0, 4_500_000));
    server.clock.advance(5000);
    await eventually('it is put away', () => server.descriptors.openFiles === 0);
    assert.equal(await offsetOf(server, path), 4_500_000);
    assert.equal((await patch(server, path, 4_500_000, content.subarray(4_500_000))).status, 204);
    assert.ok(content.equals(await readFile(server.path('a.txt'))));
  });

  it('does not trust bytes that are others after a crash, and goes on in front of them', async () => {
    await using first = await started();
    const content = randomBytes(10 << 20);
    const path = await created(first, { size: content.length });
    await patch(first, path, 0, content.subarray(0, 9 << 20));
    const folder = first.path('.sluice', 'staging');
    const data = (await readdir(folder)).find((name) => name.endsWith('.part'))!;
    const handle = await open(`${folder}/${data}`, 'r+');
    await handle.write(Buffer.from('damage'), 0, 6, 5 << 20);
    await handle.close();
    await using second = await first.crash();
    assert.equal(await offsetOf(second, path), 4 << 20);
    assert.equal((await patch(second, path, 4 << 20, content.subarray(4 << 20))).status, 204);
    assert.ok(content.equals(await readFile(second.path('a.txt'))));
  });

  it('ends a piece that goes on when a newer request comes, and tells that one what came', async () => {
    await using server = await started();
    const content = randomBytes(8 << 20);
    const path = await created(server, { size: content.length });
    await using stalled = await stalledPatch(server, path, content.length, content.subarray(0, 1000));
    assert.equal(await offsetOf(server, path), 1000);
    assert.match(await stalled.until(/\r\n\r\n/), /^HTTP\/1.1 423 /);
    assert.equal((await patch(server, path, 1000, content.subarray(1000))).status, 204);
    assert.ok(content.equals(await readFile(server.path('a.txt'))));
  });

  for (const algorithm of ['sha1', 'sha256', 'md5']) {
    it(`takes a piece whose ${algorithm} is right, and no byte of one whose is not`, async () => {
      await using server = await started();
      const content = randomBytes(9 << 20);
      const path = await created(server, { size: content.length });
      const sum = (bytes: Uint8Array): string => createHash(algorithm).update(bytes).digest('base64');
      const begin = content.subarray(0, 1 << 20);
      const rest = content.subarray(1 << 20);
      assert.equal(
        (await patch(server, path, 0, begin, { 'upload-checksum': `${algorithm} ${sum(begin)}` })).status,
        204,
      );
      const wrong = randomBytes(rest.length);
      assert.equal(
        (await patch(server, path, 1 << 20, wrong, { 'upload-checksum': `${algorithm} ${sum(rest)}` })).status,
        460,
      );
      assert.equal(await offsetOf(server, path), 1 << 20);
      assert.equal(
        (await patch(server, path, 1 << 20, rest, { 'upload-checksum': `${algorithm} ${sum(rest)}` })).status,
        204,
      );
      assert.ok(content.equals(await readFile(server.path('a.txt'))));
    });
  }

  it('keeps nothing of a piece with a checksum that was cut, nor after a crash before it was compared', async () => {
    await using first = await started();
    const content = randomBytes(9 << 20);
    const path = await created(first, { size: content.length });
    const checksum = { 'upload-checksum': `sha1 ${createHash('sha1').update(content).digest('base64')}` };
    await cutPatch(first, path, content, 5 << 20, checksum);
    assert.equal(await offsetOf(first, path), 0);
    await using second = await first.crash();
    assert.equal(await offsetOf(second, path), 0);
  });

  it('takes the first piece with the request that creates', async () => {
    await using server = await started();
    const type = { 'content-type': 'application/offset+octet-stream' };
    const answer = await create(server, { headers: type, body: Buffer.from('abc') });
    assert.equal(answer.status, 201);
    assert.equal(answer.headers['upload-offset'], '3');
    assert.equal((await patch(server, answer.headers.location!, 3, 'defghij')).status, 204);
    assert.equal(await readFile(server.path('a.txt'), 'utf8'), 'abcdefghij');
  });

  it('gives up what is terminated: the data, the space and the URL', async () => {
    await using server = await started();
    const path = await created(server);
    await patch(server, path, 0, 'abc');
    assert.equal((await server.ask(path, { method: 'DELETE', headers: TUS })).status, 204);
    assert.equal((await head(server, path)).status, 404);
    assert.equal((await patch(server, path, 3, 'x')).status, 404);
    assert.deepEqual(await server.staging.list(), []);
    assert.equal(server.staging.space.reservedBytes, 0);
  });

  it('keeps the file of a complete upload that is terminated', async () => {
    await using server = await started();
    const path = await created(server, { size: 1 });
    await patch(server, path, 0, 'x');
    assert.equal((await server.ask(path, { method: 'DELETE', headers: TUS })).status, 204);
    assert.equal((await head(server, path)).status, 404);
    assert.equal(await readFile(server.path('a.txt'), 'utf8'), 'x');
  });

  it('says of an upload that nobody has gone on with that it has expired, and forgets it in the end', async () => {
    const wallClock = { nowMs: Date.now() };
    await using server = await started({ wallClock });
    const path = await created(server);
    await patch(server, path, 0, 'abc');
    server.clock.advance(5000);
    await eventually('it is put away', () => server.descriptors.openFiles === 0);
    wallClock.nowMs += WEEK_MS + 1000;
    assert.equal((await head(server, path)).status, 410);
    assert.equal((await patch(server, path, 3, 'x')).status, 410);
    wallClock.nowMs += WEEK_MS;
    server.clock.advance(60_000);
    await eventually('it is forgotten', async () => (await head(server, path)).status === 404);
    await eventually('nothing is left', async () => (await readdir(server.path('.sluice', 'tus'))).length === 0);
  });

  it('refuses what does not fit on the disk, or into the quota, before it is sent', async () => {
    await using full = await started({ keepFreeBytes: Number.MAX_SAFE_INTEGER });
    assert.equal((await create(full)).status, 507);
    await using limited = await started({ quotaBytes: 100 });
    assert.equal((await create(limited, { size: 101 })).status, 413);
    await writeFile(limited.path('there'), Buffer.alloc(95));
    assert.equal((await create(limited, { size: 10 })).status, 507);
    assert.deepEqual(await limited.staging.list(), []);
  });

  it('lets one upload to a name go on at a time, and a newer one of the same name begin anew', async () => {
    await using server = await started();
    const first = await created(server, { size: 6 });
    await patch(server, first, 0, 'abc');
    const waiting = create(server, { size: 4 });
    await eventually('it waits', () => server.clock.pendingTimers > 0);
    server.clock.advance(5000);
    const second = await waiting;
    assert.equal(second.status, 201);
    assert.equal(await offsetOf(server, second.headers.location!), 0);
    assert.equal((await head(server, first)).status, 404);
    assert.equal((await patch(server, second.headers.location!, 0, 'abcd')).status, 204);
    assert.equal(await readFile(server.path('a.txt'), 'utf8'), 'abcd');
  });

  it('answers 423 when another upload to the name does not end', async () => {
    await using server = await started();
    const content = randomBytes(100);
    const path = await created(server, { size: content.length });
    await using _stalled = await stalledPatch(server, path, 100, Buffer.from('abc'));
    let isAnswered = false;
    const other = create(server, { user: 'ben' }).finally(() => {
      isAnswered = true;
    });
    await eventually('it has waited', () => {
      server.clock.advance(1000);
      return isAnswered;
    });
    assert.equal((await other).status, 423);
  });

  it('tells hooks, and lets them refuse', async () => {
    const { events, hooks } = notingHooks();
    await using server = await started({ hooks: [hooks] });
    const done = await created(server, { size: 1 });
    await patch(server, done, 0, 'x');
    const given = await created(server, { size: 2, values: { filename: 'b.txt' } });
    await server.ask(given, { method: 'DELETE', headers: TUS });
    assert.deepEqual(
      events.map(({ kind, user, files, reason }) => [kind, user, files[0]?.name, reason]),
      [
        ['before-upload', 'anna', 'a.txt', undefined],
        ['after-commit', 'anna', 'a.txt', undefined],
        ['before-upload', 'anna', 'b.txt', undefined],
        ['upload-failed', 'anna', 'b.txt', 'given up'],
      ],
    );
    assert.match(events[1]?.files[0]?.digest ?? '', /^[0-9a-f]{16}$/);
    const refuse = {
      beforeUpload: () => {
        throw new UploadRefused('no films here');
      },
    };
    await using strict = await started({ hooks: [refuse] });
    const { status, body } = await create(strict);
    assert.equal(status, 403);
    assert.equal(body, 'no films here\n');
  });

  it('ends a piece when its login ends', async () => {
    await using server = await started();
    const path = await created(server, { size: 100 });
    await using stalled = await stalledPatch(server, path, 100, Buffer.from('abc'));
    server.endLogins.abort();
    assert.match(await stalled.until(/\r\n\r\n/), /^HTTP\/1.1 401 /);
  });

  it('lets pages of origins that are allowed read its headers, and answers their preflight without a login', async () => {
    await using server = await started({ origins: ['https://app.example'] });
    const preflight = await server.ask('/files/', {
      method: 'OPTIONS',
      user: '',
      headers: { origin: 'https://app.example', 'access-control-request-method': 'PATCH' },
    });
    assert.equal(preflight.headers['access-control-allow-origin'], 'https://app.example');
    assert.match(String(preflight.headers['access-control-allow-methods']), /PATCH/);
    assert.match(String(preflight.headers['access-control-allow-headers']), /Upload-Offset/);
    const answer = await create(server, { headers: { origin: 'https://app.example' } });
    assert.match(String(answer.headers['access-control-expose-headers']), /Location.*Upload-Offset/);
    const nobody = await create(server, { user: '', headers: { origin: 'https://app.example' } });
    assert.equal(nobody.status, 401);
    assert.equal(nobody.headers['access-control-allow-origin'], 'https://app.example');
    const evil = await server.ask('/files/', { headers: { origin: 'https://evil.example' } });
    assert.equal(evil.headers['access-control-allow-origin'], undefined);
    assert.match(String(evil.headers.vary), /Origin/);
  });
});
