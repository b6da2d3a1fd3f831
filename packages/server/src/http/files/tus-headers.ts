import { createHash, type Hash, timingSafeEqual } from 'node:crypto';
import { HttpError } from '../http-error.js';
import type { FileRequest } from './file-request.js';

export const TUS_VERSION = '1.0.0';

export const TUS_EXTENSIONS = ['creation', 'creation-with-upload', 'termination', 'checksum', 'expiration'] as const;

/** Names as `Upload-Checksum` has them. */
export const CHECKSUM_ALGORITHMS = ['sha1', 'sha256', 'sha512', 'md5'] as const;

/** Media type of the bytes of an upload. */
export const OFFSET_OCTET_STREAM = 'application/offset+octet-stream';

/** What the metadata of an upload may be long, in characters of its header. */
export const MAX_METADATA_LENGTH = 8192;

/** Headers of tus that a client sends. */
export const TUS_REQUEST_HEADERS = [
  'Tus-Resumable',
  'Upload-Length',
  'Upload-Metadata',
  'Upload-Offset',
  'Upload-Checksum',
  'X-HTTP-Method-Override',
  'X-Request-ID',
] as const;

/** Headers of tus that a client has to read. */
export const TUS_RESPONSE_HEADERS = [
  'Location',
  'Tus-Resumable',
  'Tus-Version',
  'Tus-Extension',
  'Tus-Max-Size',
  'Tus-Checksum-Algorithm',
  'Upload-Offset',
  'Upload-Length',
  'Upload-Metadata',
  'Upload-Expires',
] as const;

/** @throws {HttpError} 412 for who speaks another version */
export function requireTusVersion(request: FileRequest): void {
  request.response.setHeader('Tus-Resumable', TUS_VERSION);
  const version = request.header('tus-resumable');
  if (version === TUS_VERSION) return;
  throw new HttpError(412, `this speaks tus ${TUS_VERSION}`, { 'Tus-Version': TUS_VERSION });
}

/** A count of bytes. @throws {HttpError} 400 */
export function byteCountOf(request: FileRequest, name: string): number {
  const text = request.header(name);
  if (text === undefined) throw new HttpError(400, `${name} is missing`);
  if (!/^\d{1,16}$/.test(text) || Number(text) > Number.MAX_SAFE_INTEGER)
    throw new HttpError(400, `${name} is no number of bytes`);
  return Number(text);
}

/**
 * Keys and values of `Upload-Metadata`.
 *
 * @throws {HttpError} 400
 * @see https://tus.io/protocols/resumable-upload, Upload-Metadata
 */
export function parseMetadata(header: string | undefined): ReadonlyMap<string, string> {
  const metadata = new Map<string, string>();
  if (header === undefined || header.trim() === '') return metadata;
  if (header.length > MAX_METADATA_LENGTH)
    throw new HttpError(413, `upload-metadata of ${header.length} characters, limit ${MAX_METADATA_LENGTH}`);
  for (const pair of header.split(',')) {
    const [key = '', value = '', ...rest] = pair.trim().split(' ');
    if (
      !/^[\x21-\x2b\x2d-\x7e]+$/.test(key) ||
      rest.length > 0 ||
      !/^[A-Za-z\d+/]*={0,2}$/.test(value) ||
      metadata.has(key)
    )
      throw new HttpError(400, 'upload-metadata cannot be read');
    metadata.set(key, decodeUtf8(Buffer.from(value, 'base64')));
  }
  return metadata;
}

function decodeUtf8(bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new HttpError(400, 'upload-metadata is not UTF-8');
  }
}

/** What bytes are compared with that came with their checksum. */
export class ExpectedChecksum {
  readonly #hash: Hash;
  readonly #expected: Buffer;

  constructor(algorithm: string, expected: Buffer) {
    this.#hash = createHash(algorithm);
    this.#expected = expected;
  }

  update(bytes: Uint8Array): void {
    this.#hash.update(bytes);
  }

  /** Whether all that came is what it should be. To be asked once. */
  get isRight(): boolean {
    const digest = this.#hash.digest();
    return digest.length === this.#expected.length && timingSafeEqual(digest, this.#expected);
  }
}

/** What `Upload-Checksum` says. @throws {HttpError} 400 */
export function checksumOf(request: FileRequest): ExpectedChecksum | undefined {
  const header = request.header('upload-checksum');
  if (header === undefined) return undefined;
  const [algorithm = '', value = '', ...rest] = header.trim().split(' ');
  if (rest.length > 0 || !(CHECKSUM_ALGORITHMS as readonly string[]).includes(algorithm))
    throw new HttpError(400, `upload-checksum is by ${CHECKSUM_ALGORITHMS.join(', ')}`);
  return new ExpectedChecksum(algorithm, Buffer.from(value, 'base64'));
}

/** What `Content-Digest` says, in RFC 9530; of several the first that is known. @throws {HttpError} 400 */
export function contentDigestOf(request: FileRequest): ExpectedChecksum | undefined {
  const header = request.header('content-digest');
  if (header === undefined) return undefined;
  const match = /(?:^|,)\s*sha-(256|512)=:([A-Za-z\d+/]+={0,2}):/.exec(header);
  if (!match) throw new HttpError(400, 'content-digest is by sha-256 or sha-512');
  return new ExpectedChecksum(`sha${match[1]}`, Buffer.from(match[2]!, 'base64'));
}
