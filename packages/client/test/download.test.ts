import assert from 'node:assert/strict';
import { renameSync, writeFileSync } from 'node:fs';
import { mkdir, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { describe, it } from 'node:test';
import type { Progress } from '@sluice/client';
import { paceOfDevice } from '@sluice/files';
import type { PlainServerFaults } from '@sluice/testkit';
import { DIGEST_CHUNK_BYTES, Key, responseText } from '@sluice/wire';
import { assertSameBytes, Fixture, MIB, someBytes } from './fixture.js';

describe('Download to a file', () => {
  for (const size of [0, 1, 256 << 10, 3 * MIB + 17]) {
    it(`brings ${size} bytes here as they are, and leaves no partial file`, async () => {
      for (const make of [Fixture.make, Fixture.makeExtended]) {
        await using fixture = await make();
        const content = someBytes(size);
        await fixture.writeRemote('a', content);
        const result = await fixture.client.download('a', fixture.local('b'));
        assertSameBytes(await fixture.readLocal('b'), content);
        assert.deepEqual(
          [result.bytes, result.bytesReceived, result.bytesResumed, result.attempts],
          [size, size, 0, 1],
        );
        assert.deepEqual((await readdir(fixture.directory)).sort(), ['b', 'root']);
      }
    });
  }

  it('refuses an answer that belongs to no request, also between the data', async () => {
    await using fixture = await Fixture.make();
    await fixture.writeRemote('a', someBytes(3 * MIB));
    fixture.server.faults.betweenData = responseText('Active', 0);
    await assert.rejects(fixture.client.download('a', fixture.local('c')), { code: 'ERR_PROTOCOL' });
  });

  it('goes on by itself when the link breaks, and gets nothing twice', async () => {
    await using fixture = await Fixture.make();
    const content = someBytes(8 * MIB);
    await fixture.writeRemote('a', content);
    fixture.server.faults.cutAfterSentBytes = 3 * MIB;
    const result = await fixture.client.download('a', fixture.local('b'));
    assertSameBytes(await fixture.readLocal('b'), content);
    assert.equal(result.attempts, 2);
    assert.equal(result.bytesReceived, 8 * MIB);
    assert.equal(result.bytesResumed, 0);
  });

  it('starts over when the file on an original server has become another', async () => {
    await using fixture = await Fixture.make();
    const { server } = fixture;
    await fixture.writeRemote('a', someBytes(8 * MIB));
    const content = someBytes(5 * MIB);
    server.faults.cutAfterSentBytes = 3 * MIB;
    let replacing: Promise<void> | undefined;
    const result = await fixture.client.download('a', fixture.local('b'), {
      onProgress: () => {
        replacing ??= fixture.writeRemote('a', content);
      },
    });
    await replacing;
    assertSameBytes(await fixture.readLocal('b'), content);
    assert.equal(result.bytes, content.length);
  });

  it('keeps the partial file when it fails, and what the digests prove of it the next time', async () => {
    await using fixture = await Fixture.makeExtended({ retries: 0 });
    const content = someBytes(2 * DIGEST_CHUNK_BYTES + 3 * MIB);
    await fixture.writeRemote('a', content);
    fixture.server.faults.cutAfterSentBytes = DIGEST_CHUNK_BYTES + 2 * MIB;
    await assert.rejects(fixture.client.download('a', fixture.local('b')), { code: 'ERR_CONNECTION_LOST' });
    const partial = await fixture.readLocal('b.sluice-part');
    assert.equal(partial.length, DIGEST_CHUNK_BYTES + 2 * MIB);

    const result = await fixture.client.download('a', fixture.local('b'));
    assertSameBytes(await fixture.readLocal('b'), content);
    assert.equal(result.bytesResumed, partial.length);
    assert.equal(result.bytesReceived, content.length - partial.length);
  });

  it('drops what differs of a partial file', async () => {
    await using fixture = await Fixture.makeExtended();
    const content = someBytes(2 * DIGEST_CHUNK_BYTES + 10);
    await fixture.writeRemote('a', content);
    const partial = Buffer.concat([content.subarray(0, DIGEST_CHUNK_BYTES + 5), someBytes(2 * DIGEST_CHUNK_BYTES)]);
    await fixture.writeLocal('b.sluice-part', partial); // also longer than the file
    const result = await fixture.client.download('a', fixture.local('b'));
    assertSameBytes(await fixture.readLocal('b'), content);
    assert.equal(result.bytesResumed, DIGEST_CHUNK_BYTES);
  });

  it('does not believe a partial file that an original server cannot prove', async () => {
    await using fixture = await Fixture.make();
    const content = someBytes(100_000);
    await fixture.writeRemote('a', content);
    await fixture.writeLocal('b.sluice-part', someBytes(50_000));
    const result = await fixture.client.download('a', fixture.local('b'));
    assertSameBytes(await fixture.readLocal('b'), content);
    assert.equal(result.bytesResumed, 0);
  });

  it('goes on at the length of the partial file when told to trust it', async () => {
    await using fixture = await Fixture.make();
    const content = someBytes(100_000);
    await fixture.writeRemote('a', content);
    await fixture.writeLocal('b.sluice-part', content.subarray(0, 50_000));
    const result = await fixture.client.download('a', fixture.local('b'), { resume: 'trust-length' });
    assertSameBytes(await fixture.readLocal('b'), content);
    assert.deepEqual([result.bytesResumed, result.bytesReceived], [50_000, 50_000]);
  });

  it('starts over when the partial file is longer than the file, also when the server says so oddly', async () => {
    for (const garbageFor of [undefined, { command: 'SendFile', bytes: sendFileOf(-976) }]) {
      let { faults }: { faults: PlainServerFaults } = { faults: {} };
      await using fixture = await Fixture.make({
        onRetry: () => {
          faults.garbageFor = undefined;
        },
      });
      ({ faults } = fixture.server);
      const content = someBytes(1_000);
      await fixture.writeRemote('a', content);
      await fixture.writeLocal('b.sluice-part', someBytes(garbageFor ? 900 : 1_976));
      faults.garbageFor = garbageFor;
      await fixture.client.download('a', fixture.local('b'), { resume: 'trust-length' });
      assertSameBytes(await fixture.readLocal('b'), content);
    }
  });

  it('waits for writes that are still going on before it goes on after a broken link', async () => {
    await using fixture = await Fixture.make();
    const content = someBytes(8 * MIB);
    await fixture.writeRemote('a', content);
    paceOfDevice((await stat(fixture.directory)).dev).record(1_000); // a slow disk: the thread pool writes
    fixture.server.faults.cutAfterSentBytes = 2 * MIB;
    const result = await fixture.client.download('a', fixture.local('b'));
    assertSameBytes(await fixture.readLocal('b'), content);
    assert.equal(result.attempts, 2);
    assert.equal(result.bytesReceived, content.length);
  });

  it('replaces the target only when everything is there', async () => {
    await using fixture = await Fixture.make({ retries: 0 });
    await fixture.writeRemote('a', someBytes(MIB));
    await fixture.writeLocal('b', Buffer.from('old'));
    fixture.server.faults.cutAfterSentBytes = 300_000;
    await assert.rejects(fixture.client.download('a', fixture.local('b')));
    assert.equal((await fixture.readLocal('b')).toString(), 'old');
  });

  it('leaves nothing behind when the server has no such file', async () => {
    await using fixture = await Fixture.make();
    await assert.rejects(fixture.client.download('a', fixture.local('b')), { code: 'ERR_REMOTE', resultCode: 9 });
    assert.deepEqual(await readdir(fixture.directory), ['root']);
  });

  it('names the target that cannot be written', async () => {
    await using fixture = await Fixture.make();
    await fixture.writeRemote('a', someBytes(10));
    await mkdir(fixture.local('dir'));
    for (const name of ['dir', 'missing/b']) {
      await assert.rejects(fixture.client.download('a', fixture.local(name)), (error: Error & { code: string }) => {
        assert.equal(error.code, 'ERR_LOCAL_FILE');
        assert(error.message.includes(fixture.local(name)), error.message);
        return true;
      });
    }
    assert.equal(fixture.server.commands.includes('download'), false);
  });

  it('asks for 256 KiB per packet, and reports progress up to the size', async () => {
    await using fixture = await Fixture.make();
    await fixture.writeRemote('a', someBytes(MIB));
    const reports: Progress[] = [];
    await fixture.client.download('a', fixture.local('b'), { onProgress: (progress) => reports.push(progress) });
    assert.deepEqual(reports[0], { bytesDone: 0, bytesTotal: MIB, bytesResumed: 0 });
    assert.deepEqual(reports.at(-1), { bytesDone: MIB, bytesTotal: MIB, bytesResumed: 0 });
    const request = fixture.server.texts.find((text) => text.command === 'Download');
    assert.equal(request?.first(Key.PacketSize), '262144');
  });
});

describe('Download to a stream', () => {
  it('writes in order, no faster than the stream takes it, and goes on after a broken link', async () => {
    await using fixture = await Fixture.makeExtended();
    const content = someBytes(8 * MIB);
    await fixture.writeRemote('a', content);
    fixture.server.faults.cutAfterSentBytes = 3 * MIB;
    const pieces: Buffer[] = [];
    let mostWaiting = 0;
    const target = new Writable({
      highWaterMark: 1,
      write(piece: Buffer, _encoding, done) {
        pieces.push(piece);
        mostWaiting = Math.max(mostWaiting, target.writableLength);
        setImmediate(done);
      },
    });
    const result = await fixture.client.download('a', target);
    assertSameBytes(Buffer.concat(pieces), content);
    assert.equal(result.attempts, 2);
    assert(mostWaiting <= 512 << 10, `${mostWaiting} bytes waited`);
    assert.equal(target.writableEnded, false);
    assert.equal(target.listenerCount('error') + target.listenerCount('close'), 0);
  });

  for (const size of [5 * MIB, 8 * MIB]) {
    it(`fails when ${size === 8 * MIB ? 'another of the same size' : 'a shorter one'} has taken the place of the file`, async () => {
      await using fixture = await Fixture.makeExtended();
      const content = someBytes(8 * MIB);
      await fixture.writeRemote('a', content);
      fixture.server.faults.cutAfterSentBytes = 6 * MIB;
      const pieces: Buffer[] = [];
      const target = collect(pieces, () => {
        if (pieces.length > 0) return;
        writeFileSync(join(fixture.server.root, 'new'), someBytes(size));
        renameSync(join(fixture.server.root, 'new'), join(fixture.server.root, 'a'));
      });
      await assert.rejects(fixture.client.download('a', target), { code: 'ERR_SOURCE_CHANGED', retryable: false });
      assertSameBytes(Buffer.concat(pieces), content.subarray(0, 6 * MIB));
    });
  }

  it('fails when the link to a server breaks that cannot tell whether its file is still the same, and does not try', async () => {
    let retries = 0;
    await using fixture = await Fixture.make({
      onRetry: () => {
        retries += 1;
      },
    });
    await fixture.writeRemote('a', someBytes(8 * MIB));
    fixture.server.faults.cutAfterSentBytes = 3 * MIB;
    await assert.rejects(fixture.client.download('a', collect([])), {
      code: 'ERR_CONNECTION_LOST',
      retryable: false,
      message: /lost: .*; this server cannot tell whether its file is still the one that was begun$/,
    });
    assert.equal(retries, 0);
  });

  it('tries again, whatever the server, as long as nothing was written', async () => {
    await using fixture = await Fixture.make();
    const content = someBytes(1_000);
    await fixture.writeRemote('a', content);
    const { client, server } = fixture;
    server.faults.answerDelayMs = 50;
    const pieces: Buffer[] = [];
    const download = client.download('a', collect(pieces));
    while (!server.commands.includes('download')) await new Promise(setImmediate);
    server.cutAll();
    assert.equal((await download).attempts, 2);
    assertSameBytes(Buffer.concat(pieces), content);
  });

  it('goes on whatever the server when told to trust the length', async () => {
    await using fixture = await Fixture.make();
    const content = someBytes(8 * MIB);
    await fixture.writeRemote('a', content);
    fixture.server.faults.cutAfterSentBytes = 3 * MIB;
    const pieces: Buffer[] = [];
    const result = await fixture.client.download('a', collect(pieces), { resume: 'trust-length' });
    assertSameBytes(Buffer.concat(pieces), content);
    assert.equal(result.attempts, 2);
  });

  it('fails when the stream fails, and ends the transfer', async () => {
    await using fixture = await Fixture.make();
    await fixture.writeRemote('a', someBytes(8 * MIB));
    const target = new Writable({
      write(_piece, _encoding, done) {
        done(new Error('no more paper'));
      },
    });
    await assert.rejects(fixture.client.download('a', target), {
      code: 'ERR_LOCAL_FILE',
      message: 'cannot write to the stream: no more paper',
    });
  });
});

it('A download to a stream that is stuck can be called off', async () => {
  await using fixture = await Fixture.make();
  await fixture.writeRemote('a', someBytes(8 * MIB));
  const controller = new AbortController();
  const target = new Writable({
    write() {
      setImmediate(() => controller.abort(new Error('enough')));
    },
  });
  await assert.rejects(fixture.client.download('a', target, { signal: controller.signal }), /enough/);
});

/** A stream that keeps what is written to it. */
function collect(pieces: Buffer[], beforeWrite = () => {}): Writable {
  return new Writable({
    write(piece: Buffer, _encoding, done) {
      beforeWrite();
      pieces.push(piece);
      done();
    },
  });
}

function sendFileOf(fileSize: number): Uint8Array {
  const text = Buffer.from(`[Response]\r\nCommand=SendFile\r\nCode=0\r\nFileSize=${fileSize}`);
  const head = Buffer.alloc(8);
  head.writeUInt32LE(text.length + 4, 0);
  head.writeUInt32LE(text.length, 4);
  return Buffer.concat([head, text]);
}
