import { spawn } from 'node:child_process';
import { Turnstile } from '../storage/turnstile.js';
import { type UploadEvent, type UploadEventKind, type UploadHooks, UploadRefused } from './upload-hooks.js';

/** Runs of one program at once. */
const MAX_RUNS = 8;

/** How long one run may take, in milliseconds; then it is killed. */
const TIMEOUT_MS = 30_000;

/** What is read of what a program says, in characters. */
const MAX_OUTPUT_LENGTH = 1000;

/**
 * A program that is told of uploads: the kind of the event is its only argument, the event as JSON its standard input. It is run without a
 * shell. With exit code 0 a `before-upload` allows the upload; with any other the first line that it prints is what the client is told.
 */
export function programHook(program: string, kinds: ReadonlySet<UploadEventKind>): UploadHooks {
  const runs = new Turnstile(MAX_RUNS);
  const tell = async (event: UploadEvent): Promise<void> => {
    const { exitCode, output } = await runs.pass(() => run(program, event));
    if (exitCode !== 0) throw new Error(`${program} ended with ${exitCode ?? 'a signal'}: ${output}`);
  };
  return {
    ...(kinds.has('before-upload') && {
      beforeUpload: async (event: UploadEvent, signal: AbortSignal) => {
        const { exitCode, output } = await runs.pass(() => run(program, event, signal), signal);
        if (exitCode === null) throw new Error(`${program} was ended by a signal`);
        if (exitCode !== 0) throw new UploadRefused(output || 'this upload is not wanted');
      },
    }),
    ...(kinds.has('after-commit') && { afterCommit: tell }),
    ...(kinds.has('upload-failed') && { onFailure: tell }),
  };
}

/** @returns the first line that it printed. @throws the system's error when it cannot be run */
function run(
  program: string,
  event: UploadEvent,
  signal?: AbortSignal,
): Promise<{ readonly exitCode: number | null; readonly output: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, [event.kind], {
      stdio: ['pipe', 'pipe', 'inherit'],
      timeout: TIMEOUT_MS,
      killSignal: 'SIGKILL',
      ...(signal && { signal }),
    });
    let output = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      if (output.length < MAX_OUTPUT_LENGTH) output += text.slice(0, MAX_OUTPUT_LENGTH);
    });
    child.stdin.on('error', () => {}); // it need not read
    child.stdin.end(JSON.stringify(event));
    child.on('error', reject);
    child.on('close', (exitCode) => resolve({ exitCode, output: output.split('\n')[0]?.trim() ?? '' }));
  });
}
