import type { CyclesFigures } from './cycles.js';
import type { EnduranceFigures } from './endurance.js';
import type { Growth } from './growth.js';
import type { Held } from './held.js';
import type { SlowlorisFigures } from './slowloris.js';

export type SoakFigures = EnduranceFigures | CyclesFigures | SlowlorisFigures;

/** The final table. */
export function reportLines(figures: SoakFigures): string[] {
  const rows = rowsOf(figures);
  const width = Math.max(...rows.map(([label]) => label.length));
  return [
    '',
    ...rows.map(([label, text]) => `${label.padEnd(width)}  ${text}`),
    '',
    figures.isPassed ? 'passed' : 'FAILED',
  ];
}

function rowsOf(figures: SoakFigures): (readonly [string, string])[] {
  switch (figures.mode) {
    case 'soak':
      return [
        ['length', `${(figures.seconds / 60).toFixed(1)} minutes, seed ${figures.seed}`],
        ['transfers', transfersText(figures)],
        ['connections', endingsText(figures.churn)],
        ['operators', operatorsText(figures)],
        ['memory', growthText(figures.memory, 2 ** 20, 'MiB')],
        ['other descriptors', growthText(figures.descriptors, 1, '')],
        ['held before', heldText(figures.before)],
        ['held after', heldText(figures.after)],
        ...leftRows(figures.left),
      ];
    case 'cycles':
      return [
        ['cycles', `${figures.cycles} in ${figures.seconds.toFixed(0)} s, seed ${figures.seed}`],
        ['connections', endingsText(figures.endings)],
        ['held before', heldText(figures.before)],
        ['held after', `${heldText(figures.after)}; ${figures.settledAfterMs} ms after the last one`],
        ['memory', `${mebibytes(figures.rssBytes.before)} before, ${mebibytes(figures.rssBytes.after)} after`],
        ...leftRows(figures.left),
      ];
    case 'slowloris':
      return [
        ['attackers', attackText(figures)],
        ['honest clients', `${figures.clients}, ${figures.failedTransfers} transfers failed`],
        ['undisturbed', `${mebibytes(figures.undisturbedBytesPerSecond)}/s`],
        ['attacked', `${mebibytes(figures.attackedBytesPerSecond)}/s, ${figures.sharePercent} %`],
      ];
  }
}

function transfersText({ transfers }: EnduranceFigures): string {
  const { uploads, downloads, bytesUp, bytesDown, verified, repeated } = transfers;
  return `${uploads} uploads of ${mebibytes(bytesUp)}, ${downloads} downloads of ${mebibytes(bytesDown)}, ${verified} compared, all equal; ${repeated} calls repeated`;
}

function operatorsText({ operators }: EnduranceFigures): string {
  const { kicks, reloads, logLines, followersAgain } = operators;
  return `${kicks} kicks, ${reloads} reloads, ${logLines} lines of the log followed in ${followersAgain} turns`;
}

function attackText({ attackers, attackSeconds, attack }: SlowlorisFigures): string {
  const { opened, refused, ended, stillOpen } = attack;
  return `${attackers} for ${attackSeconds} s: ${opened} connected, ${refused} refused, ${ended} ended by the server, ${stillOpen} still open`;
}

function endingsText(endings: Readonly<Record<string, number>>): string {
  return Object.entries(endings)
    .map(([ending, count]) => `${ending} ${count}`)
    .join(', ');
}

function heldText(held: Held): string {
  return Object.entries(held)
    .map(([name, value]) => `${name} ${value}`)
    .join(', ');
}

function leftRows(left: readonly string[]): (readonly [string, string])[] {
  return left.length === 0 ? [] : [['LEFT', `more than before: ${left.join(', ')}`]];
}

function growthText(
  { mean, perHour, overall, tolerated, samples, isGrowing }: Growth,
  unit: number,
  name: string,
): string {
  const text = (value: number) => `${(value / unit).toFixed(1)}${name === '' ? '' : ` ${name}`}`;
  const verdict = isGrowing ? 'GROWING' : 'not growing';
  return `${verdict}: mean ${text(mean)}, the line through ${samples} samples changes by ${text(overall)} (${text(perHour)} an hour), noise up to ${text(tolerated)}`;
}

function mebibytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(0)} MiB`;
}
