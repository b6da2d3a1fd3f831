import assert from 'node:assert/strict';
import { appendFileSync, truncateSync, utimesSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { describe, it } from 'node:test';
import type { Progress } from '@sluice/client';
import { DIGEST_CHUNK_BYTES } from '@sluice/wire';
import { assertSameBytes, Fixture, MIB, someBytes } from './fixture.js';

describe('Upload of a file', () => {
  for (const size of [0, 1, 32_768, 32_769, MIB, 3 * MIB + 17]) {
    it(`brings ${size} bytes to the server as they are`, async () => {
      for (const make of [Fixture.make, Fixture.makeExtended]) {
        await using fixture = await make();
        const content = someBytes(size);
        const result = await fixture.client.upload(await fixture.writeLocal('a', content), 'a');
        assertSameBytes(await fixture.readRemote('a'), content);
        assert.deepEqual(
          { bytes: result.bytes, sent: result.bytesSent, resumed: result.bytesResumed, attempts: result.attempts },
          { bytes: size, sent: size, resumed: 0, attempts: 1 },
        );
        assert.equal(result.durability, make === Fixture.make ? undefined : 'durable');
      }
    });
  }

  it('sends packets of 32 KiB to an original server, and of 256 KiB to one that knows extensions', async () => {
    for (const [make, packetBytes] of [
      [Fixture.make, 32 << 10],
      [Fixture.makeExtended, 256 << 10],
    ] as const) {
      await using fixture = await make();
      await fixture.client.upload(await fixture.writeLocal('a', someBytes(MIB)), 'a');
      assert.equal(fixture.server.largestPacketDataBytes, packetBytes);
    }
  });

  it('carries odd names and directories', async () => {
    await using fixture = await Fixture.make();
    await fixture.client.makeDirectory('数据/a=b');
    const source = await fixture.writeLocal('a', someBytes(5));
    for (const name of [' -x = y 数.txt', '-rf', 'a%20b']) await fixture.client.upload(source, `/数据/a=b/${name}`);
    assert.deepEqual(
      (await fixture.client.list('数据/a=b/')).map(({ name }) => name),
      [' -x = y 数.txt', '-rf', 'a%20b'],
    );
    await assert.rejects(fixture.client.upload(source, 'a\r\nCommand=Eof'), { code: 'ERR_URL' });
    await assert.rejects(fixture.client.upload(source, 'dir/'), { code: 'ERR_URL' });
  });

  it('goes on by itself when the link breaks, and sends an original server nothing twice', async () => {
    await using fixture = await Fixture.make();
    const content = someBytes(8 * MIB);
    fixture.server.faults.cutAfterReceivedBytes = 3 * MIB + 5;
    const result = await fixture.client.upload(await fixture.writeLocal('a', content), 'a');
    assertSameBytes(await fixture.readRemote('a'), content);
    assert.equal(result.attempts, 2);
    assert.equal(result.bytesResumed, 0);
    assert.equal(fixture.server.receivedDataBytes, 8 * MIB);
    assert(!fixture.server.commands.includes('deletefile'));
  });

  it('does not believe an original server that what it has is the beginning of this file', async () => {
    await using fixture = await Fixture.make();
    const content = someBytes(100_000);
    await fixture.writeRemote('a', someBytes(60_000));
    const result = await fixture.client.upload(await fixture.writeLocal('a', content), 'a');
    assertSameBytes(await fixture.readRemote('a'), content);
    assert.equal(result.bytesSent, 100_000);
  });

  it("goes on at the server's length when told to trust it", async () => {
    await using fixture = await Fixture.make();
    const content = someBytes(100_000);
    await fixture.writeRemote('a', content.subarray(0, 60_000));
    const source = await fixture.writeLocal('a', content);
    const result = await fixture.client.upload(source, 'a', { resume: 'trust-length' });
    assertSameBytes(await fixture.readRemote('a'), content);
    assert.deepEqual([result.bytesSent, result.bytesResumed], [40_000, 60_000]);
  });

  it('starts from the beginning when told never to resume', async () => {
    for (const make of [Fixture.make, Fixture.makeExtended]) {
      await using fixture = await make();
      const content = someBytes(100_000);
      await fixture.writeRemote('a', content.subarray(0, 60_000));
      const source = await fixture.writeLocal('a', content);
      const result = await fixture.client.upload(source, 'a', { resume: 'never' });
      assertSameBytes(await fixture.readRemote('a'), content);
      assert.equal(result.bytesSent, 100_000);
    }
  });

  it('replaces a longer file when forced', async () => {
    for (const make of [Fixture.make, Fixture.makeExtended]) {
      await using fixture = await make();
      const content = someBytes(50);
      await fixture.writeRemote('a', someBytes(60));
      await fixture.client.upload(await fixture.writeLocal('a', content), 'a', { force: true });
      assertSameBytes(await fixture.readRemote('a'), content);
    }
  });

  it('keeps what the digests prove, and sends the rest', async () => {
    await using fixture = await Fixture.makeExtended();
    const content = someBytes(3 * DIGEST_CHUNK_BYTES + 1_000);
    const source = await fixture.writeLocal('a', content);
    const onServer = Buffer.from(content.subarray(0, 2 * DIGEST_CHUNK_BYTES + 500));
    await fixture.writeRemote('whole', onServer);
    const whole = await fixture.client.upload(source, 'whole');
    assert.deepEqual([whole.bytesResumed, whole.bytesSent], [onServer.length, content.length - onServer.length]);
    assertSameBytes(await fixture.readRemote('whole'), content);

    onServer[onServer.length - 1]! ^= 1; // a torn tail
    await fixture.writeRemote('torn', onServer);
    const torn = await fixture.client.upload(source, 'torn');
    assert.equal(torn.bytesResumed, 2 * DIGEST_CHUNK_BYTES);
    assertSameBytes(await fixture.readRemote('torn'), content);

    onServer[7]! ^= 1;
    await fixture.writeRemote('other', onServer);
    const other = await fixture.client.upload(source, 'other');
    assert.equal(other.bytesResumed, 0);
    assertSameBytes(await fixture.readRemote('other'), content);
  });

  it('sends nothing of a file that the server has whole, and still has it confirmed', async () => {
    await using fixture = await Fixture.makeExtended();
    const content = someBytes(5 * MIB);
    await fixture.writeRemote('a', content);
    const result = await fixture.client.upload(await fixture.writeLocal('a', content), 'a');
    assert.deepEqual([result.bytesSent, result.bytesResumed], [0, content.length]);
    assert.equal(fixture.server.commands.at(-1), 'eof');
  });

  it('counts progress up to the size, and says what was resumed', async () => {
    await using fixture = await Fixture.makeExtended();
    const content = someBytes(DIGEST_CHUNK_BYTES + 3 * MIB);
    await fixture.writeRemote('a', content.subarray(0, DIGEST_CHUNK_BYTES));
    const reports: Progress[] = [];
    await fixture.client.upload(await fixture.writeLocal('a', content), 'a', {
      onProgress: (progress) => reports.push(progress),
    });
    const bytesResumed = DIGEST_CHUNK_BYTES;
    assert.deepEqual(reports[0], { bytesDone: bytesResumed, bytesTotal: content.length, bytesResumed });
    assert.deepEqual(reports.at(-1), { bytesDone: content.length, bytesTotal: content.length, bytesResumed });
    assert(reports.every(({ bytesDone }, i) => i === 0 || bytesDone > reports[i - 1]!.bytesDone));
  });

  it('fails without a success when the file changes on the way', async () => {
    const changes: ((path: string) => void)[] = [
      (path) => appendFileSync(path, 'x'),
      (path) => truncateSync(path, MIB),
      (path) => utimesSync(path, 1, 1),
    ];
    for (const change of changes) {
      await using fixture = await Fixture.make();
      const source = await fixture.writeLocal('a', someBytes(4 * MIB));
      let hasChanged = false;
      const upload = fixture.client.upload(source, 'a', {
        onProgress: () => {
          if (!hasChanged) change(source);
          hasChanged = true;
        },
      });
      await assert.rejects(upload, { code: 'ERR_SOURCE_CHANGED', retryable: false });
      assert(!fixture.server.commands.includes('eof'));
    }
  });

  it('names the local file that cannot be read', async () => {
    await using fixture = await Fixture.make();
    await mkdir(fixture.local('dir'));
    for (const name of ['missing', 'dir']) {
      await assert.rejects(fixture.client.upload(fixture.local(name), 'a'), (error: Error & { code: string }) => {
        assert.equal(error.code, 'ERR_LOCAL_FILE');
        assert(error.message.includes(fixture.local(name)), error.message);
        return true;
      });
    }
  });

  it('fails at once, with code and message, when the server says in the middle that it cannot go on', async () => {
    await using fixture = await Fixture.make();
    fixture.server.faults.dataCode = 4;
    const source = await fixture.writeLocal('a', someBytes(64 * MIB));
    await assert.rejects(fixture.client.upload(source, 'a'), {
      code: 'ERR_REMOTE',
      resultCode: 4,
      retryable: false,
      message: 'disk full',
    });
  });

  it('gives up on a server that takes nothing any more', async () => {
    await using fixture = await Fixture.make({ responseTimeoutMs: 100, retries: 0 });
    fixture.server.faults.stallAfterReceivedBytes = MIB;
    const source = await fixture.writeLocal('a', someBytes(64 * MIB));
    await assert.rejects(fixture.client.upload(source, 'a'), { code: 'ERR_TIMEOUT', retryable: true });
  });
});

describe('Upload of a stream', () => {
  it('replaces what is there, with what the stream yields', async () => {
    for (const make of [Fixture.make, Fixture.makeExtended]) {
      await using fixture = await make();
      await fixture.writeRemote('a', someBytes(MIB));
      const pieces = [someBytes(10), someBytes(0), someBytes(600_000)];
      const result = await fixture.client.upload(streamOf(pieces), 'a');
      assertSameBytes(await fixture.readRemote('a'), Buffer.concat(pieces));
      assert.equal(result.bytes, 600_010);
    }
  });

  it('cannot mend a link that breaks after something was read, and says why', async () => {
    await using fixture = await Fixture.make();
    fixture.server.faults.cutAfterReceivedBytes = 100_000;
    let hasReturned = false;
    async function* source() {
      try {
        for (;;) yield someBytes(32_768);
      } finally {
        hasReturned = true;
      }
    }
    await assert.rejects(fixture.client.upload(source(), 'a'), {
      code: 'ERR_CONNECTION_LOST',
      retryable: false,
      message: /a stream cannot be read a second time/,
    });
    await new Promise((resolve) => setImmediate(resolve));
    assert(hasReturned, 'the stream was not told to end');
  });

  it('is tried again as long as nothing was read', async () => {
    await using fixture = await Fixture.make();
    fixture.server.cutAll();
    const result = await fixture.client.upload(streamOf([Buffer.from('abc')]), 'a');
    assert.equal((await fixture.readRemote('a')).toString(), 'abc');
    assert(result.attempts >= 1);
  });

  it("fails with the stream's own error", async () => {
    await using fixture = await Fixture.make();
    async function* source() {
      yield Buffer.from('abc');
      throw new Error('the pipe burst');
    }
    await assert.rejects(fixture.client.upload(source(), 'a'), /the pipe burst/);
    assert(!fixture.server.commands.includes('eof'));
  });

  it('can be called off while the stream yields nothing', async () => {
    await using fixture = await Fixture.make();
    const controller = new AbortController();
    async function* source() {
      yield Buffer.from('abc');
      await new Promise(() => {});
    }
    const upload = fixture.client.upload(source(), 'a', {
      signal: controller.signal,
      onProgress: () => controller.abort(new Error('enough')),
    });
    await assert.rejects(upload, /enough/);
  });
});

async function* streamOf(pieces: Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* pieces;
}
