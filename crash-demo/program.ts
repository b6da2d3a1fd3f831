import { type ChildProcess, type SpawnOptions, spawn, spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

const running = new Set<Program>();
const OUTPUT_TAIL_CHARS = 4000;

/** How a program ended. `code` is `null` when it was killed. */
export interface Ended {
  readonly code: number | null;
  /** The end of what it has written to both streams. */
  readonly output: string;
}

/** A started program. What it writes is kept, to explain a failure. */
export class Program {
  readonly ended: Promise<Ended>;
  readonly #process: ChildProcess;
  #output = '';
  #onOutput: (() => void) | undefined;
  #hasEnded = false;

  constructor(command: string, args: readonly string[], options: SpawnOptions = {}) {
    this.#process = spawn(command, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] });
    running.add(this);
    for (const stream of [this.#process.stdout, this.#process.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.#output = (this.#output + text).slice(-OUTPUT_TAIL_CHARS);
        this.#onOutput?.();
      });
    }
    this.ended = new Promise((resolve) => {
      const end = (code: number | null) => {
        this.#hasEnded = true;
        running.delete(this);
        this.#onOutput?.();
        resolve({ code, output: this.#output.trim() });
      };
      this.#process.once('exit', (code) => end(code)); // not `close`: what a killed server leaves behind may hold the streams
      this.#process.once('error', (error) => {
        this.#output += error.message;
        end(127);
      });
    });
  }

  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  /** Waits for what it writes to match. @throws when it ends without, or after the deadline */
  async says(pattern: RegExp, deadlineMs: number): Promise<RegExpExecArray> {
    const timer = setTimeout(() => this.kill(), deadlineMs);
    try {
      for (;;) {
        const match = pattern.exec(this.#output);
        if (match) return match;
        if (this.#hasEnded) throw new Error(`${path.basename(this.#process.spawnfile)} is not ready: ${this.#output}`);
        await new Promise<void>((resolve) => {
          this.#onOutput = resolve;
        });
      }
    } finally {
      clearTimeout(timer);
    }
  }

  /** Its end; after the deadline it is killed. */
  async endsWithin(deadlineMs: number): Promise<Ended> {
    const timer = setTimeout(() => this.kill(), deadlineMs);
    const ended = await this.ended;
    clearTimeout(timer);
    return ended;
  }

  /** SIGKILL to it and everything it has started. */
  kill(): void {
    if (this.#process.pid === undefined || this.#hasEnded) return;
    for (const pid of processTree(this.#process.pid)) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // it has ended meanwhile
      }
    }
  }
}

/** For the way out: nothing started here stays behind. */
export function killAllPrograms(): void {
  for (const program of running) program.kill();
}

/** The first of the programs' places that is there. */
export function findProgram(name: string): string | undefined {
  const folders = [...(process.env['PATH'] ?? '').split(path.delimiter), '/usr/sbin', '/usr/local/sbin', '/sbin'];
  for (const folder of folders) {
    const file = path.join(folder, name);
    if (spawnSync('test', ['-x', file]).status === 0) return file;
  }
  return undefined;
}

/** The first line, or match, of what `COMMAND --version` prints. */
export function versionOf(command: string | undefined, args: readonly string[], pattern: RegExp): string | undefined {
  if (command === undefined) return undefined;
  const { stdout, stderr } = spawnSync(command, args, { encoding: 'utf8', timeout: 20_000 });
  return pattern.exec(`${stdout}${stderr}`)?.[1];
}

/** The process and all its descendants, parents first. */
function processTree(rootPid: number): number[] {
  const tree = [rootPid];
  const parents = new Map<number, number>();
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    try {
      const stat = readFileSync(`/proc/${entry}/stat`, 'utf8');
      // The command name stands in brackets and may itself hold blanks and brackets; the parent is the second field after it.
      parents.set(Number(entry), Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]));
    } catch {
      // it has ended meanwhile
    }
  }
  for (let index = 0; index < tree.length; index += 1) {
    for (const [pid, parent] of parents) if (parent === tree[index]) tree.push(pid);
  }
  return tree;
}
