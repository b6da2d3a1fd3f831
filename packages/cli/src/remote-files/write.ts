import { ClientError, type RemoteFile } from '@sluice/client';
import type { Invocation } from '../command.js';
import type { writeOptions } from '../commands/write.js';
import { ExitCode } from '../exit-code.js';
import { Interruption } from '../interruption.js';
import { formatBytes, formatRate } from '../options/quantities.js';
import { locationText } from '../remote-location.js';
import { ServerConnections } from '../server-connections.js';
import { stdout } from '../terminal/standard-streams.js';
import { escapeControls } from '../terminal/terminal-text.js';
import { fileOperand, openingFailure } from './file-operand.js';

/** `sluice write`. */
export async function write({ operands, options }: Invocation<typeof writeOptions>): Promise<number> {
  const { endpoint, path } = fileOperand('write', operands);
  const { offset } = options;
  using interruption = new Interruption('interrupted: a part may be written');
  const { signal } = interruption;
  await using servers = new ServerConnections({ values: options, signal });
  try {
    const client = await servers.to(endpoint);
    const startedMs = performance.now();
    const file = await client.openRemoteFile(path, { mode: 'write', signal }).catch(async (error) => {
      throw await openingFailure(error, client, path, signal);
    });
    let bytes: number;
    let size: number;
    let isSynced: boolean;
    try {
      bytes = await copyInto(file, offset, signal);
      if (options.truncate) await file.truncate(offset + bytes, { signal });
      isSynced = await syncIfPossible(file, signal);
      ({ size } = await file.stat({ signal }));
    } finally {
      await file.close().catch(() => {}); // what counts has been told
    }
    const seconds = (performance.now() - startedMs) / 1000;
    if (options.json) {
      const target = locationText(endpoint, path);
      const result = { target, offset, bytes, size, synced: isSynced, seconds: Math.round(seconds * 1e6) / 1e6 };
      stdout.write(`${JSON.stringify({ event: 'done', ...result })}\n`);
    } else if (!options.quiet) {
      const parts = [escapeControls(path), `${formatBytes(bytes)} written at ${offset}`];
      if (bytes > 0) parts.push(formatRate(bytes / seconds));
      parts.push(isSynced ? 'on the disk' : 'this server cannot tell whether it is on the disk');
      stdout.write(`${parts.join('  ')}\n`);
    }
    return ExitCode.Done;
  } finally {
    process.stdin.destroy(); // what was not read must not keep the process
  }
}

/** @returns how many bytes standard input had */
async function copyInto(file: RemoteFile, offset: number, signal: AbortSignal): Promise<number> {
  const writer = file.writable({ offset, signal }).getWriter();
  writer.closed.catch(() => {}); // each call tells
  let bytes = 0;
  const onAbort = () => process.stdin.destroy();
  signal.addEventListener('abort', onAbort);
  try {
    for await (const chunk of process.stdin as AsyncIterable<Uint8Array>) {
      await writer.write(chunk);
      bytes += chunk.length;
    }
    signal.throwIfAborted();
    await writer.close();
    return bytes;
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

/** @returns whether the server has said that it is on its disk */
async function syncIfPossible(file: RemoteFile, signal: AbortSignal): Promise<boolean> {
  try {
    await file.sync({ signal });
    return true;
  } catch (error) {
    if (error instanceof ClientError && error.code === 'ERR_UNSUPPORTED') return false;
    throw error;
  }
}
