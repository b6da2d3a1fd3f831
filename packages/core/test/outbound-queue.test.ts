import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { MemoryBudget, type OutboundLimits, OutboundQueue, type SendResult, type WriteTarget } from '@sluice/core';
import fc from 'fast-check';

type Written = (error?: Error | null) => void;

/** A socket's writing side, with the order of things that Node has: what is taken at once is called back later. */
class FakeTarget implements WriteTarget {
  /** Every write as it was given: the memory itself, and what it held. */
  readonly writes: { readonly memory: Uint8Array; readonly content: Uint8Array }[] = [];
  isSlow = false;
  writableLength = 0;
  /** Writes the system has taken, oldest first. */
  takenWrites = 0;
  readonly #waiting: { readonly bytes: number; readonly written: Written }[] = [];
  #due: Written[] = [];

  write(memory: Uint8Array, written: Written): void {
    this.writes.push({ memory, content: Uint8Array.from(memory) });
    if ((this.isSlow && memory.length > 0) || this.#waiting.length > 0) {
      this.#waiting.push({ bytes: memory.length, written });
      this.writableLength += memory.length;
    } else {
      this.takenWrites += 1;
      this.#due.push(written);
    }
  }

  /** The calls back that Node makes in the next tick. */
  tick(): void {
    const due = this.#due;
    this.#due = [];
    for (const written of due) written();
  }

  /** The system takes the oldest waiting write; Node calls back for it, then gives the others, which may be taken at once. */
  take(): void {
    this.tick();
    const oldest = this.#waiting.shift();
    if (!oldest) return;
    this.writableLength -= oldest.bytes;
    this.takenWrites += 1;
    if (!this.isSlow) {
      for (const { bytes, written } of this.#waiting.splice(0)) {
        this.writableLength -= bytes;
        this.takenWrites += 1;
        this.#due.push(written);
      }
    }
    oldest.written();
  }

  get content(): Buffer {
    return Buffer.concat(this.writes.map((write) => write.content));
  }
}

const limits: OutboundLimits = { highWaterMarkBytes: 1000, lowWaterMarkBytes: 200, hardLimitBytes: 5000 };

function open(given: Partial<OutboundLimits> = {}) {
  const target = new FakeTarget();
  const progress: boolean[] = [];
  const queue = new OutboundQueue(target, { ...limits, ...given }, (hasDrained) => progress.push(hasDrained));
  const drained = () => progress.filter((hasDrained) => hasDrained).length;
  return { target, queue, progress, drained };
}

const nextTick = () => new Promise<void>((resolve) => setImmediate(resolve));
const text = (bytes: Uint8Array) => Buffer.from(bytes).toString();

describe('outbound queue', () => {
  it('writes all messages of one tick at once', async () => {
    const { target, queue } = open();
    for (const message of ['one ', 'two ', 'three']) assert.equal(queue.send(Buffer.from(message)), 'sent');
    assert.equal(target.writes.length, 0);
    await nextTick();
    assert.deepEqual(
      target.writes.map((write) => text(write.content)),
      ['one two three'],
    );
    assert.equal(queue.sentBytes, 13);
    assert.equal(queue.queuedBytes, 0);
  });

  it('writes nothing while it is held, until it is flushed', async () => {
    const { target, queue } = open();
    queue.hold();
    queue.send(Buffer.from('a'));
    await nextTick();
    queue.send(Buffer.from('b'));
    assert.equal(target.writes.length, 0);
    queue.flush();
    assert.equal(text(target.content), 'ab');
  });

  it('copies what is sent, so that the caller may go on using the memory', () => {
    const { target, queue } = open({ highWaterMarkBytes: 1 << 20, hardLimitBytes: 1 << 20 });
    for (const size of [10, 100_000]) {
      const message = Buffer.alloc(size, 1);
      queue.send(message);
      message.fill(2);
    }
    queue.flush();
    assert.ok(target.content.every((byte) => byte === 1));
  });

  it('lets messages be written in place, in their order among the others', () => {
    const { target, queue } = open({ highWaterMarkBytes: 1 << 20, hardLimitBytes: 1 << 20 });
    const inPlace = (message: string, maxBytes: number) =>
      queue.sendInPlace(maxBytes, (memory, at) => Buffer.from(memory.buffer, memory.byteOffset).write(message, at));
    queue.send(Buffer.from('1 '));
    assert.equal(inPlace('22 ', 3), 'sent');
    assert.equal(inPlace('333 ', 60_000), 'sent'); // less than it had room for
    queue.send(Buffer.from('4 '));
    inPlace('55 ', 60_000); // no room left in what is collected
    inPlace('666 ', 100_000); // more than is collected at all
    inPlace('7', 1);
    queue.flush();
    assert.equal(text(target.content), '1 22 333 4 55 666 7');
    assert.equal(queue.sentBytes, 19);
  });

  it('queues nothing of a message in place that fails, or is empty', async () => {
    const { target, queue } = open();
    const fail = () => {
      throw new Error('no disk');
    };
    assert.throws(() => queue.sendInPlace(10, fail), /no disk/);
    assert.equal(queue.queuedBytes, 0);
    assert.equal(
      queue.sendInPlace(10, () => 0),
      'sent',
    );
    await nextTick();
    assert.equal(target.writes.length, 0);
    queue.send(Buffer.from('a'));
    assert.throws(() => queue.sendInPlace(10, fail), /no disk/);
    queue.send(Buffer.from('b'));
    queue.flush();
    assert.equal(text(target.content), 'ab');
  });

  it('refuses a message in place that has no room below the hard limit, without asking for it', () => {
    const { queue } = open({ hardLimitBytes: 100 });
    assert.equal(
      queue.sendInPlace(101, () => assert.fail('asked')),
      'refused',
    );
    queue.close();
    assert.equal(
      queue.sendInPlace(1, () => assert.fail('asked')),
      'refused',
    );
  });

  it('writes what it owns itself, behind what was sent before and in front of what is sent after', () => {
    const { target, queue } = open();
    const owned = Buffer.from('owned ');
    queue.send(Buffer.from('before '));
    queue.sendOwned(owned, () => {});
    queue.send(Buffer.from('after'));
    queue.flush();
    assert.equal(text(target.content), 'before owned after');
    assert.equal(target.writes[1]?.memory, owned);
  });

  it('releases a buffer at once when the system takes it at once, and else when it has', () => {
    const { target, queue } = open();
    let released = 0;
    queue.sendOwned(Buffer.alloc(10), () => released++);
    assert.equal(released, 1);
    target.isSlow = true;
    queue.sendOwned(Buffer.alloc(10), () => released++);
    assert.equal(released, 1);
    target.tick();
    assert.equal(released, 1, 'the call back for the first one was taken for that of the second');
    target.take();
    assert.equal(released, 2);
  });

  it('releases what waits when it is closed, once, whatever the system says later', () => {
    const { target, queue } = open();
    let released = 0;
    target.isSlow = true;
    queue.sendOwned(Buffer.alloc(10), () => released++);
    queue.send(Buffer.alloc(10));
    queue.close();
    queue.close();
    assert.equal(released, 1);
    target.take();
    target.take();
    assert.equal(released, 1);
    assert.equal(queue.queuedBytes, 0);
    assert.equal(queue.send(Buffer.alloc(1)), 'refused');
    assert.equal(
      queue.sendOwned(Buffer.alloc(1), () => released++),
      'refused',
    );
    assert.equal(released, 1);
  });

  it('says nothing more after an error of the target: the connection hears of it from its socket', () => {
    const progress: boolean[] = [];
    const queue = new OutboundQueue(
      { writableLength: 1, write: (_, written) => written(new Error('EPIPE')) },
      limits,
      (hasDrained) => progress.push(hasDrained),
    );
    queue.send(Buffer.alloc(10));
    queue.flush();
    assert.deepEqual(progress, []);
    queue.close();
  });

  it('says queued above the high-water mark, refused above the hard limit, and drained once when it has', () => {
    const { target, queue, drained } = open();
    target.isSlow = true;
    assert.equal(queue.send(Buffer.alloc(1000)), 'sent');
    assert.equal(queue.send(Buffer.alloc(1)), 'queued');
    assert.equal(queue.isAboveHighWaterMark, true);
    queue.flush();
    assert.equal(queue.send(Buffer.alloc(3999)), 'queued');
    assert.equal(queue.send(Buffer.alloc(1)), 'refused');
    assert.equal(
      queue.sendOwned(Buffer.alloc(1), () => assert.fail('what was refused is not released')),
      'refused',
    );
    assert.equal(queue.queuedBytes, 5000);
    queue.flush();
    target.take();
    assert.equal(drained(), 0);
    assert.equal(queue.isAboveHighWaterMark, true);
    target.take();
    assert.equal(drained(), 1);
    assert.equal(queue.isAboveHighWaterMark, false);
    assert.equal(queue.queuedBytes, 0);
    assert.equal(queue.sentBytes, 5000);
  });

  it('never says drained from within send or flush', () => {
    const { target, queue, drained } = open();
    assert.equal(queue.send(Buffer.alloc(1500)), 'queued');
    queue.flush(); // the system takes it at once
    assert.equal(drained(), 0);
    assert.equal(queue.isAboveHighWaterMark, false);
    target.tick();
    assert.equal(drained(), 1);
  });

  it('does not say drained when it is above the high-water mark again by then', () => {
    const { target, queue, drained } = open();
    queue.send(Buffer.alloc(1500));
    queue.flush();
    target.isSlow = true;
    assert.equal(queue.send(Buffer.alloc(1500)), 'queued');
    queue.flush();
    target.tick();
    assert.equal(drained(), 0);
    target.take();
    assert.equal(drained(), 1);
  });

  it('reports progress for every write the system has taken, also at once', () => {
    const { target, queue, progress } = open();
    queue.send(Buffer.alloc(10));
    queue.flush();
    target.tick();
    target.isSlow = true;
    queue.send(Buffer.alloc(10));
    queue.flush();
    target.tick();
    target.take();
    assert.deepEqual(progress, [false, false]);
  });

  it('writes nothing when it is flushed with nothing to say, however slow the peer is', () => {
    const { target, queue } = open();
    target.isSlow = true;
    queue.send(Buffer.from('a'));
    queue.flush();
    queue.send(Buffer.from('b'));
    queue.flush();
    for (let i = 0; i < 100; i++) {
      queue.hold();
      queue.flush();
    }
    assert.equal(target.writes.length, 2);
    target.take();
    target.take();
    queue.flush();
    queue.send(new Uint8Array(0));
    queue.flush();
    assert.equal(target.writes.length, 2);
  });

  it('keeps only what is said for a slow peer, not a whole buffer for each message', () => {
    const { target, queue } = open();
    target.isSlow = true;
    for (let i = 0; i < 5; i++) {
      queue.send(Buffer.alloc(10));
      queue.flush();
    }
    const memory = target.writes.slice(1).reduce((bytes, write) => bytes + write.memory.buffer.byteLength, 0);
    assert.ok(memory <= 4 * 10, `${memory} bytes of memory for 40 bytes`);
  });

  it('keeps order, accounts and promises for any messages and any peer', () => {
    type Step =
      | { readonly do: 'send' | 'sendOwned'; readonly bytes: number }
      | { readonly do: 'flush' | 'hold' | 'tick' | 'take' | 'slow' | 'fast' };
    const step: fc.Arbitrary<Step> = fc.oneof(
      fc.record({ do: fc.constantFrom('send', 'sendOwned'), bytes: fc.integer({ min: 0, max: 1500 }) }),
      fc.record({ do: fc.constantFrom('flush', 'hold', 'tick', 'take', 'take', 'slow', 'fast') }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), fc.boolean(), (steps, isClosedEarly) => {
        const { target, queue, drained } = open();
        const said: Uint8Array[] = [];
        const owned: { readonly memory: Uint8Array; released: number }[] = [];
        let mark = 0;
        let queuedSince: number | undefined;
        let isClosed = false;
        for (const next of steps) {
          const isInCall = next.do === 'send' || next.do === 'sendOwned' || next.do === 'flush';
          const drainedBefore = drained();
          if (next.do === 'send' || next.do === 'sendOwned') {
            const message = Buffer.alloc(next.bytes, ++mark);
            const entry = { memory: message, released: 0 };
            const result =
              next.do === 'send'
                ? queue.send(message)
                : queue.sendOwned(message, () => {
                    entry.released += 1;
                    const index = target.writes.findIndex((write) => write.memory === message);
                    assert.ok(isClosed || index < target.takenWrites, 'released before the system had it');
                  });
            if (result !== 'refused') {
              said.push(Uint8Array.from(message));
              if (next.do === 'sendOwned') owned.push(entry);
            }
            if (result === 'queued') queuedSince = drained();
          } else if (next.do === 'slow' || next.do === 'fast') target.isSlow = next.do === 'slow';
          else if (next.do === 'flush' || next.do === 'hold') queue[next.do]();
          else target[next.do]();
          if (isInCall) assert.equal(drained(), drainedBefore, 'drained was said from within a call');
          const saidBytes = said.reduce((bytes, message) => bytes + message.length, 0);
          assert.equal(queue.queuedBytes + queue.sentBytes, saidBytes);
          assert.ok(queue.queuedBytes <= limits.hardLimitBytes);
        }
        if (isClosedEarly) {
          isClosed = true;
          queue.close();
        } else {
          queue.flush();
          target.isSlow = false;
          for (let i = 0; i < 200; i++) target.take();
          assert.deepEqual(target.content, Buffer.concat(said));
          assert.equal(queue.queuedBytes, 0);
          assert.equal(queue.isAboveHighWaterMark, false);
          if (queuedSince !== undefined) assert.ok(drained() > queuedSince, 'queued, and never drained');
        }
        for (const { released } of owned) assert.equal(released, 1);
      }),
      { numRuns: 500 },
    );
  });
});

describe('a queue whose budget closes it for what was said before', () => {
  const MESSAGE_BYTES = 40 << 10;
  const ways: readonly (readonly [
    string,
    (queue: OutboundQueue, bytes: Uint8Array, release: () => void) => SendResult,
  ])[] = [
    ['send', (queue, bytes) => queue.send(bytes)],
    ['send of a large message', (queue) => queue.send(new Uint8Array(100 << 10))],
    ['sendInPlace', (queue, bytes) => queue.sendInPlace(bytes.length, () => bytes.length)],
    ['sendOwned', (queue, bytes, release) => queue.sendOwned(bytes, release)],
  ];
  for (const [name, send] of ways) {
    it(`refuses ${name}, and keeps nothing`, () => {
      const target = new FakeTarget();
      target.isSlow = true;
      const budget = new MemoryBudget(1000, () => 0);
      const account = budget.open({
        pauseForMemory() {},
        resumeForMemory() {},
        closeForMemory: () => queue.close(),
      });
      const wide = { highWaterMarkBytes: 1 << 20, lowWaterMarkBytes: 0, hardLimitBytes: 8 << 20 };
      const queue: OutboundQueue = new OutboundQueue(target, wide, () => {}, account);
      queue.hold();
      assert.equal(queue.send(new Uint8Array(MESSAGE_BYTES)), 'sent');
      let releases = 0;
      assert.equal(
        send(queue, new Uint8Array(MESSAGE_BYTES), () => releases++),
        'refused',
      );
      assert.equal(target.writes.length, 1, 'nothing is written behind the end');
      assert.equal(releases, 0);
      assert.equal(queue.queuedBytes, 0);
      assert.equal(budget.usedBytes, 0);
    });
  }
});
