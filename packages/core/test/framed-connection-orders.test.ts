import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Connection, FrameHandler, OutboundLimits } from '@sluice/core';
import fc from 'fast-check';
import { eventually } from './support/eventually.js';
import { Loopback, RECEIVE_MODES } from './support/loopback.js';
import { frame } from './support/peer.js';

/** What a handler does with one frame; its answer carries the frame's number. */
interface Work {
  /** Bytes of the answer besides its number. */
  readonly answerBytes: number;
  readonly how: 'at once' | 'in a microtask' | 'a few turns later' | 'before and after a turn';
  readonly isOwned: boolean;
  /** Bytes of the request besides its number. */
  readonly requestBytes: number;
}

interface Plan {
  readonly works: readonly Work[];
  /** Bytes of each write of the peer, over and over. */
  readonly cuts: readonly number[];
  readonly takesPieces: boolean;
  readonly batchEnd: 'none' | 'sync' | 'async';
  readonly peer: 'reads' | 'reads late' | 'stops and goes';
  readonly halfCloses: boolean;
}

const plans: fc.Arbitrary<Plan> = fc.record({
  works: fc.array(
    fc.record({
      answerBytes: fc.oneof({ weight: 3, arbitrary: fc.nat(50) }, fc.nat(5000), fc.nat(200_000)),
      how: fc.constantFrom('at once', 'at once', 'in a microtask', 'a few turns later', 'before and after a turn'),
      isOwned: fc.boolean(),
      requestBytes: fc.oneof({ weight: 3, arbitrary: fc.nat(20) }, fc.nat(3000)),
    }),
    { minLength: 1, maxLength: 40 },
  ),
  cuts: fc.array(fc.oneof(fc.integer({ min: 1, max: 30 }), fc.integer({ min: 1, max: 100_000 })), {
    minLength: 1,
    maxLength: 8,
  }),
  takesPieces: fc.boolean(),
  batchEnd: fc.constantFrom('none', 'sync', 'async'),
  peer: fc.constantFrom('reads', 'reads late', 'stops and goes'),
  halfCloses: fc.boolean(),
});

/** Marks that are passed by a single answer, so that every order of draining and settling comes about. */
const outbound: OutboundLimits = { highWaterMarkBytes: 2000, lowWaterMarkBytes: 500, hardLimitBytes: 1 << 20 };

/** Does the planned work, and checks that nothing is handed over while it is at work. */
class PlannedHandler implements FrameHandler {
  readonly faults: string[] = [];
  released = 0;
  owned = 0;
  readonly #connection: Connection;
  readonly #plan: Plan;
  #isAtWork = false;
  #next = 0;
  #piecesOf: Buffer[] = [];

  constructor(connection: Connection, plan: Plan) {
    this.#connection = connection;
    this.#plan = plan;
  }

  onFrame(source: Uint8Array, start: number, end: number): void | Promise<void> {
    return this.#handle(Buffer.from(source.subarray(start, end)));
  }

  onBegun(source: Uint8Array, start: number, end: number): boolean {
    if (!this.#plan.takesPieces) return false;
    this.#check();
    this.#piecesOf = [Buffer.from(source.subarray(start, end))];
    return true;
  }

  onPiece(source: Uint8Array, start: number, end: number, isLast: boolean): void | Promise<void> {
    this.#check();
    this.#piecesOf.push(Buffer.from(source.subarray(start, end)));
    if (isLast) return this.#handle(Buffer.concat(this.#piecesOf));
  }

  onBatchEnd(): void | Promise<void> {
    if (this.#plan.batchEnd === 'async') return nextTurn();
  }

  onFailed(error: unknown): void {
    this.faults.push(String(error));
  }

  #handle(bytes: Buffer): void | Promise<void> {
    this.#check();
    const number = this.#next++;
    const work = this.#plan.works[number];
    if (!work || !bytes.equals(requestFrame(work, number))) {
      this.faults.push(`frame ${number} is not what was sent`);
      return;
    }
    const answer = answerFrame(work, number);
    if (work.how === 'at once') this.#send(answer, work);
    else return this.#work(work, answer);
  }

  async #work(work: Work, answer: Buffer): Promise<void> {
    this.#isAtWork = true;
    if (work.how === 'in a microtask') await undefined;
    else if (work.how === 'a few turns later') for (let i = 0; i < 3; i++) await nextTurn();
    else {
      const half = answer.length >> 1;
      this.#send(answer.subarray(0, half), work);
      await nextTurn();
      this.#send(answer.subarray(half), work);
      this.#isAtWork = false;
      return;
    }
    this.#send(answer, work);
    this.#isAtWork = false;
  }

  #send(bytes: Uint8Array, work: Work): void {
    let result: string;
    if (work.isOwned) {
      this.owned += 1;
      result = this.#connection.sendOwned(bytes, () => {
        this.released += 1;
      });
    } else result = this.#connection.send(bytes);
    if (result === 'refused') this.faults.push('refused');
  }

  #check(): void {
    if (this.#isAtWork) this.faults.push('handed over while at work');
  }
}

function requestFrame(work: Work, number: number): Buffer {
  return frame(`${number}:${'r'.repeat(work.requestBytes)}`);
}

function answerFrame(work: Work, number: number): Buffer {
  return frame(`${number}:${'a'.repeat(work.answerBytes)}`);
}

async function run(plan: Plan, loopback: Loopback, handlers: PlannedHandler[]): Promise<void> {
  const { peer, connection } = await loopback.connect();
  if (plan.peer !== 'reads') peer.stopReading();
  const requests = Buffer.concat(plan.works.map(requestFrame));
  const expected = Buffer.concat(plan.works.map(answerFrame));
  for (let at = 0, i = 0; at < requests.length; i++) {
    const size = plan.cuts[i % plan.cuts.length]!;
    peer.send(requests.subarray(at, at + size));
    at += size;
    if (i % 3 === 0) await nextTurn();
    if (plan.peer === 'stops and goes') i % 2 === 0 ? peer.readOn() : peer.stopReading();
  }
  if (plan.halfCloses) peer.halfClose();
  for (let i = 0; i < 5; i++) await nextTurn();
  peer.readOn();
  await eventually('all answers', () => peer.receivedBytes >= expected.length || peer.isGone);
  assert.ok(peer.received.equals(expected), 'the answers are not what was asked for');
  if (plan.halfCloses) await peer.gone();
  else assert.equal(connection.isClosing, false);
  peer.halfClose();
  await eventually('the end', () => loopback.listener.connections.size === 0);
  const handler = handlers.at(-1)!;
  assert.deepEqual(handler.faults, []);
  assert.equal(handler.released, handler.owned);
  assert.equal(connection.closeReason, 'peer-closed');
  assert.equal(connection.sentBytes, expected.length);
  peer[Symbol.dispose]();
}

for (const receiveMode of RECEIVE_MODES) {
  describe(`framed connection, receive mode ${receiveMode}`, () => {
    it('gives every frame its answer, in order, whatever the handler, the segments and the peer do (D7, D16)', async () => {
      let plan: Plan | undefined;
      const handlers: PlannedHandler[] = [];
      const options = { receiveMode, limits: { outbound } };
      await using loopback = await Loopback.openFramed(options, (connection) => {
        const handler = new PlannedHandler(connection, plan!);
        handlers.push(handler);
        return handler;
      });
      await fc.assert(
        fc.asyncProperty(plans, async (given) => {
          plan = given;
          await run(given, loopback, handlers);
        }),
        { numRuns: 150 },
      );
    });
  });
}
