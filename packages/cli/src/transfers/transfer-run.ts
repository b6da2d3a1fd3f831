import type { RetryInfo } from '@sluice/client';
import { describeFailure } from '../failure.js';
import { forEachLimited } from '../for-each-limited.js';
import { Interruption } from '../interruption.js';
import { retryText } from '../retry-text.js';
import { ProgressDisplay } from '../terminal/progress-display.js';
import { stderr, stdout } from '../terminal/standard-streams.js';
import { terminalScreen } from '../terminal/terminal-screen.js';
import type { BulkJob, TransferBulk, TransferJob, TransferPlan } from './transfer-job.js';
import { TransferReport } from './transfer-report.js';

export interface TransferRunOptions {
  readonly json: boolean;
  readonly quiet: boolean;
  readonly parallel: number;
  readonly movedKey: 'bytesSent' | 'bytesReceived';
  /** Standard output takes the bytes of a file, so no results. */
  readonly isOutputTaken: boolean;
}

/** One `put` or `get`: the interruption, the report and the progress that belong together. */
export class TransferRun implements Disposable {
  readonly #options: TransferRunOptions;
  readonly #interruption = new Interruption();
  readonly #report: TransferReport;
  #display: ProgressDisplay | undefined;

  constructor(options: TransferRunOptions) {
    this.#options = options;
    this.#report = new TransferReport({
      format: options.json ? 'json' : options.quiet || options.isOutputTaken ? 'quiet' : 'text',
      movedKey: options.movedKey,
      writeResult: (line) => this.#writeLine(stdout, line),
      writeError: (line) => this.#writeLine(stderr, line),
      nowMs: () => performance.now(),
    });
  }

  /** Aborted by Ctrl-C. */
  get signal(): AbortSignal {
    return this.#interruption.signal;
  }

  /** For `ConnectOptions.onRetry`. */
  readonly onRetry = (retry: RetryInfo): void => {
    this.#display?.note(retry.delayMs, (leftMs) => retryText(retry, leftMs));
  };

  /** What becomes of the parts of the command line. */
  get report(): TransferReport {
    return this.#report;
  }

  /** Moves the files of the plan, reports each, and the summary. @returns the exit code */
  async moveAll({ jobs, bulk, obstacles, finish }: TransferPlan): Promise<number> {
    for (const obstacle of obstacles) this.#report.obstacle(obstacle);
    const giveUp = new AbortController();
    const signal = AbortSignal.any([this.signal, giveUp.signal]);
    const notTried: BulkJob[] = [];
    const all = [...jobs, ...(bulk?.jobs ?? [])];
    const screen = this.#options.json || this.#options.quiet ? undefined : terminalScreen();
    this.#display = screen && new ProgressDisplay(screen, { files: all.length, bytes: totalBytes(all) });
    try {
      const inBulk = bulk && bulk.jobs.length > 0 ? this.#moveBulk(bulk, signal, giveUp, notTried) : undefined;
      await forEachLimited(jobs, this.#options.parallel, async (job) => {
        if (signal.aborted) notTried.push(job);
        else await this.#move(job, signal, giveUp);
      });
      await inBulk;
    } finally {
      this.#display?.[Symbol.dispose]();
      this.#display = undefined;
    }
    if (giveUp.signal.aborted && !this.signal.aborted) this.#report.notTried(notTried, giveUp.signal.reason);
    if (finish && !giveUp.signal.aborted && !this.signal.aborted) await finish(this.#report);
    this.#report.summary(stderr.isTTY && !this.signal.aborted);
    this.signal.throwIfAborted();
    return this.#report.exitCode;
  }

  [Symbol.dispose](): void {
    this.#interruption[Symbol.dispose]();
  }

  async #move(job: TransferJob, signal: AbortSignal, giveUp: AbortController): Promise<void> {
    const entry = this.#display?.begin(job.name, job.bytes);
    let bytes = 0;
    try {
      const result = await job.move({ signal, onProgress: (progress) => entry?.update(progress) });
      bytes = result.bytes;
      this.#report.done(job, result);
    } catch (error) {
      this.#report.failed(job, error);
      if (describeFailure(error).concernsAll) giveUp.abort(error);
    } finally {
      entry?.end(bytes);
    }
  }

  /** Never rejects. */
  async #moveBulk(
    bulk: TransferBulk,
    signal: AbortSignal,
    giveUp: AbortController,
    notTried: BulkJob[],
  ): Promise<void> {
    const left = new Set(bulk.jobs);
    const entry = this.#display?.begin(bulk.name, totalBytes(bulk.jobs));
    let bytesDone = 0;
    try {
      await bulk.move(signal, (job, outcome) => {
        left.delete(job);
        if ('error' in outcome) {
          this.#report.failed(job, outcome.error);
          return;
        }
        this.#report.done(job, outcome);
        bytesDone += outcome.bytes;
        entry?.update({ bytesDone, bytesTotal: undefined, bytesResumed: 0 });
      });
    } catch (error) {
      // the first says why; the others are counted, as those that were to come one by one
      const [first, ...others] = left;
      if (first && !signal.aborted) this.#report.failed(first, error);
      notTried.push(...(signal.aborted ? left : others));
      giveUp.abort(error);
    } finally {
      entry?.end(bytesDone, bulk.jobs.length);
    }
  }

  /** Lines and progress share a terminal: a line must not fall into what is drawn. */
  #writeLine(stream: NodeJS.WriteStream, line: string): void {
    if (this.#display) this.#display.above(() => stream.write(`${line}\n`));
    else stream.write(`${line}\n`);
  }
}

/** `undefined` if one of them does not know its size. */
function totalBytes(jobs: readonly BulkJob[]): number | undefined {
  let total = 0;
  for (const { bytes } of jobs) {
    if (bytes === undefined) return undefined;
    total += bytes;
  }
  return total;
}
