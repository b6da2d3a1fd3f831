import { measureSpeed, type SpeedResult } from '@sluice/client';
import type { Invocation } from '../command.js';
import { usageError } from '../command-error.js';
import type { speedOptions } from '../commands/speed.js';
import { environment } from '../environment.js';
import { ExitCode } from '../exit-code.js';
import { Interruption } from '../interruption.js';
import { serverOperand } from '../operators/server-operand.js';
import { addressText } from '../options/address.js';
import { formatSeconds } from '../options/quantities.js';
import { connectOptionsOf } from '../server-connections.js';
import { messageLine } from '../terminal/message-line.js';
import { columnsOf, stderr, stdout } from '../terminal/standard-streams.js';
import { IntervalLines } from './interval-lines.js';
import type { SpeedLayout } from './speed-layout.js';
import { summaryLines } from './summary-lines.js';

/** Below this share of its time, a measurement has not ended by itself. */
const ENDED_EARLY = 0.9;

type Direction = SpeedResult['direction'];

/** `sluice speed`. */
export async function speed({ operands, options }: Invocation<typeof speedOptions>): Promise<number> {
  const { endpoint } = serverOperand('speed', operands, 0);
  const directions = directionsOf(options);
  const connectOptions = connectOptionsOf(
    { ...options, login: undefined, retries: 0, 'password-file': undefined },
    endpoint,
  );
  using interruption = new Interruption('interrupted');
  const { signal } = interruption;
  const { streams, seconds } = options;
  const results: SpeedResult[] = [];
  for (const direction of directions) {
    const view = options.json ? undefined : new IntervalLines(direction, layoutOfStdout());
    if (view) write(view.head({ address: addressText(endpoint), streams, seconds }));
    const result = await measureSpeed(endpoint, {
      ...connectOptions,
      direction,
      streams,
      seconds,
      signal,
      onInterval: (interval) =>
        write(view ? [view.line(interval)] : [JSON.stringify({ event: 'interval', direction, ...interval })]),
    });
    results.push(result);
    const { intervals: _, ...totals } = result;
    if (view) write(['']);
    else write([JSON.stringify({ event: 'result', ...totals })]);
    if (result.method === 'cycle-packet') break; // the other way round it would be the same
  }
  explain(results, seconds);
  if (!options.json) write(summaryLines(results, layoutOfStdout()));
  return ExitCode.Done;
}

/** @throws {CommandError} exit code 2 for more than one of the three */
function directionsOf({ up, down, both }: Invocation<typeof speedOptions>['options']): readonly Direction[] {
  const given: Direction[] = [...(up ? ['up' as const] : []), ...(down ? ['down' as const] : [])];
  if (both) given.push('both');
  if (given.length > 1) throw usageError(`give one of --${given.join(' and --')}, or none for one way after the other`);
  return given.length === 1 ? given : ['down', 'up'];
}

/** In what the measurements are other than they were asked for. */
function explain(results: readonly SpeedResult[], askedSeconds: number): void {
  const texts = new Set<string>();
  for (const { method, grantedSeconds, seconds } of results) {
    if (method === 'cycle-packet')
      texts.add(
        'this server is an original, or has measurements switched off: packets were sent and came back, so both directions are one',
      );
    if (grantedSeconds < askedSeconds) texts.add(`this server measures for ${formatSeconds(grantedSeconds)} at most`);
    if (seconds < grantedSeconds * ENDED_EARLY) texts.add(`the server has ended this after ${formatSeconds(seconds)}`);
  }
  for (const text of texts) stderr.write(`${messageLine(text)}\n`);
}

function layoutOfStdout(): SpeedLayout {
  return {
    columns: columnsOf(stdout),
    hasBars: stdout.isTTY === true,
    hasColours: stdout.isTTY === true && environment.wantsColours,
  };
}

function write(lines: readonly string[]): void {
  stdout.write(`${lines.join('\n')}\n`);
}
