import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  FIRST_FLIGHT_RECORDS,
  FlightArchive,
  FlightRecorder,
  flightEvent,
  MAX_FLIGHT_RECORDS,
  sharedFlightBytes,
} from '@sluice/core';
import fc from 'fast-check';
import { eventually } from './support/eventually.js';
import { echo, Loopback } from './support/loopback.js';
import { frame } from './support/peer.js';

const question = flightEvent('question', { direction: 'in', unit: 'bytes' });
const answer = flightEvent('answer', { direction: 'out', unit: 'bytes' });
const kinds = Array.from({ length: 10 }, (_, at) => flightEvent(`kind ${at}`, { unit: 'code' }));

describe('flight recorder', () => {
  it('makes two runs of a million questions and answers, and stays small', () => {
    const recorder = new FlightRecorder(0);
    for (let n = 0; n < 1_000_000; n++) {
      recorder.nowMs = n / 1000;
      recorder.record(question, 10);
      recorder.record(answer, 20);
    }
    assert.deepEqual(
      [...recorder.entries()],
      [
        {
          event: 'question',
          direction: 'in',
          atMs: 0,
          lastMs: 1000,
          count: 1_000_000,
          unit: 'bytes',
          total: 10_000_000,
          largest: 10,
        },
        {
          event: 'answer',
          direction: 'out',
          atMs: 0,
          lastMs: 1000,
          count: 1_000_000,
          unit: 'bytes',
          total: 20_000_000,
          largest: 20,
        },
      ],
    );
    assert.equal(recorder.byteLength, 96);
  });

  it('keeps the first and the last of a million different events, and says how many are lost', () => {
    const recorder = new FlightRecorder(0);
    for (let n = 0; n < 1_000_000; n++) recorder.record(kinds[n % kinds.length]!, n);
    assert.equal(recorder.byteLength, MAX_FLIGHT_RECORDS * 24);
    assert.equal(recorder.lost, 1_000_000 - MAX_FLIGHT_RECORDS);
    const first = Array.from({ length: FIRST_FLIGHT_RECORDS }, (_, at) => at);
    const last = Array.from({ length: MAX_FLIGHT_RECORDS - FIRST_FLIGHT_RECORDS }, (_, at) => 999_928 + at);
    assert.deepEqual(
      [...recorder.entries()].map(({ total }) => total),
      [...first, ...last],
    );
  });

  it('begins a new run after a second of silence, and where the sum would not fit', () => {
    const recorder = new FlightRecorder(500);
    for (const nowMs of [500, 510, 520, 1519, 2519, 2600]) {
      recorder.nowMs = nowMs;
      recorder.record(question, 1);
    }
    recorder.record(question, 2 ** 32 - 1);
    assert.deepEqual(
      [...recorder.entries()].map(({ atMs, lastMs, count, total }) => [atMs, lastMs, count, total]),
      [
        [0, 1019, 4, 4],
        [2019, 2100, 2, 2],
        [2100, 2100, 1, 2 ** 32 - 1],
      ],
    );
  });

  it('makes two runs of a day of heartbeats and their answers, and begins anew when they come at other times', () => {
    const recorder = new FlightRecorder(0);
    for (let minute = 1; minute <= 1440; minute++) {
      recorder.nowMs = minute * 60_000 + (minute % 7) * 1000;
      recorder.record(question, 10);
      recorder.record(answer, 10);
    }
    recorder.nowMs += 10;
    recorder.record(question, 10);
    recorder.nowMs += 200_000;
    recorder.record(answer, 10);
    assert.deepEqual(
      [...recorder.entries()].map(({ event, count }) => [event, count]),
      [
        ['question', 1440],
        ['answer', 1440],
        ['question', 1],
        ['answer', 1],
      ],
    );
  });

  it('joins events that are told by a code only if that is the same', () => {
    const recorder = new FlightRecorder(0);
    for (const code of [5, 5, 13]) recorder.record(kinds[0]!, code);
    assert.deepEqual(
      [...recorder.entries()].map(({ count, largest }) => [count, largest]),
      [
        [2, 5],
        [1, 13],
      ],
    );
  });

  it('shares its memory with others while little has happened, and gives it back', () => {
    const before = sharedFlightBytes();
    const recorders = Array.from({ length: 1000 }, () => new FlightRecorder(0));
    for (let n = 0; n < 12; n++)
      for (const [at, recorder] of recorders.entries()) {
        recorder.nowMs = n + at;
        recorder.record(kinds[n % kinds.length]!, at * 100 + n);
        if (n === 3) assert.equal(recorder.byteLength, 96);
        if (n === 9) assert.equal(recorder.byteLength, 240);
        if (n === 9 && at >= 500) recorder.compact();
      }
    assert.ok(sharedFlightBytes() - before <= 32 << 10, 'all have memory of their own by now');
    for (const [at, recorder] of recorders.entries())
      assert.deepEqual(
        [...recorder.entries()].map(({ total }) => total),
        Array.from({ length: 12 }, (_, n) => at * 100 + n),
      );
  });

  it('counts times beyond those that fit into one word', () => {
    const recorder = new FlightRecorder(0);
    recorder.nowMs = 30 * 86_400_000;
    recorder.record(question, 1);
    assert.equal([...recorder.entries()][0]?.atMs, 30 * 86_400_000);
  });

  it('tells of each event as often, and with as much, as was recorded, while nothing is lost', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(3), fc.nat(1000), fc.nat(600)), { maxLength: MAX_FLIGHT_RECORDS }),
        (steps) => {
          const recorder = new FlightRecorder(0);
          const totals = new Map<string, number>();
          for (const [kind, value, passedMs] of steps) {
            recorder.nowMs += passedMs;
            recorder.record(kinds[kind]!, value);
            totals.set(`kind ${kind}`, (totals.get(`kind ${kind}`) ?? 0) + value);
          }
          const entries = [...recorder.entries()];
          assert.equal(
            entries.reduce((sum, { count }) => sum + count, 0),
            steps.length,
          );
          for (const [name, total] of totals)
            assert.equal(
              entries.reduce((sum, each) => sum + (each.event === name ? (each.total ?? 0) : 0), 0),
              total,
            );
          assert.deepEqual(
            entries.map(({ atMs }) => atMs),
            entries.map(({ atMs }) => atMs).toSorted((a, b) => a - b),
          );
        },
      ),
    );
  });
});

describe('flight archive', () => {
  const flown = (id: number, closedAtMs: number) => ({
    id,
    closedAtMs,
    recorder: new FlightRecorder(0),
    about: `of ${id}`,
  });

  it('keeps the latest, by number, by memory and by age', () => {
    const byNumber = new FlightArchive<string>({ maxConnections: 2, maxBytes: 1 << 20, keepMs: 1000 });
    for (const id of [1, 2, 3]) byNumber.add(flown(id, id));
    assert.deepEqual(
      [...byNumber.values()].map(({ about }) => about),
      ['of 2', 'of 3'],
    );
    byNumber.expire(1002);
    assert.deepEqual([byNumber.get(2), byNumber.get(3)?.id], [undefined, 3]);
    byNumber.expire(1003);
    assert.deepEqual([byNumber.size, byNumber.bytes], [0, 0]);
    const byMemory = new FlightArchive<string>({ maxConnections: 100, maxBytes: 3000, keepMs: 1000 });
    for (const id of [1, 2, 3]) byMemory.add(flown(id, id));
    assert.deepEqual([byMemory.size, byMemory.bytes], [2, 2048]);
  });
});

describe('the recorder of a connection', () => {
  it('tells what has come, what was sent, and how it ended, at the times of the clock', async () => {
    await using loopback = await Loopback.open({}, echo);
    const peer = await loopback.dial();
    peer.socket.write('abc');
    await eventually('the echo', () => peer.receivedBytes === 3);
    loopback.clock.advance(2000);
    const connection = loopback.connections[0]!;
    connection.record(question, 7);
    connection.close('shutdown');
    peer.socket.destroy();
    await eventually('the end', () => loopback.endings.length === 1);
    const told = [...connection.recorder.entries()].map(({ event, direction = '', atMs, total = 0 }) =>
      [event, direction, atMs, total].join(' '),
    );
    assert.deepEqual(told.slice(0, 4), ['bytes in 0 3', 'bytes out 0 3', 'question in 2000 7', 'closing  2000 0']);
    assert.equal(told.at(-1), 'gone  2000 0');
  });

  it('tells a handler that is slow, and the frames of one that does not name them', async () => {
    let release = (): void => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    await using loopback = await Loopback.openFramed({}, () => ({ onFrame: () => held }));
    const { peer } = await loopback.connect();
    peer.send(frame('one'));
    const { recorder } = loopback.connections[0]!;
    await eventually('the frame', () => [...recorder.entries()].length === 1);
    loopback.clock.advance(150);
    release();
    await eventually('the end of the work', () => [...recorder.entries()].length === 2);
    assert.deepEqual(
      [...recorder.entries()].map(({ event, atMs, total }) => [event, atMs, total]),
      [
        ['frame', 0, 7],
        ['handler-slow', 150, 150],
      ],
    );
  });
});
