import assert from 'node:assert/strict';
import type { Connection, ConnectionHandler } from '@sluice/core';
import type { RandomSource, SimulatedProtocol } from '@sluice/testkit';

/** Sends back what comes, without frames; does not read while the peer does not. */
export const echo: SimulatedProtocol = {
  name: 'echo',
  begin: ({ random }) => ({
    listener: {
      maxConnections: 4,
      maxWaiting: 2,
      waitTimeoutMs: 20_000,
      firstByteTimeoutMs: 6000,
      idleTimeoutMs: 60_000,
      writeStallTimeoutMs: 20_000,
      limits: { outbound: { lowWaterMarkBytes: 512, highWaterMarkBytes: 4096, hardLimitBytes: 64 << 10 } },
    },
    serve: (connection) => new Echo(connection, random.between(1, 3)),
    peer: () => new EchoPeer(),
  }),
};

class Echo implements ConnectionHandler {
  readonly #connection: Connection;
  /** 1: copied; 2: from memory that is changed as soon as it may be; 3: written where it leaves from. */
  readonly #way: number;
  #hasPeerEnded = false;

  constructor(connection: Connection, way: number) {
    this.#connection = connection;
    this.#way = way;
  }

  onBytes(source: Uint8Array, start: number, end: number): void {
    const bytes = source.subarray(start, end);
    if (this.#send(bytes) === 'queued') this.#connection.pauseReading();
  }

  onDrained(): void {
    this.#connection.resumeReading();
    if (this.#hasPeerEnded) this.#connection.close('peer-closed');
  }

  onPeerEnd(): void {
    this.#hasPeerEnded = true;
    if (!this.#connection.isAboveHighWaterMark) this.#connection.close('peer-closed');
  }

  #send(bytes: Uint8Array): string {
    if (this.#way === 1) return this.#connection.send(bytes);
    if (this.#way === 2) {
      const own = Uint8Array.from(bytes);
      return this.#connection.sendOwned(own, () => own.fill(0xaa));
    }
    return this.#connection.sendInPlace(bytes.length, (target, at) => {
      target.set(bytes, at);
      return bytes.length;
    });
  }
}

/** Sends noise, and knows that the same comes back. */
class EchoPeer {
  readonly #sent: number[] = [];
  #received = 0;

  next(random: RandomSource): Uint8Array {
    const count = random.chance(0.1) ? random.between(1000, 20_000) : random.between(1, 300);
    const bytes = random.bytes(count);
    for (const byte of bytes) this.#sent.push(byte);
    return bytes;
  }

  onBytes(bytes: Uint8Array): void {
    for (const byte of bytes) {
      assert.equal(byte, this.#sent[this.#received], `byte ${this.#received} of the echo`);
      this.#received += 1;
    }
  }

  checkAnswered(): void {
    assert.equal(this.#received, this.#sent.length, 'bytes that came back');
  }
}
