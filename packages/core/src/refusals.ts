import type { RefusalReason } from './admission.js';

/** A line for each reason comes this often, at most. */
const REPORT_EVERY_MS = 10_000;

/** Refusals that were not reported yet. */
export interface RefusalReport {
  readonly reason: RefusalReason;
  readonly count: number;
}

/** Counts refusals by their reason, and reports them summed up: the first soon, further ones every 10 s. */
export class Refusals {
  readonly counts = new Map<RefusalReason, number>();
  readonly #unreported = new Map<RefusalReason, number>();
  readonly #reportedMs = new Map<RefusalReason, number>();

  add(reason: RefusalReason): void {
    this.counts.set(reason, (this.counts.get(reason) ?? 0) + 1);
    this.#unreported.set(reason, (this.#unreported.get(reason) ?? 0) + 1);
  }

  /** What is due. */
  takeReports(nowMs: number): RefusalReport[] {
    const reports: RefusalReport[] = [];
    for (const [reason, count] of this.#unreported) {
      const lastMs = this.#reportedMs.get(reason);
      if (lastMs !== undefined && nowMs - lastMs < REPORT_EVERY_MS) continue;
      this.#reportedMs.set(reason, nowMs);
      this.#unreported.delete(reason);
      reports.push({ reason, count });
    }
    return reports;
  }
}
