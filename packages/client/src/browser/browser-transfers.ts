import type { DownloadOptions, UploadOptions } from '../transfer.js';
import type { FileToUpload, UploadFilesOptions } from '../trees/upload-files.js';
import type { VerifyProgressOptions } from '../verification.js';

/** A file that the user has picked, or bytes. */
export type PickedSource = Blob | FileSystemFileHandle;

/** What can be uploaded: only of the first three the browser knows how to go on after a reload. */
export type BrowserSource = PickedSource | Uint8Array | ReadableStream<Uint8Array> | AsyncIterable<Uint8Array>;

/** Options of an upload. */
export interface BrowserUploadOptions extends UploadOptions {
  /** Whether the browser remembers the upload, so that it can be gone on with after a reload; files of more than 4 MiB only. @default true */
  readonly isRemembered?: boolean;
}

/** Options of a download. */
export type BrowserDownloadOptions = Pick<DownloadOptions, 'signal' | 'onProgress' | 'streams'>;

/** Options of a download into memory, or wherever the browser keeps large blobs. */
export interface BlobOptions extends BrowserDownloadOptions {
  /** Media type of the blob. @default '' */
  readonly type?: string;
}

/** A file that was picked, and where it goes on the server. */
export type BrowserFileToUpload = FileToUpload<PickedSource>;

/** Options of an upload of several files. */
export type BrowserUploadFilesOptions = UploadFilesOptions<PickedSource>;

/** Options of a verification. */
export interface BrowserVerifyOptions extends VerifyProgressOptions {
  /** What the file on the server should be. @default none */
  readonly local?: Blob;
}
