import type { Invocation } from '../../command.js';
import { CommandError, usageError } from '../../command-error.js';
import type { chaosOptions } from '../../commands/chaos.js';
import { systemReason } from '../../configuration/system-reason.js';
import { ExitCode } from '../../exit-code.js';
import { addressText } from '../../options/address.js';
import { stdout } from '../../terminal/standard-streams.js';
import { mayOpen } from '../own-descriptors.js';
import { targetOperand } from '../target.js';
import { ChaosProxy } from './chaos-proxy.js';
import { faultRules } from './fault-rules.js';
import { faultLine, summaryLines } from './proxy-lines.js';

/** `sluice chaos proxy`. Ends with a signal. */
export async function proxyCommand({ operands, options }: Invocation<typeof chaosOptions>): Promise<ExitCode> {
  const target = targetOperand('proxy', operands);
  if (target.port === 0) throw usageError('chaos proxy needs a target with a port: HOST:PORT');
  const seed = options.seed ?? Math.floor(Math.random() * 2 ** 31);
  const startedMs = performance.now();
  const tell = (object: object, lines: readonly string[]) =>
    stdout.write(`${options.json ? JSON.stringify(object) : lines.join('\n')}\n`);
  const proxy = await ChaosProxy.start({
    listen: options.listen,
    target,
    rules: faultRules(options),
    seed,
    reorder: options.reorder ?? 0,
    reorderWaitMs: options['reorder-wait'],
    maxConnections: Math.floor(mayOpen() / 2),
    onFault: (connection, fault) => tell({ event: 'fault', connection, ...fault }, [faultLine(connection, fault)]),
    onUnreachable: (connection, error) => {
      const message = systemReason(error);
      tell({ event: 'unreachable', connection, message }, [`connection ${connection}: target not reached: ${message}`]);
    },
    onRefused: () => tell({ event: 'refused' }, ['a connection was closed: too many are open']),
  }).catch((error: unknown) => {
    throw new CommandError(ExitCode.Failed, `cannot listen on ${addressText(options.listen)}: ${systemReason(error)}`);
  });
  const [address, targetText] = [addressText(proxy.address), addressText(target)];
  tell({ event: 'listening', address, target: targetText, seed }, [
    `listening on ${address}`,
    `passing on to ${targetText}, seed ${seed}`,
  ]);
  await endSignal();
  const { figures } = proxy;
  await proxy[Symbol.asyncDispose]();
  const seconds = (performance.now() - startedMs) / 1000;
  tell({ event: 'summary', seconds, seed, ...figures }, summaryLines(figures, seconds));
  return ExitCode.Done;
}

/** How a proxy is meant to end: there is nothing that an interruption breaks off. */
function endSignal(): Promise<void> {
  return new Promise((resolve) => {
    for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(name, () => resolve());
  });
}
