import type { SluiceClient } from '@sluice/client';
import { CommandError, usageError } from '../command-error.js';
import type { clientOptions } from '../commands/client-options.js';
import { environment } from '../environment.js';
import { ExitCode } from '../exit-code.js';
import { describeFailure } from '../failure.js';
import { Interruption } from '../interruption.js';
import type { OptionValues } from '../options/option-table.js';
import { Outcome } from '../outcome.js';
import { type RemoteLocation, RemoteNames } from '../remote-location.js';
import { ServerConnections } from '../server-connections.js';
import { messageLine } from '../terminal/message-line.js';
import { stderr } from '../terminal/standard-streams.js';

export type OperandWork = (client: SluiceClient, location: RemoteLocation, signal: AbortSignal) => Promise<void>;

/** Does the same with every operand, in order. One that fails is reported, and stops none of the others. @returns the exit code */
export async function eachOperand(
  operands: readonly string[],
  values: OptionValues<typeof clientOptions>,
  work: OperandWork,
): Promise<number> {
  const names = new RemoteNames(environment.url);
  const locations = operands.map((operand) => names.resolve(operand));
  if (locations.length === 0)
    throw usageError('nothing named: write sluice://user@host/path, or a path below SLUICE_URL');
  const root = locations.findIndex(({ path }) => path === '');
  if (root >= 0) throw usageError(`${operands[root] || '""'} is the root of the server: name something in it`);
  const outcome = new Outcome();
  using interruption = new Interruption();
  const { signal } = interruption;
  await using servers = new ServerConnections({ values, signal });
  for (const location of locations) {
    try {
      await work(await servers.to(location.endpoint), location, signal);
      outcome.addDone();
    } catch (error) {
      signal.throwIfAborted();
      const failure = describeFailure(error);
      if (failure.concernsAll || failure.exitCode === ExitCode.Usage) throw error;
      outcome.addFailure(failure.exitCode);
      const text = error instanceof CommandError ? failure.message : `${location.path}: ${failure.message}`;
      stderr.write(`${messageLine(text)}\n`);
    }
  }
  return outcome.exitCode;
}
