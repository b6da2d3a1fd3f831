import type { Invocation } from '../command.js';
import { usageError } from '../command-error.js';
import type { kickOptions } from '../commands/kick.js';
import { ExitCode } from '../exit-code.js';
import { Interruption } from '../interruption.js';
import { stdout } from '../terminal/standard-streams.js';
import { openControl } from './control-connection.js';
import { serverOperand } from './server-operand.js';

/** `sluice kick`. */
export async function kick({ operands, options }: Invocation<typeof kickOptions>): Promise<number> {
  const { endpoint } = serverOperand('kick', operands, 0);
  const { id, user, address, idle, 'dry-run': isDryRun } = options;
  if (id === undefined && user === undefined && address === undefined && idle === undefined)
    throw usageError('kick needs to know which connections: --id N, --user NAME, --address ADDRESS or --idle TIME');
  using interruption = new Interruption();
  const { signal } = interruption;
  await using control = await openControl(endpoint, options, signal);
  const selection = {
    ...(id !== undefined && { id }),
    ...(user !== undefined && { user }),
    ...(address !== undefined && { address }),
    ...(idle !== undefined && { idleMs: idle }),
    isDryRun,
  };
  const count = await control.kick(selection, { signal });
  const connections = count === 1 ? '1 connection' : `${count} connections`;
  stdout.write(isDryRun ? `${connections} would be ended\n` : `${connections} ended\n`);
  return ExitCode.Done;
}
