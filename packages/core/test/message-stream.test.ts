import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  type Connection,
  type MessageSink,
  MessageStream,
  type MessageStreamOptions,
  type SendResult,
} from '@sluice/core';
import { ManualClock } from '@sluice/testkit';
import fc from 'fast-check';
import { eventually } from './support/eventually.js';
import { echo, Loopback } from './support/loopback.js';

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString();

/** A connection that takes a batch when it is told to. */
class HeldSink implements MessageSink {
  isClosing = false;
  readonly clock = new ManualClock();
  closeReason: string | undefined;
  readonly messageCounters = { droppedMessages: 0, supersededMessages: 0 };
  readonly batches: string[] = [];
  readonly counts: number[] = [];
  /** Whether the system takes everything at once, as it does for a peer that reads. */
  isFast = false;
  #release: (() => void) | undefined;

  sendOwned(bytes: Uint8Array, release: () => void, messages: number): SendResult {
    if (this.isClosing) return 'refused';
    assert.equal(this.#release, undefined, 'one batch at a time');
    this.batches.push(text(bytes));
    this.counts.push(messages);
    if (this.isFast) release();
    else this.#release = release;
    return 'sent';
  }

  close(reason: string): void {
    this.isClosing = true;
    this.closeReason ??= reason;
  }

  /** @returns whether there was something to take */
  take(): boolean {
    const release = this.#release;
    this.#release = undefined;
    release?.();
    return release !== undefined;
  }

  takeAll(): void {
    while (this.take());
  }

  get sent(): string {
    return this.batches.join('');
  }
}

function open(options: MessageStreamOptions) {
  const sink = new HeldSink();
  const stream = new MessageStream(sink, { gapMessage: (dropped) => Buffer.from(`(${dropped})`), ...options });
  const offer = (message: string, key?: string) => stream.offer(Buffer.from(message), key);
  return { sink, stream, offer };
}

describe('a stream of messages', () => {
  it('sends the first message at once, and what comes meanwhile together when it is taken', () => {
    const { sink, stream, offer } = open({ policy: 'wait' });
    for (const message of ['a', 'b', 'c']) assert.equal(offer(message), 'kept');
    assert.deepEqual(sink.batches, ['a']);
    assert.deepEqual([stream.queuedMessages, stream.queuedBytes], [3, 3]);
    sink.take();
    assert.deepEqual(
      [sink.batches, sink.counts],
      [
        ['a', 'bc'],
        [1, 2],
      ],
    );
    sink.take();
    assert.deepEqual([stream.queuedMessages, stream.queuedBytes], [0, 0]);
  });

  it('waits: says that it is full, keeps nothing, and tells when there may be room', async () => {
    const { sink, stream, offer } = open({ policy: 'wait', maxMessages: 2 });
    assert.deepEqual(
      ['a', 'b', 'c'].map((message) => offer(message)),
      ['kept', 'kept', 'full'],
    );
    let isTold = false;
    const told = stream.drained().then(() => {
      isTold = true;
    });
    await Promise.resolve();
    assert.equal(isTold, false);
    sink.take();
    await told;
    assert.equal(offer('c'), 'kept');
    sink.takeAll();
    assert.equal(sink.sent, 'abc');
    await stream.drained();
    assert.equal(stream.droppedMessages, 0);
  });

  it('drops the newest: what waits stays, and the gap is told where it is', () => {
    const { sink, stream, offer } = open({ policy: 'drop-newest', maxBytes: 6 });
    assert.deepEqual(
      ['aa', 'bb', 'ccc', 'dd', 'e', 'ff'].map((message) => offer(message)),
      ['kept', 'kept', 'dropped', 'kept', 'dropped', 'dropped'],
    );
    sink.takeAll();
    assert.equal(sink.sent, 'aabb(1)dd(2)');
    assert.equal(offer('g'), 'kept');
    assert.equal(sink.sent, 'aabb(1)dd(2)g');
    assert.deepEqual([stream.droppedMessages, sink.messageCounters.droppedMessages], [3, 3]);
  });

  it('drops the oldest that waits, not what is on its way, and tells the gap in front', () => {
    const { sink, offer } = open({ policy: 'drop-oldest', maxMessages: 3 });
    for (const message of ['a', 'b', 'c', 'd', 'e']) assert.equal(offer(message), 'kept');
    sink.takeAll();
    assert.equal(sink.sent, 'a(2)de');
  });

  it('drops the newest when all the room is taken by what is on its way', () => {
    const { sink, offer } = open({ policy: 'drop-oldest', maxBytes: 3 });
    assert.deepEqual([offer('aaa'), offer('b')], ['kept', 'dropped']);
    sink.take();
    assert.equal(sink.sent, 'aaa(1)');
  });

  it('keeps the latest of each key that waits, in the order of the latest', () => {
    const { sink, stream, offer } = open({ policy: 'latest-per-key' });
    for (const [message, key] of ['a1', 'a2', 'b1', 'a3', 'b2', 'c1', 'a4'].map((name) => [name, name[0]] as const))
      assert.equal(offer(message, key), 'kept');
    assert.equal(offer('none'), 'kept');
    sink.takeAll();
    assert.equal(sink.sent, 'a1b2c1a4none');
    assert.deepEqual([stream.droppedMessages, stream.supersededMessages], [0, 3]);
    assert.deepEqual(sink.messageCounters, { droppedMessages: 0, supersededMessages: 3 });
  });

  it('drops the keys that have waited longest when there are too many', () => {
    const { sink, offer } = open({ policy: 'latest-per-key', maxMessages: 3 });
    for (const name of ['x1', 'a1', 'b1', 'c1', 'b2']) offer(name, name[0]);
    sink.takeAll();
    assert.equal(sink.sent, 'x1(1)c1b2');
  });

  it('closes the connection when there is no room', () => {
    const { sink, stream, offer } = open({ policy: 'close', maxMessages: 2 });
    assert.deepEqual([offer('a'), offer('b'), offer('c'), offer('d')], ['kept', 'kept', 'closed', 'closed']);
    assert.equal(sink.closeReason, 'stream-overrun');
    sink.take();
    assert.deepEqual([sink.sent, stream.queuedMessages], ['a', 0]);
  });

  it('keeps one message that is larger than its limit when nothing else is there', () => {
    for (const policy of ['wait', 'drop-newest', 'drop-oldest', 'latest-per-key', 'close'] as const) {
      const { sink, offer } = open({ policy, maxBytes: 4 });
      assert.equal(offer('a message'), 'kept', policy);
      assert.equal(sink.sent, 'a message');
    }
  });

  it('may be offered the same bytes again while they wait', () => {
    const { sink, stream } = open({ policy: 'drop-newest' });
    const same = Buffer.from('.');
    for (let i = 0; i < 4; i++) stream.offer(same);
    sink.takeAll();
    assert.equal(sink.sent, '....');
  });

  it('does not copy a large message, and does not join others with it', () => {
    const { sink, offer } = open({ policy: 'wait', maxBytes: 1 << 20 });
    const large = 'x'.repeat(70_000);
    for (const message of ['a', 'b', large, 'c']) offer(message);
    sink.takeAll();
    assert.deepEqual(
      sink.batches.map(({ length }) => length),
      [1, 1, 70_000, 1],
    );
  });

  it('needs no stack for a peer that takes everything at once', () => {
    const { sink, offer } = open({ policy: 'drop-newest', maxMessages: 100_000, maxBytes: 1 << 30 });
    for (let i = 0; i < 20_000; i++) offer('x'.repeat(5000));
    sink.isFast = true;
    sink.takeAll();
    assert.equal(
      sink.counts.reduce((sum, count) => sum + count),
      20_000,
    );
  });

  it('ends with its connection: nothing is kept, and nobody waits', async () => {
    const { sink, stream, offer } = open({ policy: 'wait' });
    offer('a');
    offer('b');
    const drained = stream.drained();
    sink.close('done');
    sink.take();
    await drained;
    assert.deepEqual([stream.queuedBytes, offer('c'), sink.sent], [0, 'closed', 'a']);
  });

  it('gathers what follows fast: the first leaves at once, the others together after the time, or when they fill half of a limit', () => {
    const { sink, stream, offer } = open({ policy: 'drop-newest', maxMessages: 8, gatherMs: 50 });
    sink.isFast = true;
    for (const message of ['a', 'b', 'c']) offer(message);
    sink.clock.advance(49);
    assert.deepEqual(sink.batches, ['a']);
    sink.clock.advance(1);
    assert.deepEqual(sink.batches, ['a', 'bc']);
    for (const message of ['d', 'e', 'f', 'g', 'h']) offer(message);
    assert.deepEqual(sink.batches, ['a', 'bc', 'defgh']);
    sink.clock.advance(1000);
    offer('i');
    assert.deepEqual([sink.batches.at(-1), sink.clock.pendingTimers], ['i', 0]);
    assert.equal(stream.queuedMessages, 0);
  });

  it('gathers no further while the peer takes nothing, and then tells what is missing', () => {
    const { sink, offer } = open({ policy: 'drop-newest', maxMessages: 4, gatherMs: 50 });
    for (let i = 0; i < 9; i++) offer(String(i));
    sink.clock.advance(200);
    assert.deepEqual(sink.batches, ['0']);
    sink.takeAll();
    assert.equal(sink.sent, '0123(5)');
  });

  it('has its sender wait for the end of the gathering, too', async () => {
    const { sink, stream, offer } = open({ policy: 'wait', maxMessages: 3, gatherMs: 50 });
    sink.isFast = true;
    assert.deepEqual([offer('a'), offer('b')], ['kept', 'kept']);
    let isTold = false;
    const drained = stream.drained().then(() => {
      isTold = true;
    });
    await Promise.resolve();
    assert.deepEqual([isTold, sink.sent], [false, 'a']);
    sink.clock.advance(50);
    await drained;
    assert.equal(sink.sent, 'ab');
  });

  it('ends its gathering with the connection', async () => {
    const { sink, stream, offer } = open({ policy: 'wait', gatherMs: 50 });
    sink.isFast = true;
    offer('a');
    offer('b');
    const drained = stream.drained();
    sink.close('done');
    sink.clock.advance(50);
    await drained;
    assert.deepEqual([stream.queuedBytes, sink.clock.pendingTimers, sink.sent], [0, 0, 'a']);
  });

  it('takes no limits below 1', () => {
    for (const limits of [{ maxBytes: 0 }, { maxMessages: Number.NaN }])
      assert.throws(() => open({ policy: 'wait', ...limits }), { code: 'ERR_OPTION_RANGE' });
  });
});

describe('a stream of messages, whatever comes in whatever order', () => {
  const steps = fc.array(
    fc.oneof(
      {
        weight: 3,
        arbitrary: fc.record({ size: fc.integer({ min: 1, max: 12 }), key: fc.integer({ min: 0, max: 3 }) }),
      },
      { weight: 1, arbitrary: fc.constant('take' as const) },
    ),
    { maxLength: 60 },
  );
  const limits = fc.record({ maxBytes: fc.integer({ min: 1, max: 40 }), maxMessages: fc.integer({ min: 1, max: 8 }) });

  for (const policy of ['wait', 'drop-newest', 'drop-oldest', 'latest-per-key'] as const) {
    it(`holds its limits, keeps the order, and accounts for every message: ${policy}`, () => {
      fc.assert(
        fc.property(steps, limits, fc.boolean(), (what, { maxBytes, maxMessages }, hasKeys) => {
          const { sink, stream } = open({
            policy,
            maxBytes,
            maxMessages,
            gapMessage: (dropped) => Buffer.from(`gap${dropped};`),
          });
          const keyOf: number[] = [];
          let notKept = 0;
          for (const step of what) {
            if (step === 'take') {
              sink.take();
            } else {
              const id = keyOf.push(step.key) - 1;
              const message = Buffer.from(`${id};`.padStart(step.size, ' '));
              const result = stream.offer(message, hasKeys ? step.key : undefined);
              if (result === 'full') notKept += 1;
              else if (policy === 'wait') assert.equal(result, 'kept');
            }
            assert.ok(stream.queuedMessages <= maxMessages);
            assert.ok(stream.queuedBytes <= maxBytes || stream.queuedMessages === 1);
          }
          sink.takeAll();
          assert.deepEqual([stream.queuedMessages, stream.queuedBytes], [0, 0]);

          const parts = sink.sent
            .split(';')
            .slice(0, -1)
            .map((part) => part.trim());
          const gaps = parts.filter((part) => part.startsWith('gap')).map((part) => Number(part.slice(3)));
          const ids = parts.filter((part) => !part.startsWith('gap')).map(Number);
          assert.deepEqual(
            ids,
            [...new Set(ids)].sort((a, b) => a - b),
            'in the order of the offers',
          );
          const { droppedMessages, supersededMessages } = stream;
          assert.equal(ids.length + droppedMessages + supersededMessages + notKept, keyOf.length);
          assert.equal(
            gaps.reduce((sum, gap) => sum + gap, 0),
            droppedMessages,
          );
          assert.deepEqual(sink.messageCounters, { droppedMessages, supersededMessages });
          if (policy === 'drop-newest' || policy === 'drop-oldest') assertGapsAreExact(parts, keyOf.length);
          if (policy === 'latest-per-key' && hasKeys && droppedMessages === 0) {
            for (const key of new Set(keyOf))
              assert.ok(ids.includes(keyOf.lastIndexOf(key)), `the latest of key ${key}`);
          }
        }),
        { numRuns: 500 },
      );
    });
  }
});

/** Each gap says how many messages are missing where it stands. */
function assertGapsAreExact(parts: readonly string[], offered: number): void {
  let next = 0;
  for (const part of parts) {
    if (part.startsWith('gap')) next += Number(part.slice(3));
    else assert.equal(Number(part), next++);
  }
  assert.equal(next, offered);
}

describe('a stream of messages on a connection', () => {
  const stalled = async (options: MessageStreamOptions) => {
    const loopback = await Loopback.open({}, echo);
    const { peer, connection } = await loopback.connect();
    peer.stopReading();
    return { loopback, peer, connection, stream: new MessageStream(connection, options) };
  };
  /** Lines of 1000 bytes, with a turn of the event loop now and then. */
  const flood = async (stream: MessageStream, connection: Connection, count: number) => {
    let most = 0;
    for (let i = 0; i < count; i++) {
      stream.offer(Buffer.from(`${String(i).padEnd(999, '.')}\n`), i % 10);
      most = Math.max(most, connection.queuedBytes);
      if (i % 100 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    return most;
  };

  it('costs no more than its limit for a peer that does not read, and tells it exactly what it has missed', async () => {
    const gapMessage = (dropped: number) => Buffer.from(`missed ${dropped}\n`);
    const { loopback, peer, connection, stream } = await stalled({
      policy: 'drop-newest',
      maxBytes: 20_000,
      gapMessage,
    });
    await using _ = loopback;
    const most = await flood(stream, connection, 20_000);
    assert.ok(most > 0 && most <= 20_000, `${most} bytes`);
    peer.readOn();
    await eventually('all has come', () => stream.queuedMessages === 0 && /\nmissed \d+\n$/.test(peer.text));
    let next = 0;
    for (const line of peer.text.split('\n').slice(0, -1)) {
      const missed = /^missed (\d+)$/.exec(line)?.[1];
      if (missed === undefined) assert.equal(Number.parseInt(line, 10), next++);
      else next += Number(missed);
    }
    assert.equal(next, 20_000);
    assert.equal(loopback.listener.counters.messages.droppedMessages, stream.droppedMessages);
  });

  it('brings a peer that reads again the latest of each key', async () => {
    const { loopback, peer, connection, stream } = await stalled({ policy: 'latest-per-key' });
    await using _ = loopback;
    await flood(stream, connection, 20_000);
    assert.ok(stream.supersededMessages > 0);
    peer.readOn();
    await eventually('all has come', () => stream.queuedMessages === 0 && peer.receivedBytes % 1000 === 0);
    await eventually('the last one', () => peer.text.includes('\n19999.'));
    const last = peer.text.split('\n').slice(-11, -1);
    assert.deepEqual(
      last.map((line) => Number.parseInt(line, 10)),
      Array.from({ length: 10 }, (_, i) => 19_990 + i),
    );
    assert.equal(stream.droppedMessages, 0);
  });

  it('ends the connection of a peer that does not read, where that is the policy', async () => {
    const { loopback, peer, connection, stream } = await stalled({ policy: 'close' });
    await using _ = loopback;
    await flood(stream, connection, 20_000);
    assert.equal(connection.closeReason, 'stream-overrun');
    peer.readOn();
    await peer.gone();
    const lines = peer.text.split('\n').slice(0, -1);
    assert.deepEqual(
      lines.map((line) => Number.parseInt(line, 10)),
      lines.map((_, i) => i),
      'without a gap up to the end',
    );
  });

  it('makes its sender wait for the peer, where that is the policy', async () => {
    const { loopback, peer, stream } = await stalled({ policy: 'wait', maxMessages: 4 });
    await using _ = loopback;
    const sending = (async () => {
      for (let i = 0; i < 200; i++) {
        const message = Buffer.alloc(100_000, i);
        while (stream.offer(message) === 'full') await stream.drained();
      }
    })();
    await eventually('it is full', () => stream.queuedMessages > 0);
    peer.readOn();
    await sending;
    await peer.bytes(200 * 100_000);
    assert.equal(stream.droppedMessages, 0);
  });

  it('is over when the peer is gone', async () => {
    const { loopback, peer, stream } = await stalled({ policy: 'wait', maxBytes: 1 << 20 });
    await using _ = loopback;
    while (stream.offer(Buffer.alloc(100_000)) !== 'full') await new Promise((resolve) => setImmediate(resolve));
    const drained = stream.drained();
    peer.reset();
    await drained;
    await loopback.ending();
    assert.deepEqual([stream.offer(Buffer.from('x')), stream.queuedBytes], ['closed', 0]);
  });
});
