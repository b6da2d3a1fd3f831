import {
  ClientError,
  type ControlClient,
  type FollowLogOptions,
  type LogBatch,
  type LogRecord,
  readLogOutput,
} from '@sluice/client';
import type { Invocation } from '../command.js';
import { usageError } from '../command-error.js';
import type { logsOptions } from '../commands/logs.js';
import { environment } from '../environment.js';
import { ExitCode } from '../exit-code.js';
import { Interruption } from '../interruption.js';
import { parseDuration } from '../options/quantities.js';
import { messageLine } from '../terminal/message-line.js';
import { stderr, stdout } from '../terminal/standard-streams.js';
import { escapeControls } from '../terminal/terminal-text.js';
import { openControl } from './control-connection.js';
import { LogCopy } from './log-copy.js';
import { logLine } from './log-line.js';
import { serverOperand } from './server-operand.js';

type LogsOptions = Invocation<typeof logsOptions>['options'];

/** As far back as a server goes. */
const ALL_LINES = 1_000_000;

/** `sluice logs`. */
export async function logs({ operands, options, given }: Invocation<typeof logsOptions>): Promise<number> {
  const { endpoint } = serverOperand('logs', operands, 0);
  if (given.has('since') && given.has('lines')) throw usageError('begin at --since or at --lines, not at both');
  if (given.has('output') && given.has('json'))
    throw usageError('--output writes JSON lines always: leave --json away');
  const since = options.since === undefined ? undefined : timeOf(options.since);
  const isWanted = filterOf(options, since);
  using interruption = new Interruption();
  const { signal } = interruption;
  await using control = await openControl(endpoint, options, signal);
  await using copy = options.output === undefined ? undefined : await LogCopy.open(options.output);
  const request: FollowLogOptions = {
    lines: since === undefined ? options.lines : ALL_LINES,
    level: options.level,
    conditions: options.field,
    follows: options.follow,
    signal,
    ...(copy?.cursor !== undefined && { cursor: copy.cursor }),
  };
  try {
    await follow(control, request, isWanted, copy, options.json);
  } catch (error) {
    if (!(error instanceof ClientError) || error.code !== 'ERR_UNSUPPORTED' || copy) throw error;
    await showLogOutput(endpoint, options, signal);
  }
  return ExitCode.Done;
}

async function follow(
  control: ControlClient,
  request: FollowLogOptions,
  isWanted: (record: LogRecord) => boolean,
  copy: LogCopy | undefined,
  isJson: boolean,
): Promise<void> {
  const hasColours = stdout.isTTY && environment.wantsColours;
  for await (const batch of control.followLog(request)) {
    const records = batch.records.filter(isWanted);
    if (batch.missed !== 0) reportMissed(batch);
    if (copy) await copy.append(copiedLines(batch, records));
    else {
      const lines = records.map((record) => (isJson ? JSON.stringify(record) : logLine(record, hasColours)));
      if (lines.length > 0 && !stdout.write(`${lines.join('\n')}\n`))
        await new Promise((resolve) => stdout.once('drain', resolve));
    }
  }
}

/** Each line has the place behind it, so that a killed copy can go on; so has a gap. */
function copiedLines({ missed, cursor }: LogBatch, records: readonly LogRecord[]): object[] {
  const journal = cursor.slice(0, cursor.indexOf(':'));
  const lines: object[] = records.map((record) => ({ ...record, cursor: `${journal}:${record.seq}` }));
  return missed === 0
    ? lines
    : [{ missed, cursor: `${journal}:${(records[0]?.seq ?? seqOf(cursor) + 1) - 1}` }, ...lines];
}

function seqOf(cursor: string): number {
  return Number(cursor.slice(cursor.indexOf(':') + 1));
}

function reportMissed({ missed }: LogBatch): void {
  const text =
    missed < 0
      ? 'the server has another log now: lines may be missing, nobody can tell how many'
      : `${missed} lines are not kept any more`;
  stderr.write(`${messageLine(text)}\n`);
}

/** @throws {CommandError} exit code 2 for a pattern that is none */
function filterOf({ grep }: LogsOptions, since: number | undefined): (record: LogRecord) => boolean {
  let pattern: RegExp | undefined;
  try {
    if (grep !== undefined) pattern = new RegExp(grep, 'u');
  } catch (error) {
    throw usageError(`--grep ${grep || '""'} cannot be used: ${(error as Error).message}`);
  }
  return (record) =>
    (since === undefined || Date.parse(record.time) >= since) && (!pattern || pattern.test(logLine(record, false)));
}

/** @returns as Date.now @throws {CommandError} exit code 2 */
function timeOf(text: string): number {
  const ago = parseDuration(text);
  if (ago !== undefined) return Date.now() - ago;
  const time = Date.parse(text);
  if (!/^\d{4}-\d\d-\d\d/.test(text) || Number.isNaN(time))
    throw usageError(
      `--since ${text || '""'} cannot be used: give a time like 2026-01-31T12:00:00Z, or 10m for ten minutes ago`,
    );
  return time;
}

/** What an original server has: text, from now on. */
async function showLogOutput(
  endpoint: ReturnType<typeof serverOperand>['endpoint'],
  options: LogsOptions,
  signal: AbortSignal,
): Promise<void> {
  if (!options.follow)
    throw usageError(
      'this server is an original, or keeps no log: it has only lines that are still to come; use --follow',
    );
  let rest = '';
  for await (const text of readLogOutput(endpoint, { connectTimeoutMs: options['connect-timeout'], signal })) {
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    stdout.write(lines.map((line) => `${escapeControls(line.replace(/\r$/, ''))}\n`).join(''));
  }
}
