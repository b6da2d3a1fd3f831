import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ChunkHash } from '@sluice/files/digests';
import { type PackedChunk, packChunk } from '../../../../packages/client/dist/browser/packed-chunk.js';
import {
  type PackAnswer,
  type PackRequest,
  WorkerPacker,
} from '../../../../packages/client/dist/browser/worker-packer.js';

const bytes = new Uint8Array(600_000).map((_, i) => i * 31);
const blob = new Blob([bytes]);

/** A worker whose thread is the test. */
class FakeWorker {
  onmessage: ((event: { readonly data: PackAnswer }) => void) | null = null;
  onerror: ((event: unknown) => void) | null = null;
  onmessageerror: ((event: unknown) => void) | null = null;
  readonly requests: PackRequest[] = [];
  isTerminated = false;

  postMessage(request: PackRequest, transfer: ArrayBuffer[] = []): void {
    this.requests.push(
      structuredClone(request.kind === 'open' ? { ...request, blob: undefined } : request, { transfer }) as never,
    );
  }

  terminate(): void {
    this.isTerminated = true;
  }

  get asWorker(): Worker {
    return this as unknown as Worker;
  }
}

async function assertPacked(packed: PackedChunk | undefined, position: number, count: number): Promise<void> {
  const hash = await ChunkHash.create();
  const expected = await packChunk(blob, { position, bytes: count, memory: undefined }, hash);
  assert.ok(packed && expected);
  assert.equal(packed.digest, expected.digest);
  assert.deepEqual(
    new Uint8Array(packed.memory, 0, packed.packetBytes),
    new Uint8Array(expected.memory, 0, expected.packetBytes),
  );
}

describe('A chunk that is packed', () => {
  it('is the Data packets of its bytes, also in memory that has been used before', async () => {
    const hash = await ChunkHash.create();
    const first = await packChunk(blob, { position: 0, bytes: 600_000, memory: undefined }, hash);
    const again = await packChunk(blob, { position: 5, bytes: 300_000, memory: first!.memory }, hash);
    assert.equal(again!.memory, first!.memory);
    await assertPacked(again, 5, 300_000);
    const packets = Buffer.from(again!.memory, 0, again!.packetBytes);
    assert.ok(packets.includes(Buffer.from(bytes.buffer, 5, 256 << 10)));
    hash.update(bytes.subarray(5, 300_005));
    assert.equal(again!.digest, hash.end());
  });

  it('is none where the blob has ended before', async () => {
    const hash = await ChunkHash.create();
    assert.equal(await packChunk(blob, { position: 599_999, bytes: 2, memory: undefined }, hash), undefined);
  });
});

describe('The thread that packs', () => {
  it('is told of a blob once, and gives each answer to who has asked', async () => {
    const worker = new FakeWorker();
    const packer = new WorkerPacker(() => worker.asWorker);
    const asked = [0, 1].map((position) => packer.pack(blob, { position, bytes: 10, memory: new ArrayBuffer(4) }));
    const kinds = worker.requests.map(({ kind }) => kind);
    assert.deepEqual(kinds, ['open', 'pack', 'pack']);
    const ids = worker.requests.flatMap((request) => (request.kind === 'pack' ? [request.id] : []));
    const packed = ids.map((id) => ({ digest: BigInt(id), memory: new ArrayBuffer(0), packetBytes: 0 }));
    worker.onmessage?.({ data: { id: ids[1]!, packed: packed[1] } });
    worker.onmessage?.({ data: { id: ids[0]!, packed: packed[0] } });
    assert.deepEqual(await Promise.all(asked), packed);
    packer.release(blob);
    assert.equal(worker.requests.at(-1)?.kind, 'close');
  });

  it('tells what the browser says against reading', async () => {
    const worker = new FakeWorker();
    const packer = new WorkerPacker(() => worker.asWorker);
    const asked = packer.pack(blob, { position: 0, bytes: 10, memory: undefined });
    const [, request] = worker.requests;
    const failure = { name: 'NotReadableError', message: 'gone' };
    worker.onmessage?.({ data: { id: request?.kind === 'pack' ? request.id : 0, failure } });
    await assert.rejects(asked, failure);
  });

  it('is done without when it cannot be loaded: what was asked is done by the page', async () => {
    const worker = new FakeWorker();
    const packer = new WorkerPacker(() => worker.asWorker);
    const asked = packer.pack(blob, { position: 7, bytes: 100_000, memory: new ArrayBuffer(8) });
    worker.onerror?.({});
    await assertPacked(await asked, 7, 100_000);
    await assertPacked(await packer.pack(blob, { position: 9, bytes: 1000, memory: undefined }), 9, 1000);
    assert.equal(worker.isTerminated, true);
  });

  it('is done without where a page may have none', async () => {
    const makers = [
      () => undefined,
      () => {
        throw new DOMException('the policy forbids it', 'SecurityError');
      },
    ];
    for (const make of makers)
      await assertPacked(await new WorkerPacker(make).pack(blob, { position: 1, bytes: 10, memory: undefined }), 1, 10);
  });

  it('ends with its client, and with it what was asked', async () => {
    const worker = new FakeWorker();
    const packer = new WorkerPacker(() => worker.asWorker);
    const asked = packer.pack(blob, { position: 0, bytes: 10, memory: undefined });
    packer.close();
    await assert.rejects(asked, { name: 'AbortError' });
    assert.equal(worker.isTerminated, true);
  });
});
