import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type LinkConditions, RandomSource, SimulatedClock, SimulatedEnd, SimulatedLink } from '@sluice/testkit';

const CONDITIONS: LinkConditions = {
  minDelayMs: 1,
  maxDelayMs: 5,
  segmentBytes: 3,
  sendBufferBytes: 8,
  receiveBufferBytes: 4,
};

class Place {
  readonly clock = new SimulatedClock(new RandomSource(1));
  readonly link = new SimulatedLink(this.clock, new RandomSource(2), CONDITIONS);
  readonly one: SimulatedEnd;
  readonly other: SimulatedEnd;
  readonly failures: string[] = [];

  constructor() {
    [this.one, this.other] = SimulatedEnd.pair(this.link);
    this.one.owner = { onReadable() {}, onRoom() {}, onFailed: () => this.failures.push('one') };
    this.other.owner = { onReadable() {}, onRoom() {}, onFailed: () => this.failures.push('other') };
  }

  pass(ms: number): void {
    const untilMs = this.clock.nowMs() + ms;
    while (this.clock.step(untilMs));
  }
}

describe('a simulated connection', () => {
  it('takes no more than its send buffer has room for, and brings that in order as the reader reads', () => {
    const { one, other, pass } = bound(new Place());
    assert.equal(one.write(Buffer.from('0123456789')), 8);
    pass(100);
    assert.equal(String(other.read(100)), '0123', 'no more than the receive buffer holds');
    assert.equal(one.write(Buffer.from('89')), 2);
    pass(100);
    assert.equal(String(other.read(2)), '45');
    assert.equal(String(other.read(100)), '67');
    pass(100);
    assert.equal(String(other.read(100)), '89');
  });

  it('brings the end behind what was written, and goes on in the other direction', () => {
    const { one, other, pass } = bound(new Place());
    one.write(Buffer.from('ab'));
    one.shutdown();
    pass(100);
    assert.equal(other.hasEnded, false, 'there is something to read first');
    assert.equal(String(other.read(100)), 'ab');
    assert.equal(other.hasEnded, true);
    assert.equal(other.write(Buffer.from('c')), 1);
    pass(100);
    assert.equal(String(one.read(100)), 'c');
  });

  it('is reset by a close that leaves bytes unread, and what had come before can still be read', () => {
    const place = new Place();
    const { one, other, pass } = bound(place);
    other.write(Buffer.from('x'));
    one.write(Buffer.from('y'));
    pass(100);
    one.close();
    pass(100);
    assert.deepEqual(place.failures, ['other']);
    assert.equal(String(other.read(100)), 'y');
    assert.equal(other.read(100), 'ECONNRESET');
    assert.equal(other.write(Buffer.from('z')), 'EPIPE');
  });

  it('answers by a reset what comes after its close', () => {
    const { one, other, pass } = bound(new Place());
    one.close();
    pass(100);
    assert.equal(other.hasEnded, true);
    assert.equal(other.write(Buffer.from('x')), 1, 'nobody knows yet');
    pass(100);
    assert.equal(other.write(Buffer.from('x')), 'ECONNRESET');
  });

  it('tells nobody when a machine vanishes, until the system gives up', () => {
    for (const [bytes, afterMs] of [
      ['x', 924_600],
      ['', 7_875_000],
    ] as const) {
      const place = new Place();
      const { one, other, pass } = bound(place);
      place.link.cut();
      one.write(Buffer.from(bytes));
      pass(afterMs - 1);
      assert.deepEqual(place.failures, []);
      pass(924_602);
      assert.deepEqual(place.failures, bytes === '' ? ['one', 'other'] : ['one']);
      assert.equal(one.read(100), 'ETIMEDOUT');
      assert.equal(other.isReadable, bytes === '');
    }
  });
});

function bound(place: Place): { one: SimulatedEnd; other: SimulatedEnd; pass: (ms: number) => void } {
  return { one: place.one, other: place.other, pass: (ms) => place.pass(ms) };
}
