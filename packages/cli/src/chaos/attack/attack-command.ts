import { setTimeout as pause } from 'node:timers/promises';
import type { Invocation } from '../../command.js';
import { CommandError, usageError } from '../../command-error.js';
import type { chaosOptions } from '../../commands/chaos.js';
import { ExitCode } from '../../exit-code.js';
import { Interruption } from '../../interruption.js';
import { addressText } from '../../options/address.js';
import type { Address } from '../../options/option-table.js';
import { formatSeconds } from '../../options/quantities.js';
import { messageLine } from '../../terminal/message-line.js';
import { stderr, stdout } from '../../terminal/standard-streams.js';
import { mayOpen } from '../own-descriptors.js';
import { attackedAddress, targetOperand } from '../target.js';
import { measurementLines, probesText, verdictLines } from './attack-lines.js';
import { type AttackOrder, AttackThread } from './attack-thread.js';
import type { DialectName } from './dialects/dialect.js';
import { probeOf } from './probe.js';
import { firstAnswer, type ProbeClient, type ProbeFigures, probeFor } from './probe-series.js';
import { ProcessWatch, processUsage } from './process-watch.js';
import { type SuiteName, suites, suitesIn } from './suites.js';
import { checksOf, type Measurement, type Requirements } from './verdict.js';

/** Of the own descriptors: probes, and what reads about the server. */
const FOR_PROBES = 150;
/** After an attack, before the server is looked at. */
const SETTLE_MS = 500;

type Options = Invocation<typeof chaosOptions>['options'];

/** `sluice chaos attack`. */
export async function attackCommand({ operands, options }: Invocation<typeof chaosOptions>): Promise<ExitCode> {
  const named = targetOperand('attack', operands);
  const wanted = suitesIn(options.suite);
  const request = hexOf('send-hex', options['send-hex']);
  const probe = probeOf(options.probe, request, hexOf('expect-hex', options['expect-hex']));
  const { pid } = options;
  if (pid === undefined && options['max-growth'] !== undefined) throw usageError('--max-growth needs --pid');
  if (pid !== undefined && !processUsage(pid))
    throw usageError(`--pid ${pid} cannot be used: there is no such process`);
  const target = await attackedAddress(named, options['i-own-this-target']);
  const client = { target, probe, intervalMs: options['probe-interval'], timeoutMs: options['probe-timeout'] };
  const tell = (object: object, lines: readonly string[]) =>
    stdout.write(`${options.json ? JSON.stringify(object) : lines.join('\n')}\n`);
  using interruption = new Interruption('interrupted');
  const { signal } = interruption;

  const baseline = await probeFor(client, options.baseline, signal);
  if (baseline.answered === 0) throw unanswered(named, baseline);
  tell({ event: 'baseline', target: addressText(target), probe: options.probe, ...baseline }, [
    `baseline: ${probesText(baseline)}`,
  ]);
  const connections = affordable(options.connections);
  const [passed, failed]: [SuiteName[], SuiteName[]] = [[], []];
  for (const suite of wanted) {
    const order = {
      suite,
      target,
      connections,
      sources: sourcesFor(target, options.sources),
      ...dialectOf(options, request),
    };
    if (!options.json)
      stdout.write(`${suite}: ${suites[suite]}; ${connections} connections, ${formatSeconds(options.seconds)}\n`);
    const { measured, after } = await playAgainst(order, client, baseline, options, signal);
    const checks = checksOf(measured, requirementsOf(options));
    const isPassed = checks.every(({ isMet }) => isMet);
    (isPassed ? passed : failed).push(suite);
    tell({ event: 'result', suite, connections, passed: isPassed, checks, ...measured, after }, [
      ...measurementLines(measured, after),
      ...verdictLines(checks),
    ]);
    if (measured.recoveredMs === undefined) break; // there is nothing left to attack
  }
  const skipped = wanted.slice(passed.length + failed.length);
  tell({ event: 'summary', passed, failed, skipped }, [
    `passed: ${listOf(passed)}; failed: ${listOf(failed)}${skipped.length === 0 ? '' : `; not played: ${listOf(skipped)}`}`,
  ]);
  return failed.length === 0 ? ExitCode.Done : ExitCode.Failed;
}

async function playAgainst(
  order: AttackOrder,
  client: ProbeClient,
  baseline: ProbeFigures,
  options: Options,
  signal: AbortSignal,
): Promise<{ readonly measured: Measurement; readonly after: ProbeFigures | undefined }> {
  const { pid } = options;
  const before = pid === undefined ? undefined : processUsage(pid);
  using watch = pid === undefined ? undefined : new ProcessWatch(pid);
  await using thread = await AttackThread.start(order);
  const during = await probeFor(client, options.seconds * 1000, signal);
  const peak = watch?.peak();
  const attackers = await thread.stop();
  const recoveredMs = await firstAnswer(client, options['recover-within'], signal);
  const after = recoveredMs === undefined ? undefined : await probeFor(client, options.baseline, signal);
  if (pid !== undefined) await pause(SETTLE_MS, undefined, { signal });
  const measured: Measurement = {
    baseline,
    during,
    recoveredMs,
    attackers,
    ...(pid !== undefined && before && peak && { process: { before, peak, after: processUsage(pid) } }),
  };
  return { measured, after };
}

function requirementsOf(options: Options): Requirements {
  return {
    minSuccess: options['min-success'],
    maxP99Ms: options['max-p99'],
    maxSlowdown: options['max-slowdown'],
    recoverWithinMs: options['recover-within'],
    mustEnd: options['must-end'],
    maxGrowthBytes: options['max-growth'],
  };
}

/** Attackers speak what the probe speaks. */
function dialectOf({ probe }: Options, request: Buffer | undefined): { dialect: DialectName; request?: Uint8Array } {
  if (probe === 'sluice-ping') return { dialect: 'sluice' };
  if (probe === 'http') return { dialect: 'http' };
  return { dialect: 'raw', ...(request && { request }) };
}

/** As many as this process may open; says so if that is less than was asked for. */
function affordable(wanted: number): number {
  const most = Math.max(1, mayOpen() - FOR_PROBES);
  if (wanted <= most) return wanted;
  stderr.write(
    `${messageLine(`${most} connections, as this process may not open more: raise its limit (ulimit -n)`)}\n`,
  );
  return most;
}

/** On 127.0.0.0/8 attackers have addresses of their own, and with them ports enough; probes come from 127.0.0.1. */
function sourcesFor({ host }: Address, count: number): string[] {
  if (!host.startsWith('127.')) return [];
  return Array.from({ length: count }, (_, i) => `127.0.0.${i + 2}`);
}

function unanswered(target: Address, { failures }: ProbeFigures): CommandError {
  const reasons = Object.keys(failures).join(', ');
  const text = `${addressText(target)} answers no probe even before an attack (${reasons}): check the address and --probe`;
  return new CommandError(ExitCode.NotConnected, text);
}

/** @throws {CommandError} exit code 2 */
function hexOf(name: string, text: string | undefined): Buffer | undefined {
  if (text === undefined) return undefined;
  if (!/^(?:[\da-f]{2})+$/i.test(text))
    throw usageError(`--${name} cannot be used: give bytes in hexadecimal, like 0d0a`);
  return Buffer.from(text, 'hex');
}

function listOf(names: readonly string[]): string {
  return names.length === 0 ? 'none' : names.join(', ');
}
