import type { Sample } from './measure.js';
import { median, relativeSpread } from './statistics.js';

/** Medians of one contender in one scenario. MB and GB are powers of ten. */
export interface Summary {
  readonly mbPerSecond: number;
  /** Distance from the slowest to the fastest round, as a part of the median. */
  readonly spread: number;
  readonly serverCpuSecondsPerGb: number;
  readonly serverPeakMb: number;
  readonly clientCpuSecondsPerGb: number;
  /** `null` when the client cannot tell. */
  readonly setupSeconds: number | null;
  readonly otherBusyCores: number;
}

/** A contender's line: its medians, or why there are none. */
export interface Row {
  readonly contender: string;
  readonly description: string;
  /** Which row it is compared with besides; transfers only. */
  readonly limitName?: string;
  /** Of a mover of small files: what is on the disk when an upload counts as done. */
  readonly synced?: string;
  readonly samples: readonly Sample[];
  readonly summary: Summary | null;
  readonly missing: string | null;
}

/** This row's speed and server CPU per GB, divided by those of another row. */
export interface Ratios {
  readonly speed: number;
  readonly cpu: number;
}

export function summarize(samples: readonly Sample[]): Summary | null {
  if (samples.length === 0) return null;
  const rates = samples.map((sample) => sample.bytes / sample.seconds / 1e6);
  const mbPerSecond = median(rates);
  const setups = samples.flatMap((sample) => sample.setupSeconds ?? []);
  return {
    mbPerSecond,
    spread: relativeSpread(rates),
    serverCpuSecondsPerGb: median(samples.map((sample) => (sample.serverCpuSeconds / sample.bytes) * 1e9)),
    serverPeakMb: median(samples.map((sample) => sample.serverPeakBytes / 1e6)),
    clientCpuSecondsPerGb: median(samples.map((sample) => (sample.clientCpuSeconds / sample.bytes) * 1e9)),
    setupSeconds: setups.length === 0 ? null : median(setups),
    otherBusyCores: median(samples.map((sample) => sample.otherBusyCores)),
  };
}

/** `null` when one of the two has no figures. */
export function ratiosTo(reference: Summary | null | undefined, summary: Summary | null): Ratios | null {
  if (reference == null || summary === null) return null;
  return {
    speed: summary.mbPerSecond / reference.mbPerSecond,
    cpu: summary.serverCpuSecondsPerGb / reference.serverCpuSecondsPerGb,
  };
}
