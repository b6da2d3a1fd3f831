import { connect } from 'node:net';
import { usageError } from '../../command-error.js';
import type { Address } from '../../options/option-table.js';
import { httpDialect } from './dialects/http-dialect.js';
import { ACTIVE_EXCHANGE } from './dialects/sluice-dialect.js';

/** What a well-behaved client does. */
export interface Probe {
  /** Sent at once; nothing if it only connects. */
  readonly request: Buffer | undefined;
  /** @returns whether it is the answer, or `undefined` as long as it may become that */
  isAnswer(received: Buffer): boolean | undefined;
}

export const PROBES = ['connect', 'exchange', 'sluice-ping', 'http'] as const;

export type ProbeName = (typeof PROBES)[number];

/** A connection that the server ends within this time, without a word, was not accepted. */
const LINGER_MS = 50;
/** Longer answers are no answers. */
const MAX_ANSWER_BYTES = 1 << 20;

/** @param expected what the answer of `exchange` begins with; any byte will do without it @throws {CommandError} exit code 2 */
export function probeOf(name: ProbeName, request: Buffer | undefined, expected: Buffer | undefined): Probe {
  if (name !== 'exchange' && (request ?? expected) !== undefined && name !== 'connect')
    throw usageError(`--send-hex and --expect-hex are for --probe exchange and connect, not for ${name}`);
  switch (name) {
    case 'connect':
      return { request: undefined, isAnswer: () => true };
    case 'exchange':
      if (!request) throw usageError('--probe exchange needs --send-hex, what is sent');
      return { request, isAnswer: (received) => beginsWith(received, expected ?? Buffer.alloc(0)) };
    case 'sluice-ping':
      return { request: ACTIVE_EXCHANGE, isAnswer: isActiveAnswer };
    case 'http':
      return { request: httpDialect.request, isAnswer: isHttpAnswer };
  }
}

/** @returns milliseconds until the answer, connecting included @throws {Error} why there was none, in a few words */
export function runProbe(target: Address, { request, isAnswer }: Probe, timeoutMs: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const startedMs = performance.now();
    const socket = connect({ ...target, noDelay: true });
    let received: Buffer = Buffer.alloc(0);
    let latencyMs: number | undefined;
    let timer = setTimeout(() => finish('no answer in time'), timeoutMs);
    const finish = (failure?: string) => {
      clearTimeout(timer);
      socket.destroy();
      if (failure === undefined && latencyMs !== undefined) resolve(latencyMs);
      else reject(new Error(failure));
    };
    socket.once('connect', () => {
      if (request) {
        socket.write(request);
        return;
      }
      latencyMs = performance.now() - startedMs;
      clearTimeout(timer);
      timer = setTimeout(finish, LINGER_MS);
    });
    socket.on('data', (chunk: Buffer) => {
      if (!request) return finish();
      received = Buffer.concat([received, chunk]);
      const isIt = isAnswer(received);
      if (isIt === undefined && received.length <= MAX_ANSWER_BYTES) return;
      latencyMs = performance.now() - startedMs;
      finish(isIt ? undefined : 'another answer');
    });
    socket.once('end', () => finish('closed without an answer'));
    socket.once('error', (error: NodeJS.ErrnoException) => finish(error.code ?? 'broken'));
    socket.once('close', () => finish('closed without an answer'));
  });
}

function beginsWith(received: Buffer, expected: Buffer): boolean | undefined {
  const length = Math.min(received.length, expected.length);
  if (!received.subarray(0, length).equals(expected.subarray(0, length))) return false;
  return received.length >= expected.length ? true : undefined;
}

function isActiveAnswer(received: Buffer): boolean | undefined {
  if (received.length < 8 || received.length < 4 + received.readUInt32LE(0)) return undefined;
  return /^Command=Active\r?$/im.test(received.toString('latin1')) && /^Code=0\r?$/im.test(received.toString('latin1'));
}

/** A server that answers with 5xx is there, but does not serve. */
function isHttpAnswer(received: Buffer): boolean | undefined {
  const line = received.toString('latin1', 0, 64);
  if (line.length < 13 && !line.includes('\n')) return undefined;
  return /^HTTP\/1\.[01] [1-4]\d\d/.test(line);
}
