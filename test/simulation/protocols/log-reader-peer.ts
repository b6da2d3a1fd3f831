import assert from 'node:assert/strict';
import type { PeerModel, RandomSource } from '@sluice/testkit';
import { ProtocolFlag } from '@sluice/wire';

const BANNER = '\r\nSluice log\r\nPress ESC to leave.\r\n';
const ESC = 0x1b;

/** Reads the log: whole lines, and where some are missing a line that says so. */
export class LogReaderPeer implements PeerModel {
  #hasChosen = false;
  #text = '';

  next(random: RandomSource): Uint8Array {
    if (!this.#hasChosen) {
      this.#hasChosen = true;
      return Uint8Array.of(ProtocolFlag.LogOutput);
    }
    return Uint8Array.of(random.chance(0.05) ? ESC : 0x20);
  }

  onBytes(bytes: Uint8Array): void {
    this.#text += Buffer.from(bytes).toString('latin1');
    if (this.#text.length < BANNER.length) return;
    assert.ok(this.#text.startsWith(BANNER), 'the banner comes first');
    for (const line of this.#text.split('\r\n').slice(0, -1))
      assert.match(
        line,
        /^(?:|Sluice log|Press ESC to leave\.|\d+ lines dropped|[-:, \d]+ \[main\] INFO : line [xy]*)$/,
      );
    const seen = this.#text.lastIndexOf('\r\n') + 2;
    this.#text = seen > BANNER.length ? BANNER + this.#text.slice(seen) : this.#text; // what was judged is not judged again
  }
}
