import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { EventEmitter, once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { describe, it } from 'node:test';
import * as tus from 'tus-js-client';
import { basic, FilesServer } from '../../support/files-server.js';
import { eventually } from '../../support/test-server.js';

const CONTENT = randomBytes(9 << 20);

type Options = ConstructorParameters<typeof tus.Upload>[1];

/** An upload of a page that knows nothing of this server but its address. */
function newUpload(server: FilesServer, content: Buffer, options: Options = {}) {
  let settle: { resolve: () => void; reject: (error: Error) => void };
  const done = new Promise<void>((resolve, reject) => {
    settle = { resolve: () => resolve(), reject };
  });
  done.catch(() => {});
  const upload = new tus.Upload(content, {
    endpoint: server.url('/files/'),
    headers: { authorization: basic('anna') },
    metadata: { filename: 'film.bin' },
    retryDelays: [0, 0, 0],
    onSuccess: () => settle.resolve(),
    onError: (error) => settle.reject(error),
    ...options,
  });
  return { upload, done };
}

describe('tus-js-client', () => {
  it('uploads a file, which has its name when it is told so', async () => {
    await using server = await FilesServer.start();
    const { upload, done } = newUpload(server, CONTENT);
    upload.start();
    await done;
    assert.ok(CONTENT.equals(await readFile(server.path('film.bin'))));
  });

  it('uploads in pieces that are no chunks of the server', async () => {
    await using server = await FilesServer.start();
    const { upload, done } = newUpload(server, CONTENT, { chunkSize: 1_234_567 });
    upload.start();
    await done;
    assert.ok(CONTENT.equals(await readFile(server.path('film.bin'))));
  });

  it('uploads with the request that creates, and an empty file', async () => {
    await using server = await FilesServer.start();
    for (const [filename, content] of [
      ['small.txt', Buffer.from('hello')],
      ['empty', Buffer.alloc(0)],
    ] as const) {
      const { upload, done } = newUpload(server, content, { uploadDataDuringCreation: true, metadata: { filename } });
      upload.start();
      await done;
      assert.deepEqual(await readFile(server.path(filename)), content);
    }
  });

  it('sends POST where it may not send PATCH', async () => {
    await using server = await FilesServer.start();
    const { upload, done } = newUpload(server, CONTENT, { overridePatchMethod: true });
    upload.start();
    await done;
    assert.ok(CONTENT.equals(await readFile(server.path('film.bin'))));
  });

  it('goes on where it was aborted, and the server has not put it away yet', async () => {
    await using server = await FilesServer.start();
    const sent: number[] = [];
    const { upload, done } = newUpload(server, CONTENT, {
      chunkSize: 3 << 20,
      onChunkComplete: (_size, accepted) => {
        sent.push(accepted);
        if (sent.length === 1) void upload.abort().then(() => upload.start());
      },
    });
    upload.start();
    await done;
    assert.deepEqual(sent, [3 << 20, 6 << 20, 9 << 20]);
    assert.ok(CONTENT.equals(await readFile(server.path('film.bin'))));
  });

  it('goes on by the URL after the server was killed, behind what its journal proves', async () => {
    await using first = await FilesServer.start();
    const url = await uploadPieces(first, 7 << 20);
    await using second = await first.crash();
    const requests: string[] = [];
    const { upload, done } = newUpload(second, CONTENT, {
      uploadUrl: new URL(url, second.url('/')).href,
      onBeforeRequest: (request) => {
        const offset = request.getHeader('Upload-Offset');
        requests.push(`${request.getMethod()} ${offset ?? ''}`.trim());
      },
    });
    upload.start();
    await done;
    assert.deepEqual(requests, ['HEAD', `PATCH ${7 << 20}`]);
    assert.ok(CONTENT.equals(await readFile(second.path('film.bin'))));
  });

  it('terminates an upload, of which nothing is left', async () => {
    await using server = await FilesServer.start();
    const ended = new EventEmitter();
    const { upload } = newUpload(server, CONTENT, {
      chunkSize: 3 << 20,
      onChunkComplete: () => void upload.abort(true).then(() => ended.emit('ended')),
    });
    upload.start();
    await once(ended, 'ended');
    const url = new URL(upload.url ?? '').pathname;
    const answer = await server.ask(url, { method: 'HEAD', headers: { 'tus-resumable': '1.0.0' } });
    assert.equal(answer.status, 404);
    assert.deepEqual(await server.staging.list(), []);
    await eventually('no file is open', () => server.descriptors.openFiles === 0);
  });
});

/** Sends the begin of `CONTENT`. @returns the path of the upload */
async function uploadPieces(server: FilesServer, bytes: number): Promise<string> {
  let pathname = '';
  const { upload } = newUpload(server, CONTENT, {
    chunkSize: bytes,
    onChunkComplete: () => {
      pathname = new URL(upload.url ?? '').pathname;
      void upload.abort();
    },
  });
  upload.start();
  await eventually('the piece is there', () => pathname !== '');
  return pathname;
}
