import type { DamagedPart } from '@sluice/client';
import { ExitCode } from '../exit-code.js';
import { describeFailure, type Failure } from '../failure.js';
import { formatBytes, formatRate, formatSeconds } from '../options/quantities.js';
import { Outcome } from '../outcome.js';
import { messageLine, withoutPasswords } from '../terminal/message-line.js';
import { escapeControls } from '../terminal/terminal-text.js';
import type { BulkJob, MoveResult, Obstacle } from './transfer-job.js';

export type ReportFormat = 'text' | 'json' | 'quiet';

export interface TransferReportOptions {
  readonly format: ReportFormat;
  /** What the bytes that were moved are called in JSON. */
  readonly movedKey: 'bytesSent' | 'bytesReceived';
  /** Takes lines for standard output, without their end. */
  readonly writeResult: (line: string) => void;
  /** Takes lines for standard error, without their end. */
  readonly writeError: (line: string) => void;
  readonly nowMs: () => number;
}

/** What became of each file, in words or as one JSON object per line, and the exit code of it all. */
export class TransferReport {
  readonly #options: TransferReportOptions;
  readonly #startedMs: number;
  readonly #outcome = new Outcome();
  #bytes = 0;
  /** Counts that only some commands have. */
  readonly #counts = new Map<string, number>();

  constructor(options: TransferReportOptions) {
    this.#options = options;
    this.#startedMs = options.nowMs();
  }

  get exitCode(): ExitCode {
    return this.#outcome.exitCode;
  }

  get hasFailures(): boolean {
    return this.#outcome.failed > 0;
  }

  /** Adds to a count of the summary. */
  count(name: string, added = 1): void {
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + added);
  }

  /** Something beside the files that were moved has been done, or would be: `deleted`, `would-send`. */
  did(event: string, target: string, fields: object = {}): void {
    if (this.#options.format === 'json') this.#writeJson(event, { target, ...fields });
    else if (this.#options.format === 'text') {
      this.#options.writeResult(`${event.replace('-', ' ')} ${escapeControls(target)}`);
    }
  }

  /** Something that was left undone, and why. */
  note(text: string): void {
    if (this.#options.format === 'json') this.#writeJson('note', { message: text });
    else this.#errorLine(text);
  }

  done(job: BulkJob, result: MoveResult): void {
    const { format, movedKey, writeResult } = this.#options;
    const { bytes, bytesMoved, bytesResumed, seconds, attempts, durability, digest, unchanged, damaged = [] } = result;
    this.#outcome.addDone();
    if (result.skipped) {
      this.#skipped(job, result.skipped);
      return;
    }
    this.#bytes += bytes;
    if (format === 'json') {
      const { source, target } = job;
      this.#writeJson('done', {
        source,
        target,
        bytes,
        [movedKey]: bytesMoved,
        bytesResumed,
        seconds: rounded(seconds),
        attempts,
        ...(durability !== undefined && { durability }),
        ...(digest !== undefined && { digest }),
        ...(unchanged && { unchanged }),
        ...(damaged.length > 0 && { damaged }),
      });
    } else if (format === 'text') {
      writeResult(doneLine(job.name, result));
    }
    if (format !== 'json') for (const part of damaged) this.#errorLine(`${job.name}: ${damageText(part)}`);
  }

  #skipped({ name, source, target }: BulkJob, why: 'exists' | 'newer'): void {
    if (this.#options.format === 'json') this.#writeJson('skipped', { source, target, reason: why });
    else if (this.#options.format === 'text') {
      this.#options.writeResult(`${escapeControls(name)}  ${why === 'exists' ? 'is there already' : 'is not older'}`);
    }
  }

  failed(job: BulkJob, error: unknown): void {
    const failure = describeFailure(error);
    this.#outcome.addFailure(failure.exitCode);
    const name = failure.code === 'ERR_REMOTE' ? (job.remoteName ?? job.name) : job.name;
    this.#failedLine(failure, name, { source: job.source, target: job.target });
  }

  obstacle({ kind, source, error }: Obstacle): void {
    const failure = describeFailure(error);
    if (kind === 'failed') this.#outcome.addFailure(failure.exitCode);
    if (kind === 'refused') this.#outcome.addRefusal();
    if (kind === 'failed') this.#failedLine(failure, undefined, { source });
    else if (this.#options.format === 'json') this.#writeJson('skipped', { source, error: errorObject(failure) });
    else if (kind === 'refused' || this.#options.format === 'text') this.#errorLine(`skipped ${failure.message}`);
  }

  /** Files that nobody tried, because they would have failed as the one before did. */
  notTried(jobs: readonly BulkJob[], error: unknown): void {
    if (jobs.length === 0) return;
    const failure = describeFailure(error);
    for (const { source, target } of jobs) {
      this.#outcome.addFailure(failure.exitCode);
      if (this.#options.format === 'json') this.#writeJson('failed', { source, target, error: errorObject(failure) });
    }
    if (this.#options.format !== 'json') {
      this.#errorLine(`${countText(jobs.length)} not tried: run the same command again when that is mended`);
    }
  }

  /** The end. @param forPeople whether there is a person to read it, and something new to tell */
  summary(forPeople: boolean): void {
    const seconds = (this.#options.nowMs() - this.#startedMs) / 1000;
    const { done, failed } = this.#outcome;
    if (this.#options.format === 'json') {
      this.#writeJson('summary', {
        files: done,
        failed,
        bytes: this.#bytes,
        ...Object.fromEntries(this.#counts),
        seconds: rounded(seconds),
      });
    } else if (forPeople && this.#options.format === 'text' && (done + failed > 1 || this.#counts.size > 0)) {
      const failures = failed > 0 ? `, ${failed} failed` : '';
      const amount = `${formatBytes(this.#bytes)} in ${formatSeconds(seconds)}`;
      const counts = Array.from(this.#counts, ([name, count]) => `, ${count} ${name}`).join('');
      this.#options.writeError(`${countText(done)}${failures}, ${amount}${counts}`);
    }
  }

  #failedLine(failure: Failure, name: string | undefined, fields: { source: string; target?: string }): void {
    if (this.#options.format === 'json') {
      this.#writeJson('failed', { ...fields, error: errorObject(failure) });
    } else if (failure.exitCode !== ExitCode.Interrupted) {
      this.#errorLine(name === undefined || failure.namesFile ? failure.message : `${name}: ${failure.message}`);
    }
  }

  #errorLine(text: string): void {
    this.#options.writeError(messageLine(text));
  }

  #writeJson(event: string, fields: object): void {
    this.#options.writeResult(JSON.stringify({ event, ...fields }));
  }
}

function doneLine(name: string, { bytes, bytesMoved, bytesResumed, seconds, unchanged }: MoveResult): string {
  const parts = [escapeControls(name), formatBytes(bytes)];
  if (unchanged) return [...parts, 'unchanged'].join('  ');
  if (bytesMoved > 0 && seconds > 0) parts.push(formatRate(bytesMoved / seconds));
  if (bytesResumed > 0) parts.push(`${formatBytes(bytesResumed)} resumed`);
  return parts.join('  ');
}

function damageText({ file, position, bytes }: DamagedPart): string {
  if (file === 'journal')
    return `the journal of the earlier run was damaged (${formatBytes(bytes)}), so everything was compared`;
  return `${formatBytes(bytes)} at byte ${position} had been damaged since the earlier run, and were fetched again`;
}

function errorObject({ code, message }: Failure): { code: string; message: string } {
  return { code, message: withoutPasswords(message) };
}

/** To microseconds. */
function rounded(seconds: number): number {
  return Math.round(seconds * 1e6) / 1e6;
}

function countText(files: number): string {
  return files === 1 ? '1 file' : `${files} files`;
}
