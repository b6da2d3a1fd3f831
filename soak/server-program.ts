import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { sluiceCommand } from './repository.js';

/** `sluice serve` on a free port, with a process of its own. */
export class ServerProgram implements AsyncDisposable {
  readonly port: number;
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess, port: number) {
    this.#child = child;
    this.port = port;
  }

  static async start(args: readonly string[]): Promise<ServerProgram> {
    const child = spawn(
      process.execPath,
      [sluiceCommand, 'serve', '--listen', '127.0.0.1:0', '--http', 'off', ...args],
      {
        stdio: ['ignore', 'pipe', 'inherit'],
        detached: true, // Ctrl-C is for the soak, which then ends it
      },
    );
    const ended = once(child, 'close').then(() => {
      throw new Error('the server ended before it listened');
    });
    let output = '';
    const listening = new Promise<number>((resolve) => {
      child.stdout!.on('data', (chunk: Buffer) => {
        output += chunk.toString();
        const port = /^listening on \S+:(\d+)$/m.exec(output)?.[1];
        if (port !== undefined) resolve(Number(port));
      });
    });
    const port = await Promise.race([listening, ended]);
    ended.catch(() => {});
    return new ServerProgram(child, port);
  }

  get pid(): number {
    return this.#child.pid!;
  }

  get hasEnded(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  /** Resident memory in bytes. */
  get rssBytes(): number {
    const status = readFileSync(`/proc/${this.pid}/status`, 'latin1');
    return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) * 1024;
  }

  get descriptors(): number {
    return readdirSync(`/proc/${this.pid}/fd`).length;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.hasEnded) return;
    const ended = once(this.#child, 'close');
    this.#child.kill('SIGTERM');
    const killer = setTimeout(() => this.#child.kill('SIGKILL'), 15_000);
    await ended;
    clearTimeout(killer);
  }
}

/** Runs `sluice` to its end. @throws {Error} with what it said when it failed */
export async function runToEnd(args: readonly string[]): Promise<string> {
  const { exitCode, output, errors } = await run(args);
  if (exitCode !== 0) throw new Error(`sluice ${args.join(' ')} ended with ${exitCode}: ${errors}`);
  return output;
}

export async function run(args: readonly string[]) {
  const child = spawn(process.execPath, [sluiceCommand, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  const closed = once(child, 'close');
  const [output, errors] = await Promise.all([text(child.stdout), text(child.stderr)]);
  const [exitCode] = (await closed) as [number | null];
  return { exitCode, output, errors };
}
