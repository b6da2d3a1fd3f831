import {
  type ClientChanges,
  type ClientRecord,
  Command,
  encodeJsonData,
  encodePacket,
  Key,
  RequestError,
  ResultCode,
  responseText,
} from '@sluice/wire';
import { whenKnown } from '../coordination/answer.js';
import type { MessageStream, Session } from '../protocol.js';
import type { ConnectedClient, ServerControls } from '../server-controls.js';
import { visibleClients } from './permission.js';

/** Records in one packet of changes: some 200 KiB, and 4 MiB with the longest names. */
const RECORDS_PER_PACKET = 500;

/** Characters of records in one round: what is beyond follows in the next one. Three bytes each at most, which the outbound queue holds. */
const MAX_ROUND_CHARACTERS = 4 << 20;

/** What the packets of one round take at most, in bytes: those above, and a record more. */
const MAX_ROUND_BYTES = 3 * MAX_ROUND_CHARACTERS + (1 << 20);

/** A round costs some microseconds for each connection: with many of them, rounds are so much rarer that they take a tenth of the time. */
const MS_BETWEEN_ROUNDS_PER_CONNECTION = 0.1;

/** Connections on which one user watches. */
const MAX_WATCHES_PER_USER = 8;

/** How many watch, by user. One for all Control connections of a server. */
export class WatchCount {
  readonly #counts = new Map<string, number>();

  /** @returns gives the place back @throws {RequestError} code 12 */
  take(userName: string): () => void {
    const count = this.#counts.get(userName) ?? 0;
    if (count >= MAX_WATCHES_PER_USER)
      throw new RequestError(ResultCode.Busy, `${MAX_WATCHES_PER_USER} connections of this user watch already`);
    this.#counts.set(userName, count + 1);
    return () => {
      const left = (this.#counts.get(userName) ?? 0) - 1;
      if (left > 0) this.#counts.set(userName, left);
      else this.#counts.delete(userName);
    };
  }
}

/**
 * Tells a connection at an interval what has changed among the connections it may see. A peer that has not taken the last round misses
 * this one, so it never has more than one waiting; what it missed is in the next.
 */
export class ClientWatch {
  readonly #session: Session;
  readonly #controls: ServerControls;
  readonly #count: WatchCount;
  /** Has one round at most: what the peer misses is in the next one, which is made of what holds then. */
  readonly #packets: MessageStream;
  #givePlaceBack: (() => void) | undefined;
  #cancel: (() => void) | undefined;
  /** What the peer was told last, by id. */
  #told = new Map<number, string>();
  /** The id from which on the next round goes through the connections, so that each has its turn when one round cannot hold them all. */
  #next = 0;
  #waitedMs = 0;

  constructor(session: Session, controls: ServerControls, count: WatchCount) {
    this.#session = session;
    this.#controls = controls;
    this.#count = count;
    this.#packets = session.messageStream({ policy: 'wait', maxBytes: MAX_ROUND_BYTES });
  }

  /**
   * Begins anew, when the peer has taken the last round before: the first one, at once, has all.
   *
   * @param intervalMs 0 for an end
   * @param accept answers the request, before the first round
   * @throws {RequestError} code 12
   */
  start(intervalMs: number, accept: () => void): void | Promise<void> {
    this.stop();
    if (this.#packets.queuedMessages === 0) return this.#begin(intervalMs, accept);
    return this.#packets.drained().then(() => {
      if (!this.#session.isClosing) return this.start(intervalMs, accept);
    });
  }

  #begin(intervalMs: number, accept: () => void): void {
    if (intervalMs > 0) this.#givePlaceBack = this.#count.take(this.#session.principal.userName ?? '');
    accept();
    if (intervalMs === 0) return;
    this.#cancel = this.#controls.every(intervalMs, () => {
      this.#waitedMs += intervalMs;
      if (this.#session.isClosing) this.stop();
      else if (this.#packets.queuedMessages === 0 && this.#hasWaited) this.#round();
    });
    this.#round();
  }

  stop(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    this.#givePlaceBack?.();
    this.#givePlaceBack = undefined;
    this.#told = new Map();
    this.#next = 0;
  }

  get #hasWaited(): boolean {
    return this.#waitedMs >= this.#told.size * MS_BETWEEN_ROUNDS_PER_CONNECTION;
  }

  /** Nothing is told when the watch has ended, or begun anew, before other processes have said who is connected there. */
  #round(): void {
    this.#waitedMs = 0;
    const told = this.#told;
    const round = whenKnown(visibleClients(this.#session, this.#controls), (clients) => {
      if (told === this.#told && !this.#session.isClosing && this.#packets.queuedMessages === 0) this.#tell(clients);
    });
    if (round instanceof Promise) round.catch(() => {}); // this process ends
  }

  #tell(clients: readonly ConnectedClient[]): void {
    const ids = new Set(clients.map(({ id }) => id));
    const removed = [...this.#told.keys()].filter((id) => !ids.has(id));
    for (const id of removed) this.#told.delete(id);
    const changed = this.#changed(clients);
    for (let from = 0; from === 0 || from < changed.length; from += RECORDS_PER_PACKET) {
      this.#send({
        changed: changed.slice(from, from + RECORDS_PER_PACKET),
        removed: from === 0 ? removed : [],
        total: clients.length,
        more: from + RECORDS_PER_PACKET < changed.length,
      });
    }
  }

  /** As many as fit into one round; they count as told. */
  #changed(clients: readonly ConnectedClient[]): ClientRecord[] {
    const changed: ClientRecord[] = [];
    const start = clients.findIndex(({ id }) => id >= this.#next);
    const inTurn = start <= 0 ? clients : [...clients.slice(start), ...clients.slice(0, start)];
    this.#next = 0;
    let characters = 0;
    for (const client of inTurn) {
      const record = client.record();
      const text = JSON.stringify(record);
      if (this.#told.get(client.id) === text) continue;
      characters += text.length;
      if (characters > MAX_ROUND_CHARACTERS) {
        this.#next = client.id;
        break;
      }
      this.#told.set(client.id, text);
      changed.push(record);
    }
    return changed;
  }

  #send(changes: ClientChanges): void {
    const text = responseText(Command.ClientChanges, ResultCode.Success, [[Key.Count, changes.total]]);
    this.#packets.offer(encodePacket(text, encodeJsonData(changes)));
  }
}
