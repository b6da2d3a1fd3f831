import path from 'node:path';
import { buildCProgram, hasCompiler } from '../c-programs.js';
import { runToEnd, startChild } from '../child-processes.js';
import { buildDirectory } from '../repository.js';
import { CONTENT_DIRECTORY } from '../scratch.js';
import type { ClientRun, RunningServer, Transfer } from './contender.js';

export const loadProgram = hasCompiler ? 'sluice-load (C)' : 'node-load (Node, because there is no C compiler)';

const nodeLoad = [process.execPath, path.join(buildDirectory, 'load', 'node-load.js')];

export type LoadProtocol =
  | { readonly kind: 'http' }
  | { readonly kind: 'sluice'; readonly packetBytes: number; readonly user: string; readonly digest: string };

/**
 * Runs the load program: it connects and logs in, waits at its gate until the clock is started, and transfers.
 *
 * @throws {Error} when an answer is not as expected or the byte count is wrong
 */
export function runLoad(
  server: RunningServer,
  transfer: Transfer,
  protocol: LoadProtocol,
  onStart: () => void,
): Promise<ClientRun> {
  return runLoadOf(loadCommand(), server, transfer, protocol, onStart);
}

/** The same over TLS, by the load program in Node. */
export function runTlsLoad(
  server: RunningServer,
  transfer: Transfer,
  protocol: LoadProtocol,
  onStart: () => void,
): Promise<ClientRun> {
  return runLoadOf([...nodeLoad, '--tls'], server, transfer, protocol, onStart);
}

/** The same in Node over TCP, and by way of the gateway, with the port of HTTP. */
export function runNodeLoad(
  server: RunningServer,
  transfer: Transfer,
  protocol: LoadProtocol,
  onStart: () => void,
  isByGateway: boolean,
): Promise<ClientRun> {
  return runLoadOf([...nodeLoad, ...(isByGateway ? ['--gateway'] : [])], server, transfer, protocol, onStart);
}

function runLoadOf(
  command: readonly string[],
  server: RunningServer,
  transfer: Transfer,
  protocol: LoadProtocol,
  onStart: () => void,
): Promise<ClientRun> {
  const { direction, connections, bytes } = transfer;
  const args = [direction === 'upload' ? 'put' : 'get', '--gate'];
  const option = (name: string, value: string | number) => args.push(`--${name}`, String(value));
  option('port', server.port);
  option('dir', CONTENT_DIRECTORY);
  option('name', transfer.name);
  option('bytes', bytes / connections);
  option('connections', connections);
  option('deadline-seconds', Math.ceil(transfer.deadlineMs / 1000));
  if (direction === 'upload') option('file', transfer.sourceFile);
  else option('out', path.join(transfer.fetchedDirectory, transfer.name));
  if (protocol.kind === 'http') {
    args.push('--http');
  } else {
    option('packet', protocol.packetBytes);
    option('user', protocol.user);
    option('digest', protocol.digest);
  }

  return runGated([...command, ...args], bytes, transfer.deadlineMs, onStart);
}

/**
 * Runs a program that moves bytes, as `runProgram` does.
 *
 * @param bytes what it must have moved
 * @throws {Error} as `runLoad`
 */
export async function runGated(
  command: readonly string[],
  bytes: number,
  deadlineMs: number,
  onStart: () => void,
): Promise<ClientRun> {
  const report = await runProgram(command, deadlineMs, onStart);
  if (!isLoadReport(report)) throw new Error(`the load program printed ${JSON.stringify(report)}`);
  if (report.bytes !== bytes) throw new Error(`the load program moved ${report.bytes} bytes, expected ${bytes}`);
  return report;
}

/**
 * Runs a program that prints `ready`, waits for a line, does its work, and prints a line of JSON, which is returned.
 *
 * @param onStart called at `ready`; the program goes on when it is done
 * @throws {Error} when it ends otherwise
 */
export async function runProgram(
  [command, ...args]: readonly string[],
  deadlineMs: number,
  onStart: () => void | Promise<void>,
): Promise<unknown> {
  const child = await startChild(command!, args);
  let started: Promise<void> | undefined;
  const goOn = () => child.process.stdin?.end('go\n');
  const output = await runToEnd(child, deadlineMs, (line) => {
    if (line !== 'ready') return;
    const isWaiting = onStart();
    if (isWaiting === undefined) goOn();
    else started = isWaiting.finally(goOn);
  });
  await started;
  return JSON.parse(output.slice(output.indexOf('{')));
}

function loadCommand(): string[] {
  if (hasCompiler) return [buildCProgram('sluice-load')];
  return nodeLoad;
}

function isLoadReport(report: unknown): report is Required<ClientRun> & { bytes: number } {
  const fields = report as Record<string, unknown> | null;
  return ['bytes', 'seconds', 'cpuSeconds', 'setupSeconds'].every((name) => typeof fields?.[name] === 'number');
}
