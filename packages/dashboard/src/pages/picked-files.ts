import type { FileToSend } from '../server-api.js';

/** The files of a picker. Those of a folder keep their places in it. */
export function pickedFiles(list: FileList | null): FileToSend[] {
  return [...(list ?? [])].map((file) => ({ file, path: file.webkitRelativePath || file.name }));
}
