import { readdirSync, readFileSync } from 'node:fs';

/** The unit of times in /proc/PID/stat, on all systems that have it. */
const TICKS_PER_SECOND = 100;
const PERIOD_MS = 200;

/** What a process holds at a moment. */
export interface ProcessUsage {
  readonly rssBytes: number;
  /** `undefined` for a process of somebody else. */
  readonly descriptors: number | undefined;
  readonly cpuSeconds: number;
}

export interface PeakUsage {
  readonly rssBytes: number;
  readonly descriptors: number | undefined;
  /** Of one core, over the time watched. */
  readonly cpuPercent: number;
}

/** @returns nothing if there is no such process, or the system does not tell */
export function processUsage(pid: number): ProcessUsage | undefined {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'latin1');
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    if (/^State:\s+[ZX]/m.test(status)) return undefined;
    const times = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return {
      rssBytes: Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) * 1024,
      descriptors: descriptorsOf(pid),
      cpuSeconds: (Number(times[11]) + Number(times[12])) / TICKS_PER_SECOND,
    };
  } catch {
    return undefined;
  }
}

function descriptorsOf(pid: number): number | undefined {
  try {
    return readdirSync(`/proc/${pid}/fd`).length;
  } catch {
    return undefined;
  }
}

/** Looks at a process again and again, and keeps the most that it has seen. */
export class ProcessWatch implements Disposable {
  readonly #pid: number;
  readonly #startedMs = performance.now();
  readonly #first: ProcessUsage | undefined;
  readonly #timer: NodeJS.Timeout;
  #rssBytes = 0;
  #descriptors: number | undefined;
  #cpuSeconds = 0;

  constructor(pid: number) {
    this.#pid = pid;
    this.#first = processUsage(pid);
    this.#timer = setInterval(() => this.#look(), PERIOD_MS);
    this.#look();
  }

  peak(): PeakUsage {
    this.#look();
    const seconds = (performance.now() - this.#startedMs) / 1000;
    const used = Math.max(0, this.#cpuSeconds - (this.#first?.cpuSeconds ?? 0));
    return {
      rssBytes: this.#rssBytes,
      descriptors: this.#descriptors,
      cpuPercent: seconds > 0 ? Math.round((used / seconds) * 100) : 0,
    };
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    const usage = processUsage(this.#pid);
    if (!usage) return;
    this.#rssBytes = Math.max(this.#rssBytes, usage.rssBytes);
    if (usage.descriptors !== undefined) this.#descriptors = Math.max(this.#descriptors ?? 0, usage.descriptors);
    this.#cpuSeconds = Math.max(this.#cpuSeconds, usage.cpuSeconds);
  }
}
