import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';

/** The real command. */
export const SLUICE_PATH = path.resolve(
  path.dirname(fileURLToPath(import.meta.url)),
  '../../../../packages/cli/bin/sluice.js',
);

const OVERRIDES = '-dac_override,-dac_read_search';

export interface SluiceOptions {
  readonly cwd?: string;
  /** Added to an environment without any of the variables that the command reads. */
  readonly env?: Readonly<Record<string, string>>;
  /** Standard input. @default empty */
  readonly input?: string | Uint8Array;
  /** With the right of root to open locked files given up. */
  readonly withoutPrivileges?: boolean;
}

export interface SluiceResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Starts `sluice` with pipes for all three streams, and a session of its own: no terminal to ask on. */
export function startSluice(args: readonly string[], options: SluiceOptions = {}): ChildProcessWithoutNullStreams {
  const { SLUICE_URL, SLUICE_PASSWORD, SLUICE_TLS_CA, SLUICE_TLS_FINGERPRINT, SLUICE_LOGIN, NO_COLOR, ...environment } =
    process.env;
  const isRoot = process.getuid?.() === 0;
  const wrapper =
    options.withoutPrivileges && isRoot ? ['setpriv', `--bounding-set=${OVERRIDES}`, `--inh-caps=${OVERRIDES}`] : [];
  const [program, ...words] = [...wrapper, process.execPath, SLUICE_PATH, ...args] as [string, ...string[]];
  // Two servers at once would want the same port.
  const http = args[0] === 'serve' && !args.includes('--http') ? { SLUICE_SERVE_HTTP: 'off' } : {};
  const child = spawn(program, words, {
    cwd: options.cwd,
    env: { ...environment, TERM: 'xterm', ...http, ...options.env },
    detached: true,
  });
  child.stdin.on('error', () => {}); // it may end without reading
  return child;
}

export async function runSluice(args: readonly string[], options: SluiceOptions = {}): Promise<SluiceResult> {
  const child = startSluice(args, options);
  child.stdin.end(options.input ?? '');
  return await finished(child);
}

/** What the command has written, and its exit code. */
export async function finished(child: ChildProcessWithoutNullStreams): Promise<SluiceResult> {
  const code = new Promise<number | null>((resolve) => child.on('close', resolve));
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)]);
  return { code: await code, stdout, stderr };
}

/** What lines of `--json` have; each has some of it. */
export interface JsonLine {
  readonly event?: string;
  readonly source?: string;
  readonly target?: string;
  readonly files?: number;
  readonly bytes?: number;
  readonly bytesReceived?: number;
  readonly seconds?: number;
  readonly attempts?: number;
}

/** The JSON objects of `--json`. */
export function jsonLines(stdout: string): JsonLine[] {
  return stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as JsonLine);
}
