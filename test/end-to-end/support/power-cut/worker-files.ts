import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import type { Power } from './power.js';

/** What a thread may ask the main one to do; what is not here is not covered in threads. */
const FUNCTIONS = [
  'closeSync',
  'fdatasyncSync',
  'fsyncSync',
  'ftruncateSync',
  'linkSync',
  'mkdirSync',
  'openSync',
  'renameSync',
  'rmdirSync',
  'symlinkSync',
  'unlinkSync',
  'writeSync',
  'writevSync',
] as const;
type FunctionName = (typeof FUNCTIONS)[number];

const NOT_COVERED = ['open', 'rename', 'link', 'unlink', 'mkdir', 'rmdir', 'rm', 'writeFile', 'appendFile', 'truncate'];
const CHANNEL = 'power-cut';
const ANSWER_BYTES = 4096;
/** State of an answer: in front of it, its length in bytes. */
const ANSWER_HEAD_BYTES = 8;

interface Question {
  readonly name: FunctionName;
  readonly args: unknown[];
  readonly answer: SharedArrayBuffer;
}

interface Answer {
  readonly result?: unknown;
  readonly error?: { readonly message: string; readonly code?: string; readonly syscall?: string };
}

/** In the main thread: does with its own functions, which are wrapped, what other threads ask for. Descriptors are the same in all threads. */
export function answerThreads(power: Power): void {
  const channel = new BroadcastChannel(CHANNEL);
  channel.onmessage = (event) => {
    const { name, args, answer } = (event as unknown as { data: Question }).data;
    const text = JSON.stringify(outcomeOf(name, args));
    if (power.isCut) return; // so the thread waits for ever
    const bytes = Buffer.from(answer, ANSWER_HEAD_BYTES);
    const head = new Int32Array(answer, 0, 2);
    head[1] = bytes.write(text);
    Atomics.store(head, 0, 1);
    Atomics.notify(head, 0);
  };
  (channel as unknown as { unref(): void }).unref();
}

function outcomeOf(name: FunctionName, args: unknown[]): Answer {
  try {
    return { result: (fs[name] as (...args: unknown[]) => unknown)(...args) };
  } catch (error) {
    const { message, code, syscall } = error as NodeJS.ErrnoException;
    return { error: { message, ...(code && { code }), ...(syscall && { syscall }) } };
  }
}

/** In another thread: has the main one do what changes files, so that all is known in one place and in one order. */
export function askMainThread(): void {
  const channel = new BroadcastChannel(CHANNEL);
  (channel as unknown as { unref(): void }).unref();
  const functions = FUNCTIONS.map((name) => [name, (...args: unknown[]) => ask(channel, name, args)] as const);
  Object.assign(fs, Object.fromEntries(functions));
  for (const name of NOT_COVERED) {
    const refuse = () => {
      throw new Error(`fs.${name} in a thread is not covered by the power cut: add it to worker-files.ts`);
    };
    Object.assign(fs, { [name]: refuse });
    Object.assign(fs.promises, { [name]: refuse });
  }
  syncBuiltinESMExports();
}

function ask(channel: InstanceType<typeof BroadcastChannel>, name: FunctionName, args: unknown[]): unknown {
  const answer = new SharedArrayBuffer(ANSWER_BYTES);
  const head = new Int32Array(answer, 0, 2);
  channel.postMessage({ name, args: args.map(sent), answer } satisfies Question);
  Atomics.wait(head, 0, 0);
  const text = Buffer.from(Buffer.from(answer, ANSWER_HEAD_BYTES, head[1])).toString();
  const { result, error } = JSON.parse(text) as Answer;
  if (error) throw Object.assign(new Error(error.message), error);
  return result;
}

/** Bytes alone, not all that lies in the same memory. */
function sent(argument: unknown): unknown {
  if (Array.isArray(argument)) return argument.map(sent);
  return ArrayBuffer.isView(argument)
    ? Uint8Array.from(new Uint8Array(argument.buffer, argument.byteOffset, argument.byteLength))
    : argument;
}
