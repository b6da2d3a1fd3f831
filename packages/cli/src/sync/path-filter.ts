import picomatch from 'picomatch';
import { usageError } from '../command-error.js';

/** Ends of names that belong to downloads that are not complete. */
const UNFINISHED = ['.sluice-part', '.sluice-journal', '.sluice-lock'];

/** Whether something is matched, by its path with `/`, below the directory that is synced. */
type Matches = (path: string, isDirectory: boolean) => boolean;

/** Patterns as `--include` and `--exclude` take them. */
export interface FilterPatterns {
  /** Only files that one of these matches. None: all files. */
  readonly include: readonly string[];
  /** Not what one of these matches, and nothing of what is in a directory that one matches. Counts more than `include`. */
  readonly exclude: readonly string[];
}

/**
 * Which files are synced. A pattern without `/` is compared with names, anywhere; one with `/`, also in front, with paths from the top.
 * One with `/` at its end matches directories only. `*`, `?`, `[a-z]`, `{a,b}` and `**`, which goes through directories, as in a shell.
 */
export class PathFilter {
  readonly #include: Matches | undefined;
  readonly #exclude: Matches;

  /** @throws {CommandError} exit code 2 for a pattern that is none */
  constructor({ include, exclude }: FilterPatterns) {
    this.#include = include.length > 0 ? anyOf(include) : undefined;
    this.#exclude = anyOf(exclude);
  }

  /** Whether an entry is synced; for a directory, whether what is in it may be. What is above it is taken for included. */
  takes(path: string, isDirectory: boolean): boolean {
    if (this.#exclude(path, isDirectory)) return false;
    if (isDirectory) return true;
    return !UNFINISHED.some((end) => path.endsWith(end)) && (this.#include?.(path, false) ?? true);
  }

  /** As `takes`, and nothing that it is in is left out. */
  reaches(path: string, isDirectory: boolean): boolean {
    for (let end = path.indexOf('/'); end >= 0; end = path.indexOf('/', end + 1)) {
      if (this.#exclude(path.slice(0, end), true)) return false;
    }
    return this.takes(path, isDirectory);
  }

  /** Whether directories are synced for their own sake: not where only some files are wanted. */
  get takesEmptyDirectories(): boolean {
    return this.#include === undefined;
  }
}

function anyOf(patterns: readonly string[]): Matches {
  const matchers = patterns.map(matcherOf);
  return (path, isDirectory) => matchers.some((matches) => matches(path, isDirectory));
}

function matcherOf(pattern: string): Matches {
  const isForDirectories = pattern.endsWith('/');
  const body = pattern.replace(/\/+$/, '');
  const isPath = body.includes('/');
  try {
    const matches = picomatch(body.replace(/^\//, ''), { dot: true, strictSlashes: true });
    return (path, isDirectory) => {
      if (isForDirectories && !isDirectory) return false;
      return matches(isPath ? path : path.slice(path.lastIndexOf('/') + 1));
    };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw usageError(`${JSON.stringify(pattern)} is no pattern: ${reason}`);
  }
}
