import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readdir, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { describe, it } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import * as tus from 'tus-js-client';
import { Scratch, ServeCommand, sluice } from './support/command.js';

const LOGIN = { authorization: `Basic ${Buffer.from('admin:admin').toString('base64')}` };

type Options = ConstructorParameters<typeof tus.Upload>[1];

async function serve(folder: string, ...options: string[]): Promise<{ server: ServeCommand; url: URL }> {
  const server = await ServeCommand.start(folder, ['--http', '127.0.0.1:0', ...options]);
  const [, url = ''] = await server.command.output(/^dashboard on (\S+)$/m);
  return { server, url: new URL(url) };
}

/** @returns settles when the upload has succeeded; rejects when it has failed */
function upload(url: URL, content: Buffer, options: Options = {}): Promise<void> {
  return new Promise((resolve, reject) => {
    new tus.Upload(content, {
      endpoint: new URL('/files/', url).href,
      headers: LOGIN,
      metadata: { filename: 'film.bin' },
      onSuccess: () => resolve(),
      onError: reject,
      ...options,
    }).start();
  });
}

async function stagedLength(folder: string): Promise<number> {
  const staging = path.join(folder, '.sluice', 'staging');
  const names = await readdir(staging).catch(() => []);
  const data = names.find((name) => name.endsWith('.part'));
  return data === undefined ? 0 : ((await stat(path.join(staging, data)).catch(() => undefined))?.size ?? 0);
}

describe('sluice serve, files by HTTP', () => {
  it('goes on with an upload of tus-js-client that it was killed in, without the page doing anything', async () => {
    await using scratch = await Scratch.make();
    const first = await serve(scratch.folder);
    const content = randomBytes(96 << 20);
    const offsets: number[] = [];
    const uploading = upload(first.url, content, {
      retryDelays: Array.from({ length: 100 }, () => 100),
      onAfterResponse: (request, response) => {
        if (request.getMethod() === 'HEAD') offsets.push(Number(response.getHeader('Upload-Offset')));
      },
    });
    while ((await stagedLength(scratch.folder)) < 24 << 20) await pause(1);
    await first.server.command.kill('SIGKILL');
    await using second = await ServeCommand.start(scratch.folder, ['--http', first.url.host]);
    await uploading;
    assert.ok(content.equals(await readFile(path.join(scratch.folder, 'film.bin'))));
    assert.equal(offsets.length, 1);
    assert.ok(offsets[0]! >= 16 << 20 && offsets[0]! < content.length, `it went on at ${offsets[0]}`);
    const verified = await sluice(['verify', `sluice://admin:admin@127.0.0.1:${second.port}/film.bin`]);
    assert.equal(verified.exitCode, 0, verified.stderr);
  });

  it('takes the pieces of an upload at different workers', async () => {
    await using scratch = await Scratch.make();
    const { server, url } = await serve(scratch.folder, '--workers', '2');
    await using _server = server;
    const content = randomBytes(20 << 20);
    await upload(url, content, { chunkSize: 1_500_000 });
    const answer = await fetch(new URL('/files/film.bin', url), { headers: { ...LOGIN, range: 'bytes=5-' } });
    assert.equal(answer.status, 206);
    assert.match(answer.headers.get('etag') ?? '', /^"[0-9a-f]{16}"$/);
    assert.ok(content.subarray(5).equals(Buffer.from(await answer.arrayBuffer())));
  });

  it('lets the page of the server upload by the cookie of a login, and no page of another origin', async () => {
    await using scratch = await Scratch.make();
    const { server, url } = await serve(scratch.folder);
    await using _server = server;
    const login = await fetch(new URL('/login', url), {
      method: 'POST',
      headers: { 'content-type': 'application/json', origin: url.origin },
      body: JSON.stringify({ user: 'admin', password: 'admin' }),
    });
    assert.equal(login.status, 204);
    const cookie = login.headers.getSetCookie()[0]?.split(';')[0] ?? '';
    const create = async (headers: Record<string, string>): Promise<number> => {
      const tusHeaders = { 'tus-resumable': '1.0.0', 'upload-length': '0', 'upload-metadata': 'filename YQ==' };
      const answer = await fetch(new URL('/files/', url), {
        method: 'POST',
        headers: { cookie, ...tusHeaders, ...headers },
      });
      return answer.status;
    };
    assert.equal(await create({}), 403);
    assert.equal(await create({ origin: 'https://evil.example' }), 403);
    await assert.rejects(stat(path.join(scratch.folder, 'a')));
    assert.equal(await create({ origin: url.origin }), 201);
    assert.equal((await stat(path.join(scratch.folder, 'a'))).size, 0);
    const put = (origin: string): Promise<Response> =>
      fetch(new URL('/files/b', url), { method: 'PUT', headers: { cookie, origin }, body: 'x' });
    assert.equal((await put('https://evil.example')).status, 403);
    assert.equal((await put(url.origin)).status, 201);
    const download = await fetch(new URL('/files/b', url), { headers: { cookie } });
    assert.equal(await download.text(), 'x');
  });

  it('ends in order while an upload is open, which goes on at the next start', async () => {
    await using scratch = await Scratch.make();
    const { server, url } = await serve(scratch.folder);
    const content = randomBytes(5 << 20);
    let isStopped = false;
    const stopped = new Promise<string>((resolve) => {
      const one = new tus.Upload(content, {
        endpoint: new URL('/files/', url).href,
        headers: LOGIN,
        metadata: { filename: 'a' },
        chunkSize: 3 << 20,
        onChunkComplete: () => {
          if (isStopped) return;
          isStopped = true;
          void one.abort().then(() => resolve(one.url ?? ''));
        },
      });
      one.start();
    });
    const uploadUrl = await stopped;
    const ended = await server.command.kill('SIGTERM');
    assert.equal(ended.exitCode, 0, ended.stderr);
    await using again = await ServeCommand.start(scratch.folder, ['--http', url.host]);
    assert.ok(again.port > 0);
    await upload(url, content, { uploadUrl, endpoint: null });
    assert.ok(content.equals(await readFile(path.join(scratch.folder, 'a'))));
  });
});
