import type { FileHandle } from 'node:fs/promises';

/** Fills the buffer from a place in the file. @returns how many bytes there were */
export async function readFully(handle: FileHandle, buffer: Uint8Array, position: number): Promise<number> {
  let got = 0;
  while (got < buffer.length) {
    const { bytesRead } = await handle.read(buffer, got, buffer.length - got, position + got);
    if (bytesRead === 0) break;
    got += bytesRead;
  }
  return got;
}
