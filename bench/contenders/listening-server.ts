import path from 'node:path';
import { endChild, startChild } from '../child-processes.js';
import type { RunningServer } from './contender.js';

const READY_DEADLINE_MS = 20_000;
const OUTPUT_LIMIT_CHARS = 10_000;

/**
 * Starts a program that prints `listening on 127.0.0.1:PORT` when it is ready.
 *
 * @param environment beside this process's own
 * @param line that says it, the port in brackets
 *
 * @throws {Error} when it ends or says nothing before the deadline
 */
export async function startListeningServer(
  command: string,
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
  line = /^listening on 127\.0\.0\.1:(\d+)$/m,
): Promise<RunningServer> {
  const child = await startChild(command, args, { env: { ...process.env, ...environment } });
  try {
    const port = await new Promise<number>((resolve, reject) => {
      const fail = (why: string) => reject(new Error(`${path.basename(command)} ${why}: ${child.errorText()}`));
      const timer = setTimeout(() => fail('did not listen in time'), READY_DEADLINE_MS);
      let output = '';
      child.process.stdout?.setEncoding('utf8').on('data', (text: string) => {
        if (output.length < OUTPUT_LIMIT_CHARS) output += text; // later output is read and dropped
        const match = line.exec(output);
        if (match === null) return;
        clearTimeout(timer);
        resolve(Number(match[1]));
      });
      child.process.once('exit', () => fail('ended at once'));
    });
    return { pid: child.pid, port, [Symbol.asyncDispose]: () => endChild(child) };
  } catch (error) {
    await endChild(child);
    throw error;
  }
}
