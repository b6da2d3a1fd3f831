import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { processTree } from './process-usage.js';

const running = new Set<ChildProcess>();
const TERMINATE_DEADLINE_MS = 5000;
const ERROR_TAIL_CHARS = 2000;

/** A started program; its standard error is kept to explain a failure. */
export interface Child {
  readonly process: ChildProcess;
  readonly pid: number;
  /** The end of what it wrote to standard error. */
  errorText(): string;
}

export async function startChild(command: string, args: readonly string[], options: SpawnOptions = {}): Promise<Child> {
  const child = spawn(command, args, { ...options, stdio: ['pipe', 'pipe', 'pipe'] });
  running.add(child);
  child.once('exit', () => running.delete(child));
  child.stdin?.on('error', () => {}); // it may end before it reads; its exit code says so
  let errorText = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    errorText = (errorText + text).slice(-ERROR_TAIL_CHARS);
  });
  try {
    await once(child, 'spawn');
  } catch (cause) {
    running.delete(child);
    throw new Error(`cannot start ${command}`, { cause });
  }
  return { process: child, pid: child.pid!, errorText: () => errorText.trim() };
}

/**
 * Resolves with standard output when the program ends with 0.
 *
 * @param onLine called with each complete line while it runs
 * @throws {Error} on another exit code, and after the deadline, when the program is ended
 */
export async function runToEnd(child: Child, deadlineMs: number, onLine?: (line: string) => void): Promise<string> {
  let output = '';
  let lineStart = 0;
  child.process.stdout?.setEncoding('utf8').on('data', (text: string) => {
    output += text;
    for (let end = output.indexOf('\n', lineStart); end >= 0; end = output.indexOf('\n', lineStart)) {
      const line = output.slice(lineStart, end);
      lineStart = end + 1;
      onLine?.(line);
    }
  });
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    killTree(child.process);
  }, deadlineMs);
  try {
    const [code, signal] = await once(child.process, 'close');
    if (isLate) throw new Error(`${path.basename(child.process.spawnfile)} has not ended after ${deadlineMs} ms`);
    if (code !== 0) {
      throw new Error(`${path.basename(child.process.spawnfile)} ended with ${code ?? signal}: ${child.errorText()}`);
    }
    return output;
  } finally {
    clearTimeout(timer);
  }
}

/** Asks the program to end, insists after a deadline, and returns when it has ended. */
export async function endChild({ process: child }: Child): Promise<void> {
  if (!running.has(child)) return;
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  const timer = setTimeout(() => killTree(child), TERMINATE_DEADLINE_MS);
  await ended;
  clearTimeout(timer);
}

/** For the way out: nothing started here stays behind. */
export function killAllChildren(): void {
  for (const child of running) killTree(child);
}

function killTree(child: ChildProcess): void {
  if (child.pid === undefined || !running.has(child)) return;
  for (const pid of processTree(child.pid).reverse()) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // it has ended meanwhile
    }
  }
}
