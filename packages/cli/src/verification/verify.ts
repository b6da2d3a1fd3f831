import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { RetryInfo, SluiceClient } from '@sluice/client';
import type { Invocation } from '../command.js';
import { CommandError, usageError } from '../command-error.js';
import type { verifyOptions } from '../commands/verify.js';
import { environment } from '../environment.js';
import { ExitCode } from '../exit-code.js';
import { describeFailure } from '../failure.js';
import { forEachLimited } from '../for-each-limited.js';
import { Interruption } from '../interruption.js';
import { isBadName, isMissing, listIfDirectory } from '../remote-answer.js';
import { joinRemote, type RemoteLocation, RemoteNames, remoteName } from '../remote-location.js';
import { retryText } from '../retry-text.js';
import { ServerConnections } from '../server-connections.js';
import { ProgressDisplay } from '../terminal/progress-display.js';
import { stderr, stdout } from '../terminal/standard-streams.js';
import { terminalScreen } from '../terminal/terminal-screen.js';
import { readLocalTree } from '../transfers/local-tree.js';
import { readRemoteTree } from '../transfers/remote-tree.js';
import { VerifyReport } from './verify-report.js';

type VerifyInvocation = Invocation<typeof verifyOptions>;

/** A file that is to be verified. */
interface VerifyJob {
  readonly client: SluiceClient;
  readonly path: string;
  readonly bytes: number | undefined;
  /** The file here to compare it with. */
  readonly local: string | undefined;
}

/** `sluice verify`. */
export async function verify({ operands, options }: VerifyInvocation): Promise<number> {
  const names = new RemoteNames(environment.url);
  const locations = operands.map((operand) => names.resolve(operand));
  if (locations.length === 0)
    throw usageError('nothing named: write sluice://user@host/path, or a path below SLUICE_URL');
  if (options.local !== undefined && locations.length > 1) throw usageError('--local takes one URL only');
  using run = new VerifyRun(options, options.recursive || locations.length > 1);
  await using servers = new ServerConnections({
    values: options,
    signal: run.signal,
    maxConnections: options.parallel,
    onRetry: run.onRetry,
  });
  for (const location of locations) await run.add(await servers.to(location.endpoint), location);
  return await run.verifyAll();
}

/** One command line: its files, the report and the progress that belong together. */
class VerifyRun implements Disposable {
  readonly #options: VerifyInvocation['options'];
  readonly #interruption = new Interruption('interrupted: what was verified so far stands above');
  readonly #report: VerifyReport;
  readonly #jobs: VerifyJob[] = [];
  #display: ProgressDisplay | undefined;

  constructor(options: VerifyInvocation['options'], isSummed: boolean) {
    this.#options = options;
    this.#report = new VerifyReport({
      format: options.json ? 'json' : options.quiet ? 'quiet' : 'text',
      isSummed,
      writeResult: (line) => this.#writeLine(stdout, line),
      writeError: (line) => this.#writeLine(stderr, line),
    });
  }

  /** Aborted by Ctrl-C. */
  get signal(): AbortSignal {
    return this.#interruption.signal;
  }

  readonly onRetry = (retry: RetryInfo): void => {
    this.#display?.note(retry.delayMs, (leftMs) => retryText(retry, leftMs));
  };

  /** Finds out which files an operand means. @throws {ClientError} when the server cannot be asked */
  async add(client: SluiceClient, { path, isDirectory }: RemoteLocation): Promise<void> {
    const { recursive, local } = this.#options;
    if (recursive && (await listIfDirectory(client, path, this.signal))) await this.#addTree(client, path, local);
    else if (isDirectory || path === '') {
      const advice = recursive ? 'is no directory on the server' : 'is a directory: verify it with -r';
      const error = new CommandError(ExitCode.Failed, `${path || 'the root'} ${advice}`, { code: 'ERR_NOT_A_FILE' });
      this.#report.failed(path, error);
    } else {
      const other = local === undefined ? undefined : await fileBehind(local, remoteName(path));
      this.#jobs.push({ client, path, bytes: undefined, local: other });
    }
  }

  /** @returns the exit code */
  async verifyAll(): Promise<number> {
    const giveUp = new AbortController();
    const signal = AbortSignal.any([this.signal, giveUp.signal]);
    const screen = this.#options.json || this.#options.quiet ? undefined : terminalScreen();
    this.#display = screen && new ProgressDisplay(screen, { files: this.#jobs.length, bytes: totalBytes(this.#jobs) });
    try {
      await forEachLimited(this.#jobs, this.#options.parallel, async (job) => {
        if (!signal.aborted) await this.#verify(job, signal, giveUp);
      });
    } finally {
      this.#display?.[Symbol.dispose]();
      this.#display = undefined;
    }
    this.signal.throwIfAborted();
    this.#report.summary();
    return this.#report.exitCode;
  }

  [Symbol.dispose](): void {
    this.#interruption[Symbol.dispose]();
  }

  async #addTree(client: SluiceClient, path: string, local: string | undefined): Promise<void> {
    const tree = await readRemoteTree(client, path, this.signal);
    for (const { relative, isUnsafe } of tree.refused) {
      this.#report.refused(relative, isUnsafe ? 'the server sent a name that is not safe here' : 'nested too deeply');
    }
    for (const { relative, error } of tree.failed) this.#report.failed(joinRemote(path, relative), error);
    const files = tree.entries.filter(({ kind }) => kind === 'file');
    const here = local === undefined ? undefined : await this.#filesHere(local);
    for (const { relative, size } of files) {
      const other = here?.get(relative);
      here?.delete(relative);
      const name = joinRemote(path, relative);
      if (here && other === undefined) this.#report.missing(name, 'here');
      this.#jobs.push({ client, path: name, bytes: size, local: other });
    }
    for (const other of here?.values() ?? []) this.#report.missing(other, 'on the server');
  }

  /** The files of a directory here, by their paths in it. */
  async #filesHere(local: string): Promise<Map<string, string>> {
    const tree = await readLocalTree(local, this.signal);
    for (const { kind, source, error } of tree.obstacles) {
      if (kind === 'failed') this.#report.failed(source, error);
    }
    return new Map(tree.files.map(({ relative, path }) => [relative, path]));
  }

  async #verify(
    { client, path, bytes, local }: VerifyJob,
    signal: AbortSignal,
    giveUp: AbortController,
  ): Promise<void> {
    const entry = this.#display?.begin(path, bytes);
    let done = 0;
    try {
      const result = await client.verify(path, {
        signal,
        ...(local !== undefined && { local }),
        onProgress: (progress) => entry?.update(progress),
      });
      done = result.bytes;
      this.#report.verified(path, result, local);
    } catch (error) {
      const mayBeDirectory = isMissing(error) || isBadName(error);
      const isDirectory = mayBeDirectory && (await listIfDirectory(client, path, signal).catch(() => undefined));
      const text = `${path} is a directory: verify it with -r`;
      this.#report.failed(
        path,
        isDirectory ? new CommandError(ExitCode.Failed, text, { cause: error, code: 'ERR_NOT_A_FILE' }) : error,
      );
      if (describeFailure(error).concernsAll) giveUp.abort(error);
    } finally {
      entry?.end(done);
    }
  }

  /** Lines and progress share a terminal: a line must not fall into what is drawn. */
  #writeLine(stream: NodeJS.WriteStream, line: string): void {
    if (this.#display) this.#display.above(() => stream.write(`${line}\n`));
    else stream.write(`${line}\n`);
  }
}

/** The file itself, or the one of that name in a directory. */
async function fileBehind(path: string, name: string): Promise<string> {
  const isDirectory = await stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
  return isDirectory ? join(path, name) : path;
}

/** `undefined` if one of them does not know its size. */
function totalBytes(jobs: readonly VerifyJob[]): number | undefined {
  let total = 0;
  for (const { bytes } of jobs) {
    if (bytes === undefined) return undefined;
    total += bytes;
  }
  return total;
}
