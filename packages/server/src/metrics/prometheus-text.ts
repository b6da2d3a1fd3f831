import { SECONDS_BOUNDS } from './histogram.js';
import type { MetricFamily, MetricLabels } from './metric-family.js';

/** The content type of the text format, version 0.0.4. */
export const PROMETHEUS_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

/** Families as Prometheus reads them, in the order of their names. */
export function prometheusText(families: readonly MetricFamily[]): string {
  const lines: string[] = [];
  for (const { name, type, help, samples } of [...families].sort((a, b) => (a.name < b.name ? -1 : 1))) {
    lines.push(`# HELP ${name} ${help.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')}`, `# TYPE ${name} ${type}`);
    for (const { labels, value } of samples) {
      if (typeof value === 'number') {
        lines.push(`${name}${labelText(labels)} ${numberText(value)}`);
        continue;
      }
      let count = 0;
      value.counts.forEach((inBucket, i) => {
        count += inBucket;
        const le = numberText(SECONDS_BOUNDS[i] ?? Number.POSITIVE_INFINITY);
        lines.push(`${name}_bucket${labelText({ ...labels, le })} ${numberText(count)}`);
      });
      lines.push(`${name}_sum${labelText(labels)} ${numberText(value.sum)}`);
      lines.push(`${name}_count${labelText(labels)} ${numberText(count)}`);
    }
  }
  return `${lines.join('\n')}\n`;
}

function labelText(labels: MetricLabels): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escapeLabel(value)}"`);
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
}

function escapeLabel(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('\n', '\\n').replaceAll('"', '\\"');
}

function numberText(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return '+Inf';
  if (value === Number.NEGATIVE_INFINITY) return '-Inf';
  return Number.isNaN(value) ? 'NaN' : String(value);
}
