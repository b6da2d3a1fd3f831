import type { Invocation } from '../command.js';
import type { clientsOptions } from '../commands/clients.js';
import { ExitCode } from '../exit-code.js';
import { Interruption } from '../interruption.js';
import { columnsOf, stdout } from '../terminal/standard-streams.js';
import { tableLines } from '../terminal/table.js';
import { clientColumns, sortClients } from './client-columns.js';
import { openControl } from './control-connection.js';
import { serverOperand } from './server-operand.js';

/** `sluice clients`. */
export async function clients({ operands, options }: Invocation<typeof clientsOptions>): Promise<number> {
  const { endpoint } = serverOperand('clients', operands, 0);
  using interruption = new Interruption();
  const { signal } = interruption;
  await using control = await openControl(endpoint, options, signal);
  const all = await control.list({ signal });
  const chosen = sortClients(
    all.filter(
      ({ user, protocol }) =>
        (options.user === undefined || user === options.user) &&
        (options.protocol === undefined || protocol.toLowerCase() === options.protocol.toLowerCase()),
    ),
    options.sort,
  );
  if (options.json) {
    stdout.write(chosen.map((client) => `${JSON.stringify(client)}\n`).join(''));
    return ExitCode.Done;
  }
  const width = stdout.isTTY ? columnsOf(stdout) : Number.POSITIVE_INFINITY;
  stdout.write(`${tableLines(clientColumns(Date.now()), chosen, { width }).join('\n')}\n`);
  return ExitCode.Done;
}
