import assert from 'node:assert/strict';
import { LengthFieldDecoder } from '@sluice/framing';
import type { PeerModel, RandomSource, SimulatedProtocol } from '@sluice/testkit';
import {
  BUSY,
  bulkByte,
  GAP,
  HEAD_BYTES,
  Kind,
  layout,
  message,
  POLICIES,
  PUBLISHED,
  PUSHED,
  sumOf,
  uint32,
} from './ledger-messages.js';
import { LedgerServer, Publisher } from './ledger-server.js';
import { ShortSupplies } from './short-supplies.js';

/** Frames, handlers that take their time, lent memory, pieces, pushed messages: what core offers, in one protocol. What it said is kept, is. */
export const ledger: SimulatedProtocol = {
  name: 'ledger',
  begin: ({ clock, random }) => {
    const kept = new Set<string>();
    const acknowledged: string[] = [];
    const publisher = new Publisher();
    const supplies = new ShortSupplies(random.fork(0), clock);
    return {
      listener: {
        ...supplies.listenerOptions,
        refusalAnswer: (_first, _reason, retryAfterMs) => message(BUSY, retryAfterMs),
        firstByteTimeoutMs: 6000,
        idleTimeoutMs: 60_000,
        frameTimeoutMs: 10_000,
        writeStallTimeoutMs: 20_000,
        limits: { outbound: { lowWaterMarkBytes: 1024, highWaterMarkBytes: 6000, hardLimitBytes: 256 << 10 } },
      },
      serve: (connection) => LedgerServer.start(connection, clock, random.fork(connection.id), kept, publisher),
      peer: (index, random) => new LedgerPeer(index, random, acknowledged),
      actions: {
        ...supplies.actions,
        publish: (random) => {
          for (let count = random.between(1, 60); count > 0; count--)
            publisher.publish(random.between(0, 300), `key ${random.below(5)}`);
        },
      },
      rest: () => supplies.rest(),
      check: () => {
        supplies.check();
        assert.equal(publisher.followers, 0, 'followers that are left');
        for (const entry of acknowledged) assert.ok(kept.has(entry), `the acknowledged entry ${entry} is not kept`);
      },
    };
  },
};

/** An answer that is awaited. */
interface Awaited {
  readonly kind: number;
  readonly id: number;
  /** What it must hold; of a bulk answer, how many bytes are still to come. */
  readonly body?: Buffer;
  bytesLeft: number;
  bytesSeen: number;
}

/** How often each request is made. */
const WEIGHTS = {
  keep: 8,
  later: 4,
  bulk: 4,
  sum: 4,
  lend: 4,
  watch: 2,
  follow: 2,
  fail: 0.2,
  leave: 0.3,
  nonsense: 0.2,
};

class LedgerPeer implements PeerModel {
  /** Each peer has its own likings. */
  readonly #weights = { ...WEIGHTS };
  readonly #acknowledged: string[];
  readonly #awaited: Awaited[] = [];
  #nextId: number;
  #nextPublished = 0;
  /** A message may have taken the place of an older one. */
  #mayMissUntold = false;
  /** After nonsense, or a request that ends the connection, nothing more is answered. */
  #isAnsweredNoMore = false;
  readonly #decoder = new LengthFieldDecoder(layout, {
    onFrame: (source, start, end) => {
      this.#onAnswer(Buffer.from(source.subarray(start, end)));
      return true;
    },
  });

  constructor(index: number, random: RandomSource, acknowledged: string[]) {
    for (const kind of Object.keys(WEIGHTS) as (keyof typeof WEIGHTS)[])
      this.#weights[kind] *= random.pick([0.1, 1, 5]);
    this.#acknowledged = acknowledged;
    this.#nextId = index * 100_000;
  }

  next(random: RandomSource): Uint8Array {
    const messages: Uint8Array[] = [];
    do messages.push(this.#request(random));
    while (random.chance(0.4));
    return Buffer.concat(messages);
  }

  #request(random: RandomSource): Uint8Array {
    const id = this.#nextId++;
    const kind = random.weighted(this.#weights);
    switch (kind) {
      case 'keep':
      case 'later': {
        const body = random.bytes(random.between(1, 100));
        this.#await(Kind.Keep, id, body);
        return message(kind === 'keep' ? Kind.Keep : Kind.KeepLater, id, body);
      }
      case 'bulk': {
        const bytes = random.chance(0.2) ? random.between(5000, 40_000) : random.between(0, 3000);
        this.#await(Kind.Bulk, id, undefined, bytes);
        return message(Kind.Bulk, id, uint32(bytes));
      }
      case 'sum': {
        const body = random.bytes(random.chance(0.3) ? random.between(1500, 8000) : random.between(0, 200));
        this.#await(Kind.Sum, id, uint32(sumOf(body)));
        return message(Kind.Sum, id, body);
      }
      case 'lend': {
        const body = random.bytes(random.chance(0.05) ? random.between(20_000, 60_000) : random.between(0, 2000));
        this.#await(Kind.Lend, id, body);
        return message(Kind.Lend, id, body);
      }
      case 'watch':
        this.#await(Kind.Watch, id, Buffer.alloc(0));
        return message(Kind.Watch, id);
      case 'follow': {
        const policy = random.below(POLICIES.length);
        this.#await(Kind.Follow, id, Buffer.alloc(0));
        this.#mayMissUntold ||= POLICIES[policy] === 'latest-per-key';
        return message(Kind.Follow, id, Uint8Array.of(policy));
      }
      case 'leave':
        this.#await(Kind.Leave, id, Buffer.alloc(0));
        this.#isAnsweredNoMore = true;
        return message(Kind.Leave, id);
      case 'fail':
        this.#isAnsweredNoMore = true;
        return message(Kind.Fail, id);
      case 'nonsense':
        this.#isAnsweredNoMore = true;
        return uint32(layout.maxLength + 1 + random.below(1000));
    }
  }

  onBytes(bytes: Uint8Array): void {
    this.#decoder.push(bytes, 0, bytes.length);
  }

  checkAnswered(): void {
    const [first] = this.#awaited;
    assert.equal(
      first,
      undefined,
      `${this.#awaited.length} requests are not answered, the first of kind ${first?.kind}`,
    );
  }

  #await(kind: number, id: number, body?: Buffer, bytesLeft = 0): void {
    if (!this.#isAnsweredNoMore) this.#awaited.push({ kind, id, bytesLeft, bytesSeen: 0, ...(body && { body }) });
  }

  #onAnswer(frame: Buffer): void {
    const [kind, id, body] = [frame[4], frame.readUInt32BE(5), frame.subarray(HEAD_BYTES)];
    if (kind === PUSHED) return;
    if (kind === BUSY) {
      this.#awaited.length = 0; // there is no place for it, and no request was read
      return;
    }
    if (kind === GAP) {
      this.#nextPublished += id;
      return;
    }
    if (kind === PUBLISHED) {
      if (this.#mayMissUntold) assert.ok(id >= this.#nextPublished, `published message ${id} comes late`);
      else assert.equal(id, this.#nextPublished, 'the number of the next published message');
      this.#nextPublished = id + 1;
      return;
    }
    const awaited = this.#awaited[0];
    assert.ok(awaited, `an answer of kind ${kind} that nobody asked for`);
    assert.equal(id, awaited.id, 'the number of the next answer');
    assert.equal(kind, awaited.kind, `the kind of answer ${id}`);
    if (kind === Kind.Bulk && body.length > 0) {
      for (const byte of body)
        assert.equal(byte, bulkByte(id, awaited.bytesSeen++), `byte ${awaited.bytesSeen} of ${id}`);
      return;
    }
    if (awaited.body) assert.ok(body.equals(awaited.body), `the body of answer ${id}`);
    else assert.equal(awaited.bytesSeen, awaited.bytesLeft, `bytes of answer ${id}`);
    if (kind === Kind.Keep) this.#acknowledged.push(`${id} ${body.toString('hex')}`);
    this.#awaited.shift();
  }
}
