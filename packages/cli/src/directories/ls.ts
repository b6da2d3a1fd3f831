import type { Invocation } from '../command.js';
import { CommandError, usageError } from '../command-error.js';
import type { lsOptions } from '../commands/ls.js';
import { environment } from '../environment.js';
import { ExitCode } from '../exit-code.js';
import { Interruption } from '../interruption.js';
import { formatBytes } from '../options/quantities.js';
import { Outcome } from '../outcome.js';
import { findEntry, listIfDirectory } from '../remote-answer.js';
import { type RemoteLocation, RemoteNames, remoteName } from '../remote-location.js';
import { ServerConnections } from '../server-connections.js';
import { messageLine } from '../terminal/message-line.js';
import { stderr, stdout } from '../terminal/standard-streams.js';
import { escapeControls } from '../terminal/terminal-text.js';
import { type RemoteEntry, type RemoteTree, readRemoteTree } from '../transfers/remote-tree.js';

type LsInvocation = Invocation<typeof lsOptions>;

/** Directories that `-r` lists at once. */
const PARALLEL = 4;

/** `sluice ls`. */
export async function ls({ operands, options }: LsInvocation): Promise<number> {
  if (operands.length > 1) throw usageError('ls takes one directory: call it once for each');
  const names = new RemoteNames(environment.url);
  const location = operands[0] === undefined ? names.base() : names.resolve(operands[0]);
  using interruption = new Interruption();
  const { signal } = interruption;
  await using servers = new ServerConnections({ values: options, signal, maxConnections: PARALLEL });
  const client = await servers.to(location.endpoint);
  const firstLevel = await listIfDirectory(client, location.path, signal);
  if (!firstLevel) {
    const entry = location.isDirectory ? undefined : await findEntry(client, location.path, signal);
    if (!entry) throw missing(location);
    print([{ ...entry, relative: remoteName(location.path) }], options);
    return ExitCode.Done;
  }
  if (!options.recursive) {
    print(
      firstLevel.map((entry) => ({ ...entry, relative: entry.name })),
      options,
    );
    return ExitCode.Done;
  }
  const tree = await readRemoteTree(client, location.path, signal);
  print(tree.entries, options);
  return reportObstacles(tree);
}

function print(entries: readonly RemoteEntry[], { json, long, human }: LsInvocation['options']): void {
  if (json) {
    const lines = entries.map(({ relative, kind, size }) => `${JSON.stringify({ name: relative, kind, size })}\n`);
    stdout.write(lines.join(''));
    return;
  }
  const sizes = entries.map(({ size }) => (size === undefined ? '-' : human ? formatBytes(size) : String(size)));
  const sizeWidth = sizes.reduce((widest, { length }) => Math.max(widest, length), 0);
  const lines = entries.map(({ relative, kind }, index) => {
    const name = `${escapeControls(relative)}${kind === 'directory' ? '/' : ''}`;
    return long || human ? `${(sizes[index] ?? '').padStart(sizeWidth)}  ${name}\n` : `${name}\n`;
  });
  stdout.write(lines.join(''));
}

function reportObstacles({ refused, failed }: RemoteTree): number {
  const outcome = new Outcome();
  outcome.addDone(); // the directory itself
  for (const { relative } of refused) {
    outcome.addRefusal();
    stderr.write(`${messageLine(`skipped ${relative}: not a name that can be listed further`)}\n`);
  }
  for (const { relative, error } of failed) {
    outcome.addFailure(ExitCode.Failed);
    stderr.write(`${messageLine(`${relative}: ${error.message}`)}\n`);
  }
  return outcome.exitCode;
}

function missing({ path }: RemoteLocation): CommandError {
  return new CommandError(ExitCode.Failed, `${path} does not exist on the server`);
}
