import {
  type ClientChanges,
  type ClientRecord,
  Command,
  encodeJsonData,
  Key,
  ResultCode,
  responseText,
} from '@sluice/wire';
import type { Session } from '../protocol.js';
import type { ServerControls } from '../server-controls.js';
import { visibleClients } from './permission.js';

/** Records in one packet of changes: some 300 KiB at most. */
const RECORDS_PER_PACKET = 500;

/**
 * Tells a connection at an interval what has changed among the connections it may see. A peer that has not taken the last round misses
 * this one, so it never has more than one waiting; what it missed is in the next.
 */
export class ClientWatch {
  readonly #session: Session;
  readonly #controls: ServerControls;
  #cancel: (() => void) | undefined;
  /** What the peer was told last, by id. */
  #told = new Map<number, string>();

  constructor(session: Session, controls: ServerControls) {
    this.#session = session;
    this.#controls = controls;
  }

  /** Begins anew: the first round, at once, has all. @param intervalMs 0 for an end */
  start(intervalMs: number): void {
    this.stop();
    if (intervalMs === 0) return;
    this.#cancel = this.#controls.every(intervalMs, () => {
      if (this.#session.isClosing) this.stop();
      else if (this.#session.queuedBytes === 0) this.#round();
    });
    this.#round();
  }

  stop(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    this.#told = new Map();
  }

  #round(): void {
    const told = new Map<number, string>();
    const changed: ClientRecord[] = [];
    for (const client of visibleClients(this.#session, this.#controls)) {
      const record = client.record();
      const text = JSON.stringify(record);
      told.set(client.id, text);
      if (this.#told.get(client.id) !== text) changed.push(record);
    }
    const removed = [...this.#told.keys()].filter((id) => !told.has(id));
    this.#told = told;
    for (let from = 0; from === 0 || from < changed.length; from += RECORDS_PER_PACKET) {
      this.#send({
        changed: changed.slice(from, from + RECORDS_PER_PACKET),
        removed: from === 0 ? removed : [],
        total: told.size,
        more: from + RECORDS_PER_PACKET < changed.length,
      });
    }
  }

  #send(changes: ClientChanges): void {
    const text = responseText(Command.ClientChanges, ResultCode.Success, [[Key.Count, changes.total]]);
    this.#session.reply(text, encodeJsonData(changes));
  }
}
