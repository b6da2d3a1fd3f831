import type { BrowserClient } from '@sluice/client/browser';
import { type DownloadTarget, ServerError, type TransferOptions } from '../server-api.js';

/** Up to this size a file goes to the folder of downloads without a question; larger ones go straight to a place that the user picks. */
const PICKED_BYTES = 64 << 20;

type SavePicker = (options: { readonly suggestedName: string }) => Promise<FileSystemFileHandle>;

/**
 * Fetches a file for the user: into a place that they pick, where the browser has that, else into its folder of downloads. To be called upon a
 * click, before anything is waited for.
 */
export async function saveFile(
  openClient: () => Promise<BrowserClient>,
  path: string,
  target: DownloadTarget,
  { signal, onProgress }: TransferOptions,
): Promise<void> {
  const options = {
    ...(signal && { signal }),
    onProgress: ({
      bytesDone,
      bytesTotal,
      bytesResumed,
    }: {
      bytesDone: number;
      bytesTotal: number | undefined;
      bytesResumed: number;
    }) =>
      onProgress?.({
        doneBytes: bytesDone,
        resumedBytes: bytesResumed,
        ...(bytesTotal !== undefined && { totalBytes: bytesTotal }),
      }),
  };
  const picked = (target.size ?? 0) > PICKED_BYTES ? await pickPlace(target.name) : undefined;
  const client = await openClient();
  if (picked) await client.download(path, picked, options);
  else offer(await client.downloadBlob(path, options), target.name);
}

/** @returns `undefined` where the browser has no picker, or shows it only upon a click of its own. */
async function pickPlace(name: string): Promise<FileSystemFileHandle | undefined> {
  const { showSaveFilePicker } = globalThis as { readonly showSaveFilePicker?: SavePicker };
  if (!showSaveFilePicker) return undefined;
  try {
    return await showSaveFilePicker({ suggestedName: name.replace(/^\.+/, '') || 'file' });
  } catch (error) {
    if (error instanceof DOMException && error.name === 'AbortError')
      throw new ServerError('canceled', 'no place was picked', { cause: error });
    return undefined;
  }
}

/** How long a blob is kept for the browser to write it. */
const KEPT_MS = 60_000;

function offer(blob: Blob, name: string): void {
  const url = URL.createObjectURL(blob);
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), KEPT_MS);
}
