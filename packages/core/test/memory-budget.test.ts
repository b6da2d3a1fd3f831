import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { MEMORY_STALL_MS, MEMORY_WAIT_MS, type MemoryAccount, MemoryBudget, type MemoryHolder } from '@sluice/core';
import fc from 'fast-check';

const KIB = 1024;

/** A holder that does as it is told. */
class Holder implements MemoryHolder {
  readonly account: MemoryAccount;
  pauses = 0;
  isClosed = false;

  constructor(budget: MemoryBudget) {
    this.account = budget.open(this);
  }

  pauseForMemory(): void {
    this.pauses += 1;
  }

  resumeForMemory(): void {
    this.pauses -= 1;
  }

  closeForMemory(): void {
    this.isClosed = true;
    this.account.close();
  }
}

function budgetOf(kib: number) {
  const clock = { nowMs: 0 };
  const budget = new MemoryBudget(kib * KIB, () => clock.nowMs);
  const holders = (count: number): Holder[] => Array.from({ length: count }, () => new Holder(budget));
  return { clock, budget, holders };
}

describe('a memory budget', () => {
  it('has no level while less than 60% is held, and then one for 60%, 80% and the whole', () => {
    const { budget, holders } = budgetOf(1000);
    const [one] = holders(1);
    for (const [kib, level] of [
      [600, 0],
      [601, 1],
      [800, 1],
      [801, 2],
      [1000, 2],
    ] as const) {
      one!.account.set(kib * KIB);
      assert.equal(budget.level, level, `${kib} KiB`);
    }
    assert.equal(budget.peakBytes, 1000 * KIB);
  });

  it('stops reading from those that hold much at level 2, and goes on below level 1', () => {
    const { budget, holders } = budgetOf(1000);
    const [heavy, light, late] = holders(3);
    heavy!.account.set(700 * KIB);
    light!.account.set(32 * KIB);
    late!.account.set(70 * KIB);
    assert.deepEqual([heavy!.pauses, light!.pauses, late!.pauses], [1, 0, 1]);
    light!.account.set(0);
    assert.equal(heavy!.pauses, 1, 'it is still above level 1');
    late!.account.set(0);
    assert.equal(late!.pauses, 0, 'who holds nothing is read');
    heavy!.account.set(300 * KIB);
    assert.equal(heavy!.pauses, 0);
    assert.equal(budget.counters.paused, 2);
  });

  it('closes those that hold most, whoever brings it above its limit', () => {
    const { budget, holders } = budgetOf(1000);
    const [heaviest, other, last] = holders(3);
    heaviest!.account.set(600 * KIB);
    other!.account.set(250 * KIB);
    last!.account.set(200 * KIB);
    assert.deepEqual([heaviest!.isClosed, other!.isClosed, last!.isClosed], [true, false, false]);
    assert.equal(budget.usedBytes, 450 * KIB);
    assert.equal(budget.counters.closed, 1);
  });

  it('lets requests wait in order, and each go on when there is room for it', async () => {
    const { budget, holders } = budgetOf(1000);
    const [one] = holders(1);
    one!.account.set(590 * KIB);
    const order: string[] = [];
    const first = budget.waitForRoom(400 * KIB).then((hasRoom) => order.push(`first ${hasRoom}`));
    const second = budget.waitForRoom(1).then((hasRoom) => order.push(`second ${hasRoom}`));
    await turn();
    assert.deepEqual(order, [], 'the second one does not overtake');
    one!.account.set(0);
    await Promise.all([first, second]);
    assert.deepEqual(order, ['first true', 'second true']);
    assert.equal(budget.waitingNow, 0);
  });

  it('counts what it has let go on at once, before that shows', async () => {
    const { budget, holders } = budgetOf(1000);
    const [one, two] = holders(2);
    one!.account.set(590 * KIB);
    const waits = [budget.waitForRoom(400 * KIB), budget.waitForRoom(400 * KIB)];
    one!.account.set(100 * KIB);
    two!.account.set(50 * KIB);
    two!.account.set(0);
    assert.equal(budget.waitingNow, 1);
    assert.equal(await waits[0], true);
    two!.account.set(400 * KIB);
    await turn();
    await turn();
    assert.equal(budget.waitingNow, 1, 'there is no room for the second one');
    two!.account.set(0);
    assert.equal(await waits[1], true);
  });

  it('refuses a request that has waited too long, and one whose peer is gone', async () => {
    const { clock, budget, holders } = budgetOf(1000);
    const [one] = holders(1);
    one!.account.set(600 * KIB);
    const gone = new AbortController();
    const [late, left, endless] = [
      budget.waitForRoom(KIB),
      budget.waitForRoom(KIB, gone.signal),
      budget.waitForRoom(KIB, undefined, Number.POSITIVE_INFINITY),
    ];
    gone.abort();
    assert.equal(await left, false);
    clock.nowMs = MEMORY_WAIT_MS;
    budget.check();
    assert.equal(await late, false);
    assert.equal(budget.waitingNow, 1, 'what is under way is never refused');
    one!.account.set(0);
    assert.equal(await endless, true);
    assert.deepEqual(budget.counters, { waited: 3, refused: 2, paused: 0, closed: 0 });
  });

  it('closes those that hold memory without moving when it has been short for a time, and nobody else', () => {
    const { clock, budget, holders } = budgetOf(1000);
    const [stalled, moving] = holders(2);
    stalled!.account.set(400 * KIB);
    moving!.account.set(300 * KIB);
    budget.check();
    clock.nowMs = MEMORY_STALL_MS;
    moving!.account.set(250 * KIB);
    moving!.account.set(300 * KIB);
    budget.check();
    assert.deepEqual([stalled!.isClosed, moving!.isClosed], [true, false]);
    assert.equal(budget.level, 0);
  });

  it('lets one that needs more than level 1 go on when nothing else is held', async () => {
    const { budget } = budgetOf(1000);
    assert.equal(await budget.waitForRoom(900 * KIB), true);
  });

  it('never holds more than its limit, returns to zero, and leaves nobody paused, whatever happens', () => {
    const step = fc.tuple(fc.nat(7), fc.integer({ min: 0, max: 400 }));
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const { budget, holders } = budgetOf(1000);
        const all = holders(8);
        for (const [index, kib] of steps) {
          const holder = all[index]!;
          if (!holder.isClosed) holder.account.set(kib * KIB);
          assert.ok(budget.usedBytes <= budget.limitBytes);
          const sum = all.reduce((total, { account }) => total + account.bytes, 0);
          assert.equal(budget.usedBytes, sum);
          for (const { pauses } of all) assert.ok(pauses === 0 || pauses === 1);
        }
        for (const holder of all) if (!holder.isClosed) holder.account.set(0);
        assert.equal(budget.usedBytes, 0);
        assert.equal(budget.pausedNow, 0);
        for (const { isClosed, pauses } of all) assert.ok(isClosed || pauses === 0);
      }),
    );
  });
});
