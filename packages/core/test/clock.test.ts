import assert from 'node:assert/strict';
import { describe, it, mock } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { systemClock } from '@sluice/core';

describe('system clock', () => {
  it('never runs backwards', () => {
    let lastMs = systemClock.nowMs();
    for (let i = 0; i < 1000; i++) {
      const nowMs = systemClock.nowMs();
      assert.ok(nowMs >= lastMs);
      lastMs = nowMs;
    }
  });

  it('waits the longest time there is instead of a longer one, which Node takes for none', () => {
    const delays: unknown[] = [];
    for (const name of ['setTimeout', 'setInterval'] as const) {
      const original = globalThis[name];
      const mocked = mock.method(globalThis, name, (callback: () => void, delayMs: number) => {
        delays.push(delayMs);
        return original(callback, delayMs);
      });
      const cancel = systemClock[name === 'setTimeout' ? 'after' : 'every'](Number.POSITIVE_INFINITY, () => {});
      cancel();
      cancel();
      mocked.mock.restore();
    }
    assert.deepEqual(delays, [2 ** 31 - 1, 2 ** 31 - 1]);
  });

  it('calls back once, unless it is called off', async () => {
    const calls: string[] = [];
    const cancel = systemClock.after(0, () => calls.push('called off'));
    await new Promise<void>((resolve) => {
      systemClock.after(1, () => {
        calls.push('after');
        resolve();
      });
      cancel();
      keepAliveUntil(() => calls.includes('after'));
    });
    assert.deepEqual(calls, ['after']);
  });
});

/** Timers of the clock keep no process alive: turns of the event loop do. */
function keepAliveUntil(isDone: () => boolean): void {
  if (!isDone()) void nextTurn().then(() => keepAliveUntil(isDone));
}
