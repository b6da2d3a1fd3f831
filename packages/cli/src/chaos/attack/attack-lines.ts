import { formatBytes } from '../../options/quantities.js';
import { escapeControls } from '../../terminal/terminal-text.js';
import type { FinalTally } from './attack-tally.js';
import type { ProbeFigures } from './probe-series.js';
import type { Check, Measurement } from './verdict.js';

const LABEL_COLUMNS = 11;

export function probesText({ probes, answered, p50Ms, p99Ms, maxMs, failures }: ProbeFigures): string {
  const times = p50Ms === undefined ? '' : `, p50 ${p50Ms} ms, p99 ${p99Ms} ms, max ${maxMs} ms`;
  const why = Object.entries(failures).map(([reason, count]) => `${count} ${escapeControls(reason)}`);
  return `${answered} of ${probes} probes answered${times}${why.length === 0 ? '' : `; ${why.join(', ')}`}`;
}

/** What is below the name of an attack. */
export function measurementLines(measured: Measurement, after: ProbeFigures | undefined): string[] {
  const { during, attackers, process } = measured;
  const lines = [
    labelled('meanwhile', probesText(during)),
    ...(after ? [labelled('afterwards', probesText(after))] : []),
    labelled('attackers', attackersText(attackers)),
  ];
  if (!process) return lines;
  const { before, peak, after: end } = process;
  const memory = [before.rssBytes, peak.rssBytes, end?.rssBytes].map(bytesText).join(', ');
  const open = [before.descriptors, peak.descriptors, end?.descriptors].map((count) => count ?? '?').join(', ');
  lines.push(
    labelled(
      'server',
      `before, at the peak, after: memory ${memory}; descriptors ${open}; CPU ${peak.cpuPercent} % of a core`,
    ),
  );
  return lines;
}

export function verdictLines(checks: readonly Check[]): string[] {
  const unmet = checks.filter(({ isMet }) => !isMet);
  if (unmet.length === 0) return [labelled('pass', checks.map(({ text }) => text).join('; '))];
  return unmet.map(({ text }) => labelled('FAIL', text));
}

function attackersText({ opened, refused, ended, left, stillOpen, bytesSent, bytesReceived }: FinalTally): string {
  return [
    `${opened} connections made, ${refused} refused`,
    ...(left > 0 ? [`${left} left again`] : []),
    `${ended} ended by the server, ${stillOpen} still open; ${formatBytes(bytesSent)} sent, ${formatBytes(bytesReceived)} received`,
  ].join(', ');
}

function labelled(label: string, text: string): string {
  return `  ${label.padEnd(LABEL_COLUMNS)}${text}`;
}

function bytesText(bytes: number | undefined): string {
  return bytes === undefined ? 'gone' : formatBytes(bytes);
}
