import { CoreEvent, type FlightUnit, flightEventKind } from './flight-event.js';
import { FlightPage, FlightSlab } from './flight-page.js';

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

/**
 * An event joins the run of its kind unless the last of the run is so long ago, in milliseconds: silence is to be seen. Of what comes
 * again and again at equal distances, like heartbeats, one run is made, however long these are.
 */
export const FLIGHT_GAP_MS = 1000;

/** A handler that took so long, in milliseconds, is an event. */
export const SLOW_HANDLER_MS = 100;

const WORDS = 6;
const SLAB_RECORDS = [4, 10] as const;
/** What most connections need, which are idle: for the first message, and for a login and heartbeats. */
const slabs = SLAB_RECORDS.map((records) => new FlightSlab(records * WORDS));
/** Those that need more have an array of their own, which grows once. */
const OWN_RECORDS = 32;
/** Runs that are looked through for one that an event may join: what is asked and answered in turn makes two runs, not thousands. */
const OPEN_RUNS = 4;
const TICKS_PER_MS = 10;
const GAP_TICKS = FLIGHT_GAP_MS * TICKS_PER_MS;
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
  #page: FlightPage | undefined;
  /** Where in the page its words begin. */
  #base = 0;
  /** Records ever begun; beyond the first ones they go round. */
  #begun = 0;
  /** Behind a turning point, or where runs may be joined at all. */
  #joinFrom = 0;
  /** Since it was opened. */
  #ticks = 0;
  readonly #openedAtMs: number;

  constructor(openedAtMs: number) {
    this.#openedAtMs = openedAtMs;
  }

  /** Memory of its records. */
  get byteLength(): number {
    return this.#page ? 4 * this.#page.blockWords : 0;
  }

  /** Records that made room for later ones. */
  get lost(): number {
    return Math.max(0, this.#begun - MAX_FLIGHT_RECORDS);
  }

  /** When the event loop last turned to the connection. */
  get nowMs(): number {
    return this.#openedAtMs + this.#ticks / TICKS_PER_MS;
  }

  /** Says what time it is for the events that follow; on the clock of the listener. */
  set nowMs(nowMs: number) {
    this.#ticks = Math.max(0, Math.round((nowMs - this.#openedAtMs) * TICKS_PER_MS));
  }

  /**
   * Notes that `event` has happened, `count` times with `value` in all.
   *
   * @param event from `flightEvent`
   * @param value in the unit of the event, 0 to 2^32 - 1
   */
  record(event: number, value = 0, count = 1): void {
    if (this.#page) {
      const { words } = this.#page;
      const last = Math.max(this.#joinFrom, this.#begun - OPEN_RUNS);
      for (let record = this.#begun - 1; record >= last; record--) {
        const at = this.#base + slotOf(record) * WORDS;
        if ((words[at + 2]! & 0xfff) !== event) continue;
        const span = this.#ticks - ((words[at + 2]! >>> 12) * WORD_LIMIT + words[at]!);
        const total = words[at + 4]! + value;
        if (!fitsRun(span, words[at + 1]!, words[at + 3]!) || span >= WORD_LIMIT || total >= WORD_LIMIT) break;
        if (value !== words[at + 5] && flightEventKind(event).unit === 'code') break; // another code is another event
        if (span > words[at + 1]!) words[at + 1] = span;
        words[at + 3] = words[at + 3]! + count;
        words[at + 4] = total;
        const each = count === 1 ? value : Math.ceil(value / count);
        if (each > words[at + 5]!) words[at + 5] = each;
        return;
      }
    }
    this.#begin(event, value, count);
  }

  /** What was recorded, in the order in which each run began. */
  *entries(): Generator<FlightEntry> {
    for (let record = 0; this.#page && record < this.#begun; record++) {
      if (record === FIRST_FLIGHT_RECORDS) record += this.lost;
      const { words } = this.#page; // another one, once more has happened
      const at = this.#base + slotOf(record) * WORDS;
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

  /**
   * Gives back what it shares with others, and what records to come would have needed. For a connection that is gone; a recorder of which
   * this is not called keeps its place.
   */
  compact(): void {
    const used = Math.min(this.#begun, MAX_FLIGHT_RECORDS) * WORDS;
    if (this.#page && used < this.#page.words.length) this.#moveTo(new FlightPage(used), 0, used);
  }

  #begin(event: number, value: number, count: number): void {
    const record = this.#begun++;
    this.#makeRoom((slotOf(record) + 1) * WORDS);
    const { words } = this.#page!;
    const at = this.#base + slotOf(record) * WORDS;
    words[at] = this.#ticks % WORD_LIMIT;
    words[at + 1] = 0;
    words[at + 2] = (Math.floor(this.#ticks / WORD_LIMIT) << 12) | event;
    words[at + 3] = count;
    words[at + 4] = value;
    words[at + 5] = count === 1 ? value : Math.ceil(value / count);
    if (TURNING_POINTS.has(event)) this.#joinFrom = record;
  }

  #makeRoom(length: number): void {
    const used = this.#page?.blockWords ?? 0;
    if (used >= length) return;
    const slab = slabs[SLAB_RECORDS.findIndex((records) => records * WORDS >= length)];
    if (slab) {
      const page = slab.pageWithRoom();
      this.#moveTo(page, page.take(), used);
    } else {
      this.#moveTo(new FlightPage((length > OWN_RECORDS * WORDS ? MAX_FLIGHT_RECORDS : OWN_RECORDS) * WORDS), 0, used);
    }
  }

  #moveTo(page: FlightPage, base: number, length: number): void {
    if (this.#page) {
      page.words.set(this.#page.words.subarray(this.#base, this.#base + length), base);
      this.#page.give(this.#base);
    }
    this.#page = page;
    this.#base = base;
  }
}

/** Memory that recorders share, whether it is used now or not; in bytes. */
export function sharedFlightBytes(): number {
  return slabs.reduce((sum, slab) => sum + slab.bytes, 0);
}

/**
 * Whether an event belongs to a run.
 *
 * @param span from the first of the run to the event, in ticks
 * @param lastSpan from the first to the last
 */
function fitsRun(span: number, lastSpan: number, count: number): boolean {
  const gap = span - lastSpan;
  const gaps = count - 1;
  if (gap < GAP_TICKS && lastSpan < GAP_TICKS * gaps) return true;
  if (gaps === 0) return true; // both times can be told
  return gap * gaps <= 2 * lastSpan && 2 * gap * gaps >= lastSpan;
}

/** Where a record stands: the first ones stay, the others go round behind them. */
function slotOf(record: number): number {
  if (record < MAX_FLIGHT_RECORDS) return record;
  return FIRST_FLIGHT_RECORDS + ((record - FIRST_FLIGHT_RECORDS) % (MAX_FLIGHT_RECORDS - FIRST_FLIGHT_RECORDS));
}
