import { formatBytes, formatSeconds } from '../options/quantities.js';

type Stats = Readonly<Record<string, unknown>>;

/** The few words of `sluice top` about the server as a whole, from its statistics. */
export class ServerFigures {
  /** What matters most first; empty until there are statistics. */
  texts: readonly string[] = [];
  #uptimeMs = 0;
  #cpuSeconds = 0;

  /** A figure that the server does not tell is left out. */
  update(stats: Stats): void {
    const uptimeMs = numberAt(stats, 'uptimeMs') ?? 0;
    const cpuSeconds = (numberAt(stats, 'cpuSeconds', 'user') ?? 0) + (numberAt(stats, 'cpuSeconds', 'system') ?? 0);
    // before the server started anew, or at the first time, there is nothing to compare with but its start
    const isOngoing = uptimeMs > this.#uptimeMs && cpuSeconds >= this.#cpuSeconds;
    const passedMs = isOngoing ? uptimeMs - this.#uptimeMs : uptimeMs;
    const usedSeconds = isOngoing ? cpuSeconds - this.#cpuSeconds : cpuSeconds;
    this.#uptimeMs = uptimeMs;
    this.#cpuSeconds = cpuSeconds;
    const rss = numberAt(stats, 'memory', 'rss');
    const waiting = numberAt(stats, 'connections', 'waiting');
    const refused = numberAt(stats, 'connections', 'refused');
    this.texts = [
      ...(uptimeMs > 0 ? [`up ${formatSeconds(Math.floor(uptimeMs / 1000))}`] : []),
      ...(passedMs > 0 ? [`CPU ${Math.round((100_000 * usedSeconds) / passedMs)}%`] : []),
      ...(rss === undefined ? [] : [`memory ${formatBytes(rss)}`]),
      ...(waiting ? [`${waiting} waiting`] : []),
      ...(refused ? [`${refused} refused`] : []),
    ];
  }
}

function numberAt(stats: Stats, ...path: readonly string[]): number | undefined {
  let value: unknown = stats;
  for (const name of path) value = (value as Stats | null | undefined)?.[name];
  return typeof value === 'number' && Number.isFinite(value) && value >= 0 ? value : undefined;
}
