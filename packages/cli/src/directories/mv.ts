import { ClientError, type SluiceClient } from '@sluice/client';
import type { Invocation } from '../command.js';
import { CommandError, usageError } from '../command-error.js';
import type { mvOptions } from '../commands/mv.js';
import { environment } from '../environment.js';
import { ExitCode } from '../exit-code.js';
import { Interruption } from '../interruption.js';
import { isBadName } from '../remote-answer.js';
import { joinRemote, type RemoteLocation, RemoteNames, remoteName } from '../remote-location.js';
import { ServerConnections } from '../server-connections.js';

/** `sluice mv`. */
export async function mv({ operands, options }: Invocation<typeof mvOptions>): Promise<number> {
  const [first, second, ...others] = operands;
  if (first === undefined || second === undefined || others.length > 0)
    throw usageError('mv takes what is to be renamed, and its new name');
  const names = new RemoteNames(environment.url);
  const [source, target] = [names.resolve(first), names.resolve(second)];
  if (source.path === '') throw usageError(`${first || '""'} is the root of the server: name something in it`);
  if (!isSameServer(source, target)) throw usageError('mv stays on one server: copy with sluice get and sluice put');
  const newPath = target.isDirectory ? joinRemote(target.path, remoteName(source.path)) : target.path;
  if (newPath === source.path) throw usageError(`${source.path} has that name already`);
  using interruption = new Interruption();
  const { signal } = interruption;
  await using servers = new ServerConnections({ values: options, signal });
  const client = await servers.to(source.endpoint);
  try {
    await client.rename(source.path, newPath, { signal, ifExists: options.force ? 'replace' : 'fail' });
  } catch (error) {
    signal.throwIfAborted();
    const isTaken = error instanceof ClientError && error.code === 'ERR_EXISTS';
    if (!isTaken && !isBadName(error)) throw error;
    const isDirectory = await holdsDirectory(client, newPath, signal);
    if (!isTaken && !isDirectory) throw error;
    throw new CommandError(ExitCode.Failed, takenText(newPath, isDirectory), { cause: error });
  }
  return ExitCode.Done;
}

function isSameServer({ endpoint: one }: RemoteLocation, { endpoint: other }: RemoteLocation): boolean {
  return one.host === other.host && one.port === other.port && one.userName === other.userName;
}

async function holdsDirectory(client: SluiceClient, path: string, signal: AbortSignal): Promise<boolean> {
  try {
    return (await client.stat(path, { signal })).kind === 'directory';
  } catch {
    signal.throwIfAborted();
    return false; // what was in the way is gone, or cannot be asked for
  }
}

function takenText(path: string, isDirectory: boolean): string {
  return isDirectory
    ? `${path} is a directory, which is not replaced: to move into it, write it with a / at its end`
    : `${path} exists: a file replaces a file with --force`;
}
