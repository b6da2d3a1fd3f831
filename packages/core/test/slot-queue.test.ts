import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { descriptorLimit, fitToDescriptors, SlotQueue } from '@sluice/core';
import fc from 'fast-check';

describe('slots with a queue', () => {
  it('gives so many, lets so many wait, and refuses the others', () => {
    const admission = new SlotQueue<string>(2, 1);
    assert.deepEqual(
      ['a', 'b', 'c', 'd'].map((name) => admission.offer(name, 0)),
      ['admitted', 'admitted', 'waiting', 'refused'],
    );
    assert.deepEqual([admission.active, admission.waiting], [2, 1]);
  });

  it('gives a slot that comes back to the longest waiting at once', () => {
    const admission = new SlotQueue<string>(1, 3);
    for (const name of ['a', 'b', 'c']) admission.offer(name, 0);
    assert.equal(admission.release(), 'b');
    assert.equal(admission.active, 1);
    assert.equal(admission.offer('d', 0), 'waiting');
    assert.deepEqual([admission.release(), admission.release(), admission.release()], ['c', 'd', undefined]);
    assert.equal(admission.active, 0);
    assert.equal(admission.offer('e', 0), 'admitted');
  });

  it('lets nobody wait where there is no place to', () => {
    const admission = new SlotQueue<string>(1, 0);
    assert.deepEqual([admission.offer('a', 0), admission.offer('b', 0)], ['admitted', 'refused']);
    assert.equal(admission.release(), undefined);
    assert.equal(admission.offer('c', 0), 'admitted');
  });

  it('ends all waiting', () => {
    const admission = new SlotQueue<string>(1, 5);
    for (const name of ['a', 'b', 'c']) admission.offer(name, 0);
    assert.deepEqual(admission.withdrawAll(), ['b', 'c']);
    assert.equal(admission.release(), undefined);
    assert.equal(admission.active, 0);
  });

  it('keeps its limits and its order whatever comes and goes', () => {
    fc.assert(
      fc.property(
        fc.nat(5),
        fc.nat(5),
        fc.array(fc.constantFrom('come', 'go'), { maxLength: 200 }),
        (maxActive, maxWaiting, steps) => {
          const admission = new SlotQueue<number>(maxActive, maxWaiting);
          const order: number[] = [];
          const admitted: number[] = [];
          let active = 0;
          let next = 0;
          for (const step of steps) {
            if (step === 'come') {
              const result = admission.offer(++next, 0);
              if (result !== 'refused') order.push(next);
              if (result === 'admitted') {
                admitted.push(next);
                active += 1;
              }
            } else if (active > 0) {
              const successor = admission.release();
              if (successor === undefined) active -= 1;
              else admitted.push(successor);
            }
            assert.equal(admission.active, active);
            assert.ok(active <= maxActive && admission.waiting <= maxWaiting);
            assert.ok(admission.waiting === 0 || active === maxActive, 'somebody waits although a slot is free');
          }
          assert.deepEqual(admitted, order.slice(0, admitted.length));
        },
      ),
    );
  });
});

describe('descriptor limit', () => {
  const wanted = { maxConnections: 10_000, maxWaiting: 1024 };

  it('leaves the numbers alone where the system sets no limit, or one that is far above', () => {
    assert.deepEqual(fitToDescriptors(wanted, undefined), wanted);
    assert.deepEqual(fitToDescriptors(wanted, 1_000_000), wanted);
  });

  it('lowers the numbers to two thirds of the descriptors', () => {
    assert.deepEqual(fitToDescriptors(wanted, 1024), { maxConnections: 512, maxWaiting: 170 });
    assert.deepEqual(fitToDescriptors({ maxConnections: 10, maxWaiting: 5 }, 1024), {
      maxConnections: 10,
      maxWaiting: 5,
    });
  });

  it('never promises more than there is, and always serves somebody', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 100_000 }),
        fc.nat(5000),
        fc.nat(200_000),
        (connections, waiting, limit) => {
          const fitted = fitToDescriptors({ maxConnections: connections, maxWaiting: waiting }, limit);
          assert.ok(fitted.maxConnections >= 1);
          assert.ok(fitted.maxConnections <= connections && fitted.maxWaiting <= waiting);
          if (limit >= 80) assert.ok(fitted.maxConnections + fitted.maxWaiting <= limit - 64);
        },
      ),
    );
  });

  it('is read from the system', { skip: process.platform !== 'linux' }, () => {
    const limit = descriptorLimit();
    assert.ok(limit === undefined || limit >= 64);
  });
});
