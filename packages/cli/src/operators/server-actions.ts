import type { ControlClient } from '@sluice/client';
import type { Invocation } from '../command.js';
import { usageError } from '../command-error.js';
import type { drainOptions, serverOptions } from '../commands/server-commands.js';
import { ExitCode } from '../exit-code.js';
import { Interruption } from '../interruption.js';
import { messageLine } from '../terminal/message-line.js';
import { stderr, stdout } from '../terminal/standard-streams.js';
import { escapeControls } from '../terminal/terminal-text.js';
import { openControl } from './control-connection.js';
import { serverOperand } from './server-operand.js';

type ServerInvocation = Invocation<typeof serverOptions>;

/** `sluice drain`. */
export async function drain({ operands, options }: Invocation<typeof drainOptions>): Promise<number> {
  const { endpoint } = serverOperand('drain', operands, 0);
  const { grace } = options;
  return await onServer(endpoint, options, async (control, signal) => {
    await control.drain({ signal, ...(grace !== undefined && { graceMs: grace }) });
    stdout.write('the server accepts no more connections, and ends when its transfers have\n');
    return ExitCode.Done;
  });
}

/** `sluice reload`. */
export async function reload({ operands, options }: ServerInvocation): Promise<number> {
  const { endpoint } = serverOperand('reload', operands, 0);
  return await onServer(endpoint, options, async (control, signal) => {
    const results = await control.reload({ signal });
    if (results.length === 0)
      stdout.write('nothing to reload: users come from the command line, and there is no TLS\n');
    for (const { name, isOk, message } of results) {
      if (isOk) stdout.write(`${escapeControls(name)} reloaded\n`);
      else stderr.write(`${messageLine(`${name} not reloaded: ${message}`)}\n`);
    }
    return results.every(({ isOk }) => isOk) ? ExitCode.Done : ExitCode.Failed;
  });
}

/** `sluice read-only`. */
export async function readOnly({ operands, options }: ServerInvocation): Promise<number> {
  const { endpoint, words } = serverOperand('read-only', operands, 1);
  const value = choiceOf('read-only', words[0], ['on', 'off']);
  return await onServer(endpoint, options, async (control, signal) => {
    const isOn = await control.readOnly(value === undefined ? undefined : value === 'on', { signal });
    stdout.write(`read-only is ${isOn ? 'on' : 'off'}\n`);
    return ExitCode.Done;
  });
}

/** `sluice log-level`. */
export async function logLevel({ operands, options }: ServerInvocation): Promise<number> {
  const { endpoint, words } = serverOperand('log-level', operands, 1);
  const level = choiceOf('log-level', words[0], ['error', 'warn', 'info', 'debug']);
  return await onServer(endpoint, options, async (control, signal) => {
    stdout.write(`log level is ${escapeControls(await control.logLevel(level, { signal }))}\n`);
    return ExitCode.Done;
  });
}

function choiceOf(command: string, word: string | undefined, choices: readonly string[]): string | undefined {
  if (word === undefined || choices.includes(word)) return word;
  throw usageError(`${command} ${word} cannot be used: give ${choices.join(', ')}`);
}

async function onServer(
  endpoint: ReturnType<typeof serverOperand>['endpoint'],
  options: ServerInvocation['options'],
  act: (control: ControlClient, signal: AbortSignal) => Promise<number>,
): Promise<number> {
  using interruption = new Interruption();
  await using control = await openControl(endpoint, options, interruption.signal);
  return await act(control, interruption.signal);
}
