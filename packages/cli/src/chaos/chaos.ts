import type { Invocation } from '../command.js';
import { usageError } from '../command-error.js';
import type { chaosOptions } from '../commands/chaos.js';
import type { ExitCode } from '../exit-code.js';

/** `sluice chaos`. */
export async function chaos(invocation: Invocation<typeof chaosOptions>): Promise<ExitCode> {
  const [action, ...operands] = invocation.operands;
  if (action !== 'proxy') throw usageError('write sluice chaos proxy TARGET');
  const { proxyCommand } = await import('./proxy/proxy-command.js');
  return await proxyCommand({ ...invocation, operands });
}
