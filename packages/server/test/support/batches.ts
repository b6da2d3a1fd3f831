import { xxh64 } from '@sluice/files';
import type { RawPeer } from '@sluice/testkit';
import {
  type BatchFile,
  decodeCommandText,
  decodePutFilesResult,
  decodeResponse,
  encodePacket,
  encodePutFilesRequest,
  encodePutFilesTable,
  type PutFilesRequest,
  type PutFilesResult,
  RequestError,
} from '@sluice/wire';

/** A file that a test sends in a batch; the digest is that of the content unless the test says otherwise. */
export interface SentFile extends Partial<Omit<BatchFile, 'size'>> {
  readonly name: string;
  readonly content: Uint8Array | string;
}

/** PutFiles as it goes over the wire. */
export function putFilesPacket(
  files: readonly SentFile[],
  request: Partial<PutFilesRequest> = {},
  directories: readonly string[] = [''],
): Uint8Array {
  const contents = files.map(({ content }) => Buffer.from(content as string));
  const entries = files.map(({ content: _, ...file }, i) => ({
    directory: 0,
    digest: xxh64(contents[i]!),
    ...file,
    size: contents[i]!.length,
  }));
  const data = Buffer.concat([encodePutFilesTable(directories, entries), ...contents]);
  return encodePacket(encodePutFilesRequest({ dirName: '', ...request }), data);
}

/** Sends a batch and waits for its codes. @throws the refusal of the whole */
export async function putFiles(
  peer: RawPeer,
  files: readonly SentFile[],
  request?: Partial<PutFilesRequest>,
  directories: readonly string[] = [''],
): Promise<PutFilesResult> {
  await peer.send(putFilesPacket(files, request, directories));
  const { text, data } = await peer.nextPacket();
  const bytes = Buffer.from(text);
  const response = decodeResponse(decodeCommandText(bytes, 0, bytes.length));
  if (response.code !== 0) throw new RequestError(response.code as never, response.message);
  const result = decodePutFilesResult(response, data, directories.length, files.length);
  if (!result) throw new Error('the answer has another number of codes');
  return result;
}
