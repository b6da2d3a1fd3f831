import { CoreEvent, type FlightUnit, flightEventKind } from './flight-event.js';

/** A run of equal events, as `FlightRecorder.entries` tells it. */
export interface FlightEntry {
  readonly event: string;
  readonly direction?: 'in' | 'out';
  /** Of the first of them, in milliseconds since the connection was opened, to the tenth. */
  readonly atMs: number;
  /** Of the last of them. */
  readonly lastMs: number;
  readonly count: number;
  readonly unit?: FlightUnit;
  /** Of all values together. */
  readonly total?: number;
  readonly largest?: number;
}

/** Most records of a connection, 24 bytes each. */
export const MAX_FLIGHT_RECORDS = 96;

/** The first records tell how the connection began: these are kept when later ones make room. */
export const FIRST_FLIGHT_RECORDS = 24;

/** An event joins the run of its kind unless the last of the run is so long ago, in milliseconds: silence is to be seen. */
export const FLIGHT_GAP_MS = 1000;

/** A handler that took so long, in milliseconds, is an event. */
export const SLOW_HANDLER_MS = 100;

const WORDS = 6;
const START_RECORDS = 8;
/** Runs that are looked through for one that an event may join: what is asked and answered in turn makes two runs, not thousands. */
const OPEN_RUNS = 4;
const TICKS_PER_MS = 10;
const WORD_LIMIT = 2 ** 32;
/** Events after which no earlier run goes on: what comes then is told behind them. */
const TURNING_POINTS = new Set<number>([
  CoreEvent.proxyHeader,
  CoreEvent.tlsDone,
  CoreEvent.handlerSlow,
  CoreEvent.peerEnded,
  CoreEvent.shutdownAsked,
  CoreEvent.closing,
  CoreEvent.cut,
  CoreEvent.gone,
]);

/**
 * What has happened on one connection, as numbers: sizes, times and names that were given to `flightEvent`; never what was in a frame. Bounded,
 * and small while little happens. A record is six words:
 *
 * ```text
 * at (0.1 ms), low │ last - at │ at, high 20 bits; event 12 bits │ count │ total │ largest
 * ```
 */
export class FlightRecorder {
  #words: Uint32Array | undefined;
  /** Records ever begun; beyond the first ones they go round. */
  #begun = 0;
  /** Behind a turning point, or where runs may be joined at all. */
  #joinFrom = 0;
  #nowMs = 0;
  readonly #openedAtMs: number;

  constructor(openedAtMs: number) {
    this.#openedAtMs = openedAtMs;
    this.#nowMs = openedAtMs;
  }

  /** Memory of its records. */
  get byteLength(): number {
    return this.#words?.byteLength ?? 0;
  }

  /** Records that made room for later ones. */
  get lost(): number {
    return Math.max(0, this.#begun - MAX_FLIGHT_RECORDS);
  }

  /** When the event loop last turned to the connection. */
  get nowMs(): number {
    return this.#nowMs;
  }

  /** Says what time it is for the events that follow; on the clock of the listener. */
  set nowMs(nowMs: number) {
    this.#nowMs = nowMs;
  }

  /**
   * Notes that `event` has happened, `count` times with `value` in all.
   *
   * @param event from `flightEvent`
   * @param value in the unit of the event, 0 to 2^32 - 1
   */
  record(event: number, value = 0, count = 1): void {
    const ticks = Math.max(0, Math.round((this.#nowMs - this.#openedAtMs) * TICKS_PER_MS));
    const words = this.#words;
    if (words) {
      const last = Math.max(this.#joinFrom, this.#begun - OPEN_RUNS);
      for (let record = this.#begun - 1; record >= last; record--) {
        const at = slotOf(record) * WORDS;
        if ((words[at + 2]! & 0xfff) !== event) continue;
        const span = ticks - ((words[at + 2]! >>> 12) * WORD_LIMIT + words[at]!);
        const total = words[at + 4]! + value;
        if (span - words[at + 1]! >= FLIGHT_GAP_MS * TICKS_PER_MS || span >= WORD_LIMIT || total >= WORD_LIMIT) break;
        if (span > words[at + 1]!) words[at + 1] = span;
        words[at + 3] = words[at + 3]! + count;
        words[at + 4] = total;
        const each = count === 1 ? value : Math.ceil(value / count);
        if (each > words[at + 5]!) words[at + 5] = each;
        return;
      }
    }
    this.#begin(event, ticks, value, count);
  }

  /** What was recorded, in the order in which each run began. */
  *entries(): Generator<FlightEntry> {
    const words = this.#words;
    if (!words) return;
    for (let record = 0; record < this.#begun; record++) {
      if (record === FIRST_FLIGHT_RECORDS) record += this.lost;
      const at = slotOf(record) * WORDS;
      const { name, direction, unit } = flightEventKind(words[at + 2]! & 0xfff);
      const ticks = (words[at + 2]! >>> 12) * WORD_LIMIT + words[at]!;
      yield {
        event: name,
        ...(direction && { direction }),
        atMs: ticks / TICKS_PER_MS,
        lastMs: (ticks + words[at + 1]!) / TICKS_PER_MS,
        count: words[at + 3]!,
        ...(unit && { unit, total: words[at + 4]!, largest: words[at + 5]! }),
      };
    }
  }

  /** Gives back what records to come would have needed. For a connection that is gone. */
  compact(): void {
    const used = Math.min(this.#begun, MAX_FLIGHT_RECORDS) * WORDS;
    if (this.#words && this.#words.length > used) this.#words = this.#words.slice(0, used);
  }

  #begin(event: number, ticks: number, value: number, count: number): void {
    const record = this.#begun++;
    const at = slotOf(record) * WORDS;
    const words = this.#roomFor(at + WORDS);
    words[at] = ticks % WORD_LIMIT;
    words[at + 1] = 0;
    words[at + 2] = (Math.floor(ticks / WORD_LIMIT) << 12) | event;
    words[at + 3] = count;
    words[at + 4] = value;
    words[at + 5] = count === 1 ? value : Math.ceil(value / count);
    if (TURNING_POINTS.has(event)) this.#joinFrom = record;
  }

  #roomFor(length: number): Uint32Array {
    const words = this.#words;
    if (words && words.length >= length) return words;
    const doubled = Math.max(START_RECORDS * WORDS, (words?.length ?? 0) * 2);
    const larger = new Uint32Array(Math.min(doubled, MAX_FLIGHT_RECORDS * WORDS));
    if (words) larger.set(words);
    this.#words = larger;
    return larger;
  }
}

/** Where a record stands: the first ones stay, the others go round behind them. */
function slotOf(record: number): number {
  if (record < MAX_FLIGHT_RECORDS) return record;
  return FIRST_FLIGHT_RECORDS + ((record - FIRST_FLIGHT_RECORDS) % (MAX_FLIGHT_RECORDS - FIRST_FLIGHT_RECORDS));
}
