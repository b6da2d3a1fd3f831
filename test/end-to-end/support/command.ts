import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const COMMAND = fileURLToPath(new URL('../../../../../node_modules/.bin/sluice', import.meta.url));

/** How a command ended, and what it said. */
export interface Ended {
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CommandOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Bytes for standard input. */
  readonly input?: Uint8Array | string;
  /** Whether that is all of it. @default true */
  readonly endsInput?: boolean;
  /** Whether a server may have the port for HTTP that servers have by default. @default false: two at once would want it */
  readonly hasDefaultHttp?: boolean;
  /** Descriptors that it may hold. @default as many as this process */
  readonly descriptors?: number;
}

/** The shipped `sluice` command, running. It is killed when disposed. */
export class Command implements AsyncDisposable {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  #stdout = '';
  #stderr = '';
  #onOutput: (() => void) | undefined;

  constructor(args: readonly string[], options: CommandOptions = {}) {
    const environment = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('SLUICE_')));
    const { descriptors, cwd, env } = options;
    const limited = ['-c', `ulimit -n ${descriptors} && exec "$0" "$@"`, COMMAND, ...args];
    const [program, given] = descriptors === undefined ? [COMMAND, args] : ['/bin/sh', limited];
    const isWithout = args[0] === 'serve' && !args.includes('--http') && !options.hasDefaultHttp;
    const http = isWithout ? { SLUICE_SERVE_HTTP: 'off' } : {};
    this.child = spawn(program, given, { cwd, env: { ...environment, ...http, ...env } });
    this.child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.#stdout += text;
      this.#onOutput?.();
    });
    this.child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr += text;
      this.#onOutput?.();
    });
    this.child.stdin?.on('error', () => {}).write(options.input ?? '');
    if (options.endsInput !== false) this.child.stdin?.end();
    this.ended = once(this.child, 'close').then(([exitCode, signal]) => {
      this.#onOutput?.();
      return { exitCode, signal, stdout: this.#stdout, stderr: this.#stderr };
    });
  }

  get stdout(): string {
    return this.#stdout;
  }

  get stderr(): string {
    return this.#stderr;
  }

  /** Waits for standard output to match. @throws when the command ends without, or after 20 s */
  output(pattern: RegExp): Promise<RegExpExecArray> {
    return this.#matches(pattern, () => this.#stdout);
  }

  /** Waits for standard error to match. @throws as `output` */
  said(pattern: RegExp): Promise<RegExpExecArray> {
    return this.#matches(pattern, () => this.#stderr);
  }

  async #matches(pattern: RegExp, text: () => string): Promise<RegExpExecArray> {
    const deadline = setTimeout(() => this.child.kill('SIGKILL'), 20_000);
    try {
      for (;;) {
        const match = pattern.exec(text());
        if (match) return match;
        if (this.child.exitCode !== null || this.child.signalCode !== null) {
          throw new Error(`ended without ${pattern}: ${this.#stdout}${this.#stderr}`);
        }
        await new Promise<void>((resolve) => {
          this.#onOutput = resolve;
        });
      }
    } finally {
      clearTimeout(deadline);
    }
  }

  async kill(signal: NodeJS.Signals): Promise<Ended> {
    this.child.kill(signal);
    return this.ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.child.kill('SIGKILL');
    await this.ended;
  }
}

/** Runs `sluice` to its end. */
export function sluice(args: readonly string[], options: CommandOptions = {}): Promise<Ended> {
  return new Command(args, options).ended;
}

/** `sluice serve` with the user admin, password admin; ready when this returns. */
export class ServeCommand implements AsyncDisposable {
  readonly root: string;
  readonly command: Command;
  readonly port: number;

  private constructor(root: string, command: Command, port: number) {
    this.root = root;
    this.command = command;
    this.port = port;
  }

  static async start(
    root: string,
    extra: readonly string[] = [],
    port = 0,
    env: Readonly<Record<string, string>> = {},
    descriptors?: number,
  ): Promise<ServeCommand> {
    const users = extra.includes('--users') ? [] : ['--user', 'admin:admin'];
    const listen = `127.0.0.1:${port}`;
    // All suites can be run against a server of several processes: SLUICE_TEST_WORKERS=2 npm test -- e2e
    const workers = process.env['SLUICE_TEST_WORKERS'];
    const several = workers === undefined || extra.includes('--workers') ? [] : ['--workers', workers];
    const args = ['serve', '--log-format', 'text', '--listen', listen, '--root', root, ...users, ...several, ...extra];
    const command = new Command(args, { env, ...(descriptors !== undefined && { descriptors }) });
    const [, actual] = await command.output(/^listening on 127\.0\.0\.1:(\d+)$/m);
    return new ServeCommand(root, command, Number(actual));
  }

  get url(): string {
    return urlOf(this.port);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.command[Symbol.asyncDispose]();
  }
}

export function urlOf(port: number): string {
  return `sluice://admin:admin@127.0.0.1:${port}/`;
}

/** A folder that is removed when disposed. */
export class Scratch implements AsyncDisposable {
  readonly folder: string;

  private constructor(folder: string) {
    this.folder = folder;
  }

  static async make(): Promise<Scratch> {
    return new Scratch(await mkdtemp(path.join(os.tmpdir(), 'sluice-e2e-')));
  }

  path(...parts: string[]): string {
    return path.join(this.folder, ...parts);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.folder, { recursive: true, force: true });
  }
}

/** The JSON objects that a command with `--json` has printed. */
export function events(ended: Ended): Record<string, unknown>[] {
  return ended.stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}
