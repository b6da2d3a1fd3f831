import type { SpeedFlow, SpeedInterval, SpeedResult } from '@sluice/client';
import { formatRate } from '../options/quantities.js';
import { wrapColumns } from '../terminal/terminal-text.js';
import { bold, dim, directionNames, formatMs, green, painted, type SpeedLayout } from './speed-layout.js';

/** What is measured. */
export interface SpeedTask {
  readonly address: string;
  readonly streams: number;
  readonly seconds: number;
}

const GAP = '  ';
const TIME_COLUMNS = 6;
const RATE_COLUMNS = 10;
const LATENCY_HEADING = 'ROUND TRIP';
const MIN_BAR_COLUMNS = 12;
const MAX_BAR_COLUMNS = 40;

/** How far the speed may rise above the first second before bars get another scale. */
const HEADROOM = 3;

/** Lines of one measurement, one for each second: columns that do not fit are left out, the bar first, then the round trips. */
export class IntervalLines {
  readonly #direction: SpeedResult['direction'];
  readonly #layout: SpeedLayout;
  readonly #hasLatency: boolean;
  readonly #barColumns: number;
  /** What a full bar stands for, in bytes a second. */
  #scale = 0;

  constructor(direction: SpeedResult['direction'], layout: SpeedLayout) {
    this.#direction = direction;
    this.#layout = layout;
    let free = layout.columns - TIME_COLUMNS - this.#flows.length * (GAP.length + RATE_COLUMNS);
    this.#hasLatency = free >= GAP.length + LATENCY_HEADING.length;
    if (this.#hasLatency) free -= GAP.length + LATENCY_HEADING.length;
    const barColumns = Math.min(MAX_BAR_COLUMNS, free - GAP.length - 1);
    this.#barColumns = layout.hasBars && barColumns >= MIN_BAR_COLUMNS ? barColumns : 0;
  }

  /** The lines in front of the first second. */
  head({ address, streams, seconds }: SpeedTask): string[] {
    const amount = `${streams === 1 ? '1 stream' : `${streams} streams`}, ${seconds} s`;
    const title = wrapColumns(`${directionNames[this.#direction]}, ${address}, ${amount}`, this.#layout.columns);
    const headings = this.#line(
      'TIME',
      this.#flows.map((flow) => directionNames[flow].toUpperCase()),
      LATENCY_HEADING,
    );
    return [...title.map((line) => painted(line, bold, this.#layout)), painted(headings, dim, this.#layout)];
  }

  line(interval: SpeedInterval): string {
    const flows = this.#flows.map((flow) => interval[flow]);
    const text = this.#line(
      `${Math.round(interval.toSeconds)} s`,
      flows.map((flow) => (flow ? formatRate(flow.bytesPerSecond) : '-')),
      interval.latency ? formatMs(interval.latency.medianMs) : '-',
    );
    return this.#barColumns === 0 ? text : `${text}${GAP}${this.#bar(flows)}`;
  }

  get #flows(): readonly ('down' | 'up')[] {
    return this.#direction === 'both' ? ['down', 'up'] : [this.#direction];
  }

  #line(time: string, rates: readonly string[], latency: string): string {
    const cells = [time.padStart(TIME_COLUMNS), ...rates.map((rate) => rate.padStart(RATE_COLUMNS))];
    if (this.#hasLatency) cells.push(latency.padStart(LATENCY_HEADING.length));
    return cells.join(GAP);
  }

  /** Of all that has moved. The scale stays, as long as nothing goes beyond it: bars are there to be compared. */
  #bar(flows: readonly (SpeedFlow | undefined)[]): string {
    const rate = flows.reduce((sum, flow) => sum + (flow?.bytesPerSecond ?? 0), 0);
    if (rate > this.#scale) this.#scale = rate * HEADROOM;
    const filled = this.#scale === 0 ? 0 : Math.round((rate / this.#scale) * this.#barColumns);
    const rest = '─'.repeat(this.#barColumns - filled);
    return `${painted('━'.repeat(filled), green, this.#layout)}${painted(rest, dim, this.#layout)}`;
  }
}
