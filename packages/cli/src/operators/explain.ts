import { writeFile } from 'node:fs/promises';
import type { ClosedConnection, ConnectionExplanation } from '@sluice/client';
import type { Invocation } from '../command.js';
import { usageError } from '../command-error.js';
import type { explainOptions } from '../commands/explain.js';
import { ExitCode } from '../exit-code.js';
import { Interruption } from '../interruption.js';
import { columnsOf, stdout } from '../terminal/standard-streams.js';
import { openControl } from './control-connection.js';
import { closedLines, explanationLines } from './explanation-lines.js';
import { pcapngOf } from './pcapng.js';
import { serverOperand } from './server-operand.js';

/** `sluice explain`. */
export async function explain({ operands, options }: Invocation<typeof explainOptions>): Promise<number> {
  const { endpoint, words } = serverOperand('explain', operands, 1);
  const id = words[0] === undefined ? undefined : requireId(words[0]);
  if (id === undefined && options.pcapng !== undefined) throw usageError('--pcapng needs the ID of a connection');
  using interruption = new Interruption();
  const { signal } = interruption;
  await using control = await openControl(endpoint, options, signal);
  if (id === undefined) {
    const closed = await control.recentlyClosed({ signal });
    const width = stdout.isTTY ? columnsOf(stdout) : Number.POSITIVE_INFINITY;
    stdout.write(asText(options.json ? closed.map(jsonLine) : closedLines(closed, width)));
    return ExitCode.Done;
  }
  const explanation = await control.explain(id, { signal });
  if (options.pcapng !== undefined) await writeFile(options.pcapng, pcapngOf(explanation));
  if (options.json) stdout.write(asText(jsonLines(explanation)));
  else if (options.pcapng === undefined) stdout.write(asText(explanationLines(explanation)));
  return ExitCode.Done;
}

function jsonLines({ connection, lostEvents, events }: ConnectionExplanation): string[] {
  return [jsonLine({ ...connection, lostEvents }), ...events.map(jsonLine)];
}

function jsonLine(value: object | ClosedConnection): string {
  return JSON.stringify(value);
}

function asText(lines: readonly string[]): string {
  return lines.map((line) => `${line}\n`).join('');
}

function requireId(text: string): number {
  const id = Number(text);
  if (!/^\d{1,15}$/.test(text) || id < 1)
    throw usageError(`${text} is no id of a connection: sluice clients shows them`);
  return id;
}
