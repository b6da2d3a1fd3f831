import { ChunkHash } from '@sluice/files/digests';
import { packChunk } from './packed-chunk.js';
import type { PackAnswer, PackRequest } from './worker-packer.js';

/** The thread that {@link WorkerPacker} asks. A bundler finds this file by its URL there. */
const scope = globalThis as unknown as {
  onmessage: ((event: { readonly data: PackRequest }) => void) | null;
  postMessage(message: PackAnswer, transfer: ArrayBuffer[]): void;
};

const blobs = new Map<number, Blob>();

scope.onmessage = ({ data: request }) => {
  if (request.kind === 'open') blobs.set(request.blobId, request.blob);
  else if (request.kind === 'close') blobs.delete(request.blobId);
  else void answer(request);
};

async function answer({ id, blobId, place }: Extract<PackRequest, { kind: 'pack' }>): Promise<void> {
  try {
    const packed = await packChunk(blobs.get(blobId) ?? new Blob(), place, await ChunkHash.create());
    scope.postMessage({ id, packed }, packed ? [packed.memory] : []);
  } catch (error) {
    const { name = 'Error', message = String(error) } = error as Partial<Error>;
    scope.postMessage({ id, failure: { name, message } }, []);
  }
}
