import { decodeDirResponse, decodeFileListResponse, type Response } from '@sluice/wire';

/** An entry of a directory on the server. */
export interface ListEntry {
  readonly name: string;
  readonly kind: 'directory' | 'file';
  /** In bytes; files only. */
  readonly size?: number;
}

/** Joins the answers to Dir and FileList. @throws {ProtocolError} `ERR_RESPONSE_INVALID` for a file without a size */
export function listEntries(directories: Response, files: Response): ListEntry[] {
  return [
    ...decodeDirResponse(directories)
      .sort()
      .map((name) => ({ name, kind: 'directory' as const })),
    ...decodeFileListResponse(files)
      .sort((a, b) => (a.name < b.name ? -1 : 1))
      .map(({ name, size }) => ({ name, kind: 'file' as const, size: Number(size) })),
  ];
}
