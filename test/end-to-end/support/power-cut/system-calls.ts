import fs from 'node:fs';

/** The file functions of the system as they were before any of them was wrapped. Importing this module first is what makes it so. */
export const system: typeof fs = { ...fs };

export type FilePath = string | Buffer | URL;

/** A path as bytes: names need not be valid UTF-8. */
export function bytesOfPath(path: FilePath): Buffer {
  if (path instanceof URL) return Buffer.from(decodeURIComponent(path.pathname));
  return typeof path === 'string' ? Buffer.from(path) : path;
}
