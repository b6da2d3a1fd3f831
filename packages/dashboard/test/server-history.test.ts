import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { RollingSeries } from '../../../packages/dashboard/build/model/rolling-series.js';
import { figuresOf, pressureOf } from '../../../packages/dashboard/build/model/server-figures.js';
import { ServerHistory } from '../../../packages/dashboard/build/model/server-history.js';

function stats(uptimeMs: number, receivedBytes: number, sentBytes = 0): Record<string, unknown> {
  return { uptimeMs, receivedBytes, sentBytes, connections: { now: 3, waiting: 0 } };
}

describe('a series that rolls', () => {
  it('has the newest values of a span, and null where nothing is known', () => {
    const series = new RollingSeries(1, 100);
    for (let second = 1; second <= 10; second++) series.add(second, second === 9 ? [] : [second * 2]);
    assert.deepEqual(series.last(2), [
      [8, 9, 10],
      [16, null, 20],
    ]);
  });

  it('drops what is too old, so that it does not grow', () => {
    const series = new RollingSeries(1, 100);
    for (let second = 1; second <= 10_000; second++) series.add(second, [second]);
    assert.ok(series.length <= 160);
    assert.equal(series.last(1000)[1]!.at(-1), 10_000);
  });

  it('is empty at first', () => {
    assert.deepEqual(new RollingSeries(2, 100).last(10), [[], [], []]);
  });
});

describe('the history of a server', () => {
  it('has rates from totals, by the clock of the server', () => {
    const history = new ServerHistory();
    history.add(100, stats(1000, 0), 3);
    history.add(101.2, stats(2000, 5_000_000, 1000), 4);
    assert.equal(history.receiveRate, 5_000_000);
    assert.equal(history.sendRate, 1000);
    assert.deepEqual(history.throughput.last(10), [
      [100, 101.2],
      [null, 5_000_000],
      [null, 1000],
    ]);
  });

  it('has no rate over a restart of the server, where totals begin anew', () => {
    const history = new ServerHistory();
    history.add(100, stats(900_000, 7_000_000), 3);
    history.add(101, stats(500, 100), 3);
    history.add(102, stats(1500, 2100), 3);
    assert.deepEqual(history.throughput.last(10)[1], [null, null, 2000]);
  });

  it('has a gap where the server was not reached', () => {
    const history = new ServerHistory();
    history.add(100, stats(1000, 0), 3);
    history.addGap(101);
    history.add(102, stats(3000, 10), 3);
    assert.deepEqual(history.connections.last(10)[1], [3, null, 3]);
    assert.deepEqual(history.throughput.last(10)[1], [null, null, null]);
  });
});

describe('the times of a server', () => {
  const at = (uptimeMs: number, sumMs: number, counts: readonly number[]): Record<string, unknown> => ({
    ...stats(uptimeMs, 0),
    timings: { boundsMs: [1, 10, 100], handling: { sumMs, counts }, loopDelay: { sumMs, counts } },
  });

  it('are those between two answers: the mean, and the 99th percentile within its bucket', () => {
    const history = new ServerHistory();
    history.add(100, at(1000, 50, [10, 0, 0, 0]), 3);
    history.add(101, at(2000, 250, [108, 2, 0, 0]), 4);
    const [, mean, p99, roundTrip] = history.latency.last(10);
    assert.deepEqual(mean, [null, 2]);
    assert.deepEqual(p99, [null, 1 + 9 * 0.5]);
    assert.deepEqual(roundTrip, [3, 4]);
    assert.deepEqual(history.loopDelay.last(10)[1], [null, 2]);
  });

  it('are the last bound for what is above all', () => {
    const history = new ServerHistory();
    history.add(100, at(1000, 0, [0, 0, 0, 0]), 3);
    history.add(101, at(2000, 9000, [0, 0, 0, 3]), 3);
    assert.equal(history.latency.last(10)[2]!.at(-1), 100);
  });

  it('are not known while nothing happens, over a restart, and from a server that does not tell them', () => {
    const history = new ServerHistory();
    history.add(100, at(1000, 50, [10, 0, 0, 0]), 3);
    history.add(101, at(2000, 50, [10, 0, 0, 0]), 3);
    history.add(102, at(100, 5, [1, 0, 0, 0]), 3);
    history.add(103, { ...stats(1100, 0), timings: { handling: { counts: 'none' } } }, 3);
    assert.deepEqual(history.latency.last(10)[1], [null, null, null, null]);
  });
});

describe('the figures of a server', () => {
  it('are there as far as the server tells them', () => {
    const bare = figuresOf({});
    assert.equal(bare.connections, 0);
    assert.equal(bare.memoryLimit, undefined);
    assert.deepEqual([bare.admission, bare.memory, bare.refusedBy], [[], [], []]);
  });

  it('do not break on what is no figure', () => {
    const odd = figuresOf({ connections: 'many', memory: { rss: -1, ceiling: null }, transfers: Number.NaN });
    assert.equal(odd.connections, 0);
    assert.equal(odd.rss, undefined);
    assert.equal(odd.transfers, 0);
  });

  it('have budgets with their limits, and reasons by their number', () => {
    const figures = figuresOf({
      connections: { now: 90, max: 100, refusedBy: { full: 2, 'address-rate': 7 }, closed: { a: 1, b: 1, c: 5 } },
      descriptors: { used: 50, limit: 200 },
      memory: { rss: 1000, ceiling: { limit: 4000, budgets: { send: { limit: 10, used: 8, peak: 9 } } } },
    });
    assert.deepEqual(
      figures.admission.map(({ name, used, limit }) => [name, used, limit]),
      [
        ['Connections', 90, 100],
        ['Descriptors', 50, 200],
      ],
    );
    assert.deepEqual(
      figures.memory.map(({ name, used, limit, peak }) => [name, used, limit, peak]),
      [['Send', 8, 10, 9]],
    );
    assert.deepEqual(figures.refusedBy, [
      ['address-rate', 7],
      ['full', 2],
    ]);
    assert.deepEqual(
      figures.closed.map(([name]) => name),
      ['c', 'a', 'b'],
    );
  });

  it('say when a budget is nearly used up', () => {
    assert.deepEqual(
      [10, 70, 89, 90, 120].map((used) => pressureOf({ used, limit: 100 })),
      ['low', 'high', 'high', 'full', 'full'],
    );
  });
});
