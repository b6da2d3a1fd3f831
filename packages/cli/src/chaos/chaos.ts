import type { Invocation } from '../command.js';
import { usageError } from '../command-error.js';
import { attackOptions, type chaosOptions, proxyOptions } from '../commands/chaos.js';
import type { ExitCode } from '../exit-code.js';

/** `sluice chaos`. */
export async function chaos(invocation: Invocation<typeof chaosOptions>): Promise<ExitCode> {
  const [action, ...operands] = invocation.operands;
  if (action === 'proxy') {
    refuse(invocation.given, attackOptions, 'attack');
    const { proxyCommand } = await import('./proxy/proxy-command.js');
    return await proxyCommand({ ...invocation, operands });
  }
  if (action === 'attack') {
    refuse(invocation.given, proxyOptions, 'proxy');
    const { attackCommand } = await import('./attack/attack-command.js');
    return await attackCommand({ ...invocation, operands });
  }
  throw usageError('write sluice chaos proxy HOST:PORT, or sluice chaos attack HOST:PORT');
}

/** Options of the other action mean that something was mistaken. @throws {CommandError} exit code 2 */
function refuse(given: ReadonlySet<string>, others: object, action: string): void {
  const foreign = [...given].find((name) => name in others);
  if (foreign !== undefined) throw usageError(`--${foreign} is an option of sluice chaos ${action}`);
}
