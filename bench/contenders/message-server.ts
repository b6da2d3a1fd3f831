import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { buildCProgram, hasCompiler } from '../c-programs.js';
import { buildDirectory } from '../repository.js';
import type { RunningServer } from './contender.js';
import { startListeningServer } from './listening-server.js';
import { command, serveArguments, unavailable } from './sluice.js';

/** A server that answers CyclePacket. */
export interface MessageServer {
  readonly name: string;
  readonly description: string;
  readonly unavailable?: string;
  start(): Promise<RunningServer>;
}

/** What the kernel allows. */
export const limitMessages: MessageServer = {
  name: 'limit',
  description: 'C epoll server, one write for the answers of each read (load/limit-messages.c)',
  ...(hasCompiler ? {} : { unavailable: 'no C compiler (cc)' }),
  start: () => startListeningServer(buildCProgram('limit-messages'), []),
};

/** What the same Node does without us. */
export const plainNet: MessageServer = {
  name: 'plain-net',
  description: 'Node net server, one write for the answers of each chunk (rivals/plain-net.ts)',
  start: () => startListeningServer(process.execPath, [path.join(buildDirectory, 'rivals', 'plain-net.js')]),
};

export const sluiceMessages: MessageServer = {
  name: 'sluice',
  description: 'sluice serve with its defaults',
  ...unavailable,
  start: () => startSluiceWith([]),
};

/** @param options beside those of `serveArguments` */
export function startSluiceWith(options: readonly string[]): Promise<RunningServer> {
  return startInEmptyRoot((root) => startListeningServer(command, [...serveArguments(root), ...options]));
}

/** Starts a server with a root of its own, which goes when the server has ended. */
export async function startInEmptyRoot(start: (root: string) => Promise<RunningServer>): Promise<RunningServer> {
  const root = mkdtempSync(path.join(os.tmpdir(), 'sluice-bench-root-'));
  const remove = () => rmSync(root, { recursive: true, force: true });
  try {
    const server = await start(root);
    return {
      pid: server.pid,
      port: server.port,
      [Symbol.asyncDispose]: async () => {
        await server[Symbol.asyncDispose]();
        remove();
      },
    };
  } catch (error) {
    remove();
    throw error;
  }
}

/** In the order of the table. */
export const MESSAGE_SERVERS: readonly MessageServer[] = [limitMessages, sluiceMessages, plainNet];
