import type { Histogram } from './histogram.js';

export type MetricType = 'counter' | 'gauge' | 'histogram';

/** The label of what belongs to one process: it is not added to others'. */
export const PROCESS_LABEL = 'process';

/** Names and values. */
export type MetricLabels = Readonly<Record<string, string>>;

/** Counts of buckets, not cumulative, and the sum of what was observed. */
export interface HistogramValue {
  readonly counts: readonly number[];
  readonly sum: number;
}

export interface MetricSample {
  readonly labels: MetricLabels;
  readonly value: number | HistogramValue;
}

/** All that has one name. Plain data: it goes from process to process. */
export interface MetricFamily {
  readonly name: string;
  readonly type: MetricType;
  /** One line. */
  readonly help: string;
  readonly samples: readonly MetricSample[];
}

/** Collects families. */
export class MetricList {
  readonly families: MetricFamily[] = [];

  gauge(name: string, help: string, value: number | Iterable<readonly [MetricLabels, number]>): void {
    this.#add('gauge', name, help, value);
  }

  counter(name: string, help: string, value: number | Iterable<readonly [MetricLabels, number]>): void {
    this.#add('counter', name, help, value);
  }

  histogram(name: string, help: string, values: Iterable<readonly [MetricLabels, Histogram]>): void {
    const samples = Array.from(values, ([labels, { counts, sum }]) => ({
      labels,
      value: { counts: [...counts], sum },
    }));
    this.families.push({ name, type: 'histogram', help, samples });
  }

  #add(type: MetricType, name: string, help: string, value: number | Iterable<readonly [MetricLabels, number]>): void {
    const samples =
      typeof value === 'number' ? [{ labels: {}, value }] : Array.from(value, ([labels, value]) => ({ labels, value }));
    this.families.push({ name, type, help, samples });
  }
}

/** The families of several processes as those of one: samples with the same labels are added. */
export function mergedFamilies(all: Iterable<MetricFamily>): MetricFamily[] {
  const merged = new Map<string, { family: MetricFamily; samples: Map<string, MetricSample> }>();
  for (const family of all) {
    let known = merged.get(family.name);
    if (!known) {
      known = { family, samples: new Map() };
      merged.set(family.name, known);
    }
    for (const sample of family.samples) {
      const key = JSON.stringify(Object.entries(sample.labels).sort());
      const before = known.samples.get(key);
      known.samples.set(key, before ? { labels: sample.labels, value: sumOf(before.value, sample.value) } : sample);
    }
  }
  return Array.from(merged.values(), ({ family, samples }) => ({ ...family, samples: [...samples.values()] }));
}

/** What stays of a process that is gone: counters never fall. */
export function lastingFamilies(families: readonly MetricFamily[]): MetricFamily[] {
  return families
    .filter(({ type }) => type !== 'gauge')
    .map((family) => ({ ...family, samples: family.samples.filter(({ labels }) => !(PROCESS_LABEL in labels)) }));
}

function sumOf(one: number | HistogramValue, other: number | HistogramValue): number | HistogramValue {
  if (typeof one === 'number' || typeof other === 'number') return (one as number) + (other as number);
  return { counts: one.counts.map((count, i) => count + (other.counts[i] ?? 0)), sum: one.sum + other.sum };
}
