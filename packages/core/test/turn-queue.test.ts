import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { ManualClock } from '@sluice/testkit';
import { TurnQueue } from '../../../packages/core/dist/turn-queue.js';

/** The queue, and what it called in each turn of the event loop. */
class Turns {
  readonly clock = new ManualClock();
  readonly queue = new TurnQueue(this.clock);
  #calls: string[] = [];

  /** Work that takes so long each time, and comes again so often. */
  add(name: string, times: number, tookMs: number): void {
    const work = (): void => {
      this.#calls.push(name);
      this.clock.advance(tookMs);
      times -= 1;
      if (times > 0) this.queue.add(work);
    };
    this.queue.add(work);
  }

  async next(): Promise<string> {
    await nextTurn();
    return this.#calls.splice(0).join('');
  }
}

describe('the queue of turns', () => {
  it('calls one that always has more to do once in a turn of the event loop, however long it goes on', async () => {
    const turns = new Turns();
    turns.add('a', 20, 1);
    for (let i = 0; i < 20; i++) assert.equal(await turns.next(), 'a', `turn ${i}`);
    assert.equal(await turns.next(), '');
    assert.equal(turns.queue.isBusy, false);
  });

  it('calls one after the other, as many as have room in a turn', async () => {
    const turns = new Turns();
    turns.add('a', 3, 0.1);
    turns.add('b', 2, 0.1);
    turns.add('c', 1, 5);
    turns.add('d', 1, 0.1);
    assert.equal(await turns.next(), 'abc');
    assert.equal(await turns.next(), 'dab');
    assert.equal(await turns.next(), 'a');
    assert.equal(await turns.next(), '');
  });

  it('calls one that is added again before its turn once, and one that is taken out not at all', async () => {
    const turns = new Turns();
    let calls = 0;
    const work = (): void => {
      calls += 1;
    };
    turns.queue.add(work);
    turns.queue.add(work);
    await turns.next();
    assert.equal(calls, 1);
    turns.queue.add(work);
    turns.queue.remove(work);
    assert.equal(turns.queue.isBusy, false);
    turns.queue.add(work);
    await turns.next();
    await turns.next();
    assert.equal(calls, 2);
  });
});
