import type { VerifyResult } from '@sluice/client';
import { ExitCode } from '../exit-code.js';
import { describeFailure } from '../failure.js';
import { formatBytes } from '../options/quantities.js';
import { Outcome } from '../outcome.js';
import { messageLine, withoutPasswords } from '../terminal/message-line.js';
import { escapeControls } from '../terminal/terminal-text.js';
import { chunkRanges, rangesText } from './chunk-ranges.js';

export interface VerifyReportOptions {
  readonly format: 'text' | 'json' | 'quiet';
  /** Whether files that are as they should be get no line each, but one for all. */
  readonly isSummed: boolean;
  /** Takes lines for standard output, without their end. */
  readonly writeResult: (line: string) => void;
  /** Takes lines for standard error, without their end. */
  readonly writeError: (line: string) => void;
}

/** What a file was found to be. */
type Finding = VerifyResult['state'] | 'different' | 'missing' | 'failed';

/** In the order of the summary. */
const FINDINGS: readonly Finding[] = ['intact', 'unrecorded', 'changed', 'damaged', 'different', 'missing', 'failed'];

const WORDS: Readonly<Record<'intact' | 'unrecorded' | 'changed', string>> = {
  intact: 'intact',
  unrecorded: 'nothing was recorded of it; now it is',
  changed: 'changed since it was recorded; now it is recorded as it is',
};

/** What was found out about each file, in words or as one JSON object per line, and the exit code of it all. */
export class VerifyReport {
  readonly #options: VerifyReportOptions;
  readonly #outcome = new Outcome();
  readonly #counts = new Map<Finding, number>();
  #files = 0;
  #bytes = 0;

  constructor(options: VerifyReportOptions) {
    this.#options = options;
  }

  get exitCode(): ExitCode {
    return this.#outcome.exitCode;
  }

  /** @param local the file here, if it was compared */
  verified(name: string, result: VerifyResult, local: string | undefined): void {
    const { bytes, state, chunkBytes, damagedChunks } = result;
    this.#files += 1;
    this.#bytes += bytes;
    const problems: string[] = [];
    const damage = chunkRanges(damagedChunks, chunkBytes, bytes);
    if (damage.length > 0) problems.push(`DAMAGED: ${rangesText(damage)}`);
    if (result.local && !result.local.isEqual) problems.push(differenceText(result, local ?? ''));
    if (problems.length === 0) this.#outcome.addDone();
    else this.#outcome.addFailure(ExitCode.Failed);
    this.#count(damage.length > 0 ? 'damaged' : problems.length > 0 ? 'different' : state);
    const { format, isSummed, writeResult } = this.#options;
    if (format === 'json') this.#writeJson('verified', jsonOf(name, result, local));
    else if (problems.length > 0) writeResult(lineOf(name, bytes, problems.join('; ')));
    else if (format === 'text' && !isSummed) {
      const same = result.local ? ', and the same here' : '';
      writeResult(lineOf(name, bytes, `${WORDS[state as keyof typeof WORDS]}${same}`));
    }
  }

  /** A file that only one side has. */
  missing(name: string, where: 'here' | 'on the server'): void {
    this.#outcome.addFailure(ExitCode.Failed);
    this.#count('missing');
    if (this.#options.format === 'json') this.#writeJson('missing', { name, where });
    else this.#options.writeResult(`${escapeControls(name)}  missing ${where}`);
  }

  /** Nothing could be found out. */
  failed(name: string, error: unknown): void {
    const { code, message, exitCode, namesFile } = describeFailure(error);
    this.#outcome.addFailure(exitCode);
    this.#count('failed');
    if (this.#options.format === 'json') {
      this.#writeJson('failed', { name, error: { code, message: withoutPasswords(message) } });
    } else if (exitCode !== ExitCode.Interrupted) {
      this.#options.writeError(messageLine(namesFile ? message : `${name}: ${message}`));
    }
  }

  /** A name of a directory that was left out for safety. */
  refused(name: string, reason: string): void {
    this.#outcome.addRefusal();
    if (this.#options.format === 'json') this.#writeJson('skipped', { name, reason });
    else this.#options.writeError(messageLine(`skipped ${name}: ${reason}`));
  }

  /** The end. */
  summary(): void {
    const { format, isSummed, writeResult } = this.#options;
    if (format === 'json') {
      const counts = Object.fromEntries(FINDINGS.map((finding) => [finding, this.#counts.get(finding) ?? 0]));
      this.#writeJson('summary', { files: this.#files, bytes: this.#bytes, ...counts });
    } else if (format === 'text' && isSummed) {
      const counts = FINDINGS.filter((finding) => this.#counts.has(finding));
      const found = counts.map((finding) => `${this.#counts.get(finding)} ${finding}`).join(', ');
      const files = this.#files === 1 ? '1 file' : `${this.#files} files`;
      writeResult(`${files}, ${formatBytes(this.#bytes)}${found === '' ? '' : `: ${found}`}`);
    }
  }

  #count(finding: Finding): void {
    this.#counts.set(finding, (this.#counts.get(finding) ?? 0) + 1);
  }

  #writeJson(event: string, fields: object): void {
    this.#options.writeResult(JSON.stringify({ event, ...fields }));
  }
}

function lineOf(name: string, bytes: number, found: string): string {
  return `${escapeControls(name)}  ${formatBytes(bytes)}  ${found}`;
}

function differenceText({ bytes, chunkBytes, local }: VerifyResult, path: string): string {
  const shown = escapeControls(path);
  if (!local) return '';
  const ranges = rangesText(chunkRanges(local.differentChunks, chunkBytes, Math.max(bytes, local.bytes)));
  const sizes = local.bytes === bytes ? '' : `, which has ${local.bytes} bytes and not ${bytes}`;
  return `not as ${shown}${sizes}: ${ranges}`;
}

function jsonOf(name: string, result: VerifyResult, local: string | undefined): object {
  const { bytes, state, contentDigest, chunkBytes, damagedChunks } = result;
  const ranges = (chunks: readonly number[]) =>
    chunkRanges(chunks, chunkBytes, Math.max(bytes, result.local?.bytes ?? 0));
  return {
    name,
    bytes,
    state,
    contentDigest,
    damaged: ranges(damagedChunks),
    ...(result.local && {
      local: {
        path: local,
        bytes: result.local.bytes,
        isEqual: result.local.isEqual,
        different: ranges(result.local.differentChunks),
      },
    }),
  };
}
