import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  AcceptRamp,
  Admission,
  type AdmissionLimits,
  DescriptorBudget,
  FairQueue,
  NetworkAccounts,
  networkOf,
  type RefusalReason,
  type Slot,
  TokenBucket,
} from '@sluice/core';
import { ManualClock } from '@sluice/testkit';
import fc from 'fast-check';

const LIMITS: AdmissionLimits = {
  maxConnections: 2,
  maxWaiting: 2,
  maxUnestablished: 0,
  maxPerAddress: 0,
  connectionRatePerAddress: 0,
  connectionRate: 0,
  slowStart: false,
};

/** An admission whose newcomers are names, and what became of them. */
class Door {
  readonly clock = new ManualClock();
  readonly admitted = new Map<string, Slot>();
  readonly order: string[] = [];
  readonly refused: [name: string, reason: RefusalReason][] = [];
  readonly displaced: string[] = [];
  closedFor: RefusalReason | undefined;
  readonly admission: Admission<string>;

  constructor(limits: Partial<AdmissionLimits> = {}) {
    this.admission = new Admission<string>(
      { ...LIMITS, ...limits },
      {
        onAdmitted: (name, slot) => {
          this.admitted.set(name, slot);
          this.order.push(name);
          slot.displace = () => this.displaced.push(name);
        },
        onRefused: (name, reason) => this.refused.push([name, reason]),
        gate: () => this.closedFor,
      },
      this.clock,
    );
  }

  come(names: string, network = 'here'): void {
    for (const name of names) this.admission.offer(name, network, network !== 'uncounted');
  }

  leave(names: string): void {
    for (const name of names) this.leaveOne(name);
  }

  leaveOne(name: string): void {
    this.admission.release(this.admitted.get(name)!);
    this.admitted.delete(name);
  }

  establish(names: string): void {
    for (const name of names) this.admission.establish(this.admitted.get(name)!);
  }

  get names(): string {
    return [...this.admitted.keys()].join('');
  }

  get reasons(): string {
    return this.refused.map(([name, reason]) => `${name}:${reason}`).join(' ');
  }
}

describe('admission', () => {
  it('admits so many, lets so many wait, and refuses the others', () => {
    const door = new Door();
    door.come('abcde');
    assert.deepEqual([door.names, door.admission.active, door.admission.waiting], ['ab', 2, 2]);
    assert.equal(door.reasons, 'e:full');
  });

  it('gives a slot that is freed to who waits, at once', () => {
    const door = new Door();
    door.come('abcd');
    door.leave('a');
    assert.equal(door.names, 'bc');
    door.leave('bc');
    assert.equal(door.names, 'd');
    assert.equal(door.admission.active, 1);
  });

  it('goes on refusing until a quarter of the places to wait is free', () => {
    const door = new Door({ maxConnections: 1, maxWaiting: 8 });
    door.come('abcdefghi');
    door.come('j');
    door.leave('a'); // 7 wait
    door.come('k');
    assert.equal(door.reasons, 'j:full k:full');
    door.leave('b'); // 6 wait
    door.come('l');
    assert.equal(door.reasons, 'j:full k:full');
    assert.equal(door.admission.waiting, 7);
  });

  it('goes on refusing, where nobody may wait, until a twentieth of the connections has ended', () => {
    const door = new Door({ maxConnections: 20, maxWaiting: 0 });
    door.come('abcdefghijklmnopqrstu');
    assert.equal(door.reasons, 'u:full');
    door.leave('a');
    door.come('v');
    assert.equal(door.admitted.has('v'), true);
    door.come('w');
    assert.equal(door.reasons, 'u:full w:full');
  });

  it('serves those who wait in turns by where they come from', () => {
    const door = new Door({ maxConnections: 1, maxWaiting: 10 });
    door.come('a');
    door.come('1234', 'crowd');
    door.come('xy', 'other');
    for (let i = 0; i < 6; i++) door.leave(door.names);
    assert.equal(door.order.join(''), 'a1x2y34');
  });

  it('holds the limit of an address, those who wait included, and forgets an address whose connections have ended', () => {
    const door = new Door({ maxConnections: 2, maxWaiting: 9, maxPerAddress: 3 });
    door.come('abcd', 'crowd');
    assert.equal(door.reasons, 'd:network-full');
    door.come('e', 'other');
    assert.equal(door.admission.waiting, 2);
    door.come('fgh', 'uncounted');
    assert.equal(door.admission.waiting, 5);
    door.leave('a');
    door.come('i', 'crowd');
    assert.equal(door.reasons, 'd:network-full');
  });

  it('holds the rate of an address, twice as many at once after a quiet time', () => {
    const door = new Door({ maxConnections: 100, connectionRatePerAddress: 2 });
    door.come('abcdef', 'crowd');
    assert.equal(door.names, 'abcd');
    assert.equal(door.reasons, 'e:network-rate f:network-rate');
    door.clock.advance(500);
    door.come('gh', 'crowd');
    assert.equal(door.names, 'abcdg');
    door.come('i', 'other');
    assert.equal(door.names, 'abcdgi');
  });

  it('holds the rate in all: the others wait for their time, with nobody asking', () => {
    const door = new Door({ maxConnections: 100, maxWaiting: 100, connectionRate: 10 });
    door.come('abcdefghijklmn');
    assert.equal(door.names, 'abcdefghij');
    door.clock.advance(99);
    assert.equal(door.admitted.size, 10);
    door.clock.advance(10);
    assert.equal(door.admitted.size, 11);
    door.clock.advance(1000);
    assert.equal(door.admitted.size, 14);
    assert.equal(door.clock.pendingTimers, 0);
  });

  it('lets a newcomer displace the oldest that is not established, once that has had 3 s', () => {
    const door = new Door({ maxConnections: 100, maxWaiting: 100, maxUnestablished: 2 });
    door.come('abc');
    assert.deepEqual([door.names, door.admission.waiting], ['ab', 1]);
    door.establish('b');
    assert.equal(door.names, 'abc');
    door.come('d');
    door.clock.advance(2999);
    assert.deepEqual(door.displaced, []);
    door.clock.advance(1);
    assert.deepEqual([door.names, door.displaced], ['abcd', ['a']]);
    door.leave('a');
    assert.equal(door.admission.active, 3);
    assert.equal(door.admission.unestablished, 2);
  });

  it('admits nobody for a reason of its owner, and goes on when that has ended', () => {
    const door = new Door({ maxConnections: 100, maxWaiting: 1 });
    door.closedFor = 'memory';
    door.come('ab');
    assert.deepEqual([door.names, door.reasons], ['', 'b:memory']);
    door.closedFor = undefined;
    door.admission.serveWaiting();
    assert.equal(door.names, 'a');
  });

  it('begins slowly after a start and after an overload, and not in between', () => {
    const door = new Door({ maxConnections: 10_000, maxWaiting: 10_000, slowStart: true });
    const crowd = (count: number) => {
      for (let i = 0; i < count; i++) door.admission.offer(`${door.clock.nowMs()} ${i}`, 'here', false);
    };
    crowd(5000);
    assert.equal(door.admission.active, 1000);
    door.clock.advance(1000);
    assert.ok(Math.abs(door.admission.active - 2000) <= 10, `${door.admission.active}`);
    door.clock.advance(1000);
    assert.ok(Math.abs(door.admission.active - 4000) <= 20, `${door.admission.active}`);
    door.clock.advance(1000);
    assert.equal(door.admission.active, 5000);
    door.clock.advance(60_000);
    crowd(4000);
    assert.deepEqual([door.admission.active, door.admission.waiting], [9000, 0]);
  });

  it('refuses those who have waited too long, and lets those go who have gone', () => {
    const door = new Door({ maxConnections: 1, maxWaiting: 10, maxPerAddress: 5 });
    door.come('abc');
    door.clock.advance(500);
    door.come('d');
    assert.equal(door.admission.withdraw('b'), true);
    assert.equal(door.admission.withdraw('b'), false);
    door.clock.advance(500);
    door.admission.expire(1000);
    assert.deepEqual([door.reasons, door.admission.waiting], ['c:waited', 1]);
    door.come('efg');
    assert.equal(door.admission.waiting, 4);
  });

  it('admits nobody any more once it is closed, and says who waited', () => {
    const door = new Door({ connectionRate: 2 });
    door.come('abc');
    assert.deepEqual(door.admission.close(), ['c']);
    door.leave('a');
    door.clock.advance(10_000);
    assert.equal(door.names, 'b');
    assert.equal(door.clock.pendingTimers, 0);
  });

  it('never has more than it may, never forgets anybody, and ends with nothing, whatever happens', () => {
    const step = fc.oneof(
      fc.record({ kind: fc.constant('come' as const), network: fc.constantFrom('a', 'b', 'c', 'uncounted') }),
      fc.record({ kind: fc.constantFrom('leave' as const, 'establish' as const, 'withdraw' as const), pick: fc.nat() }),
      fc.record({ kind: fc.constant('pass' as const), ms: fc.nat({ max: 4000 }) }),
      fc.record({ kind: fc.constant('gate' as const), isOpen: fc.boolean() }),
    );
    const limits = fc.record({
      maxConnections: fc.integer({ min: 1, max: 6 }),
      maxWaiting: fc.nat({ max: 5 }),
      maxUnestablished: fc.nat({ max: 4 }),
      maxPerAddress: fc.nat({ max: 4 }),
      connectionRatePerAddress: fc.constantFrom(0, 1, 3),
      connectionRate: fc.constantFrom(0, 1, 5),
      slowStart: fc.boolean(),
    });
    fc.assert(
      fc.property(limits, fc.array(step, { maxLength: 120 }), (given, steps) => {
        const door = new Door(given);
        const networks = new Map<string, string>();
        const waiting = new Set<string>();
        let come = 0;
        let gone = 0;
        for (const one of steps) {
          if (one.kind === 'come') {
            const name = `n${come++}`;
            networks.set(name, one.network);
            waiting.add(name);
            door.admission.offer(name, one.network, one.network !== 'uncounted');
          } else if (one.kind === 'pass') {
            door.clock.advance(one.ms);
            door.admission.expire(5000);
          } else if (one.kind === 'gate') {
            door.closedFor = one.isOpen ? undefined : 'memory';
            door.admission.serveWaiting();
          } else if (one.kind === 'withdraw') {
            const name = [...waiting].at(one.pick % Math.max(1, waiting.size));
            if (name !== undefined && door.admission.withdraw(name)) {
              waiting.delete(name);
              gone += 1;
            }
          } else {
            const name = [...door.admitted.keys()].at(one.pick % Math.max(1, door.admitted.size));
            if (name !== undefined && one.kind === 'leave') {
              door.leaveOne(name);
              gone += 1;
            } else if (name !== undefined) door.admission.establish(door.admitted.get(name)!);
          }
          for (const name of door.admitted.keys()) waiting.delete(name);
          for (const [name] of door.refused) waiting.delete(name);
          const { active, waiting: waitingNow } = door.admission;
          assert.equal(active, door.admitted.size);
          assert.equal(waitingNow, [...waiting].filter((name) => !door.order.includes(name)).length);
          assert.equal(come, active + waitingNow + door.refused.length + gone);
          assert.ok(active <= given.maxConnections && waitingNow <= given.maxWaiting);
          if (given.maxPerAddress > 0) {
            for (const network of ['a', 'b', 'c']) {
              const held = [...door.admitted.keys(), ...waiting].filter((name) => networks.get(name) === network);
              assert.ok(held.length <= given.maxPerAddress);
            }
          }
        }
        door.admission.close();
        for (const name of [...door.admitted.keys()]) door.leaveOne(name);
        assert.equal(door.admission.active + door.admission.waiting + door.admission.unestablished, 0);
        assert.equal(door.clock.pendingTimers, 0);
      }),
      { numRuns: 500 },
    );
  });
});

describe('a token bucket', () => {
  it('never lets more through in any time than rate and burst allow, and says when the next token is there', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 50 }),
        fc.integer({ min: 1, max: 20 }),
        fc.array(fc.nat({ max: 700 }), { maxLength: 60 }),
        (rate, burst, pauses) => {
          const bucket = new TokenBucket(rate, burst, 0);
          let nowMs = 0;
          let taken = 0;
          for (const pauseMs of pauses) {
            nowMs += pauseMs;
            const waitMs = bucket.waitMs(nowMs);
            assert.equal(bucket.take(nowMs), waitMs === 0);
            if (waitMs === 0) taken += 1;
            else if (taken > 0) assert.ok(waitMs <= 1000 / rate);
            assert.ok(taken <= burst + (nowMs * rate) / 1000 + 1e-6);
          }
        },
      ),
    );
  });
});

describe('the slow start', () => {
  it('allows exactly as many as it says that it will', () => {
    const ramp = new AcceptRamp();
    assert.equal(ramp.take(0), true, 'before it has begun');
    ramp.start(0);
    let nowMs = 0;
    let taken = 0;
    while (nowMs < 6000) {
      if (ramp.take(nowMs)) taken += 1;
      else {
        const waitMs = ramp.waitMs(nowMs);
        assert.ok(waitMs > 0 && waitMs <= 10, `${waitMs}`);
        nowMs += Math.max(1, Math.ceil(waitMs));
      }
    }
    assert.ok(taken > 60_000 && taken < 65_000, `${taken}`);
    assert.equal(ramp.take(6000), true);
    assert.equal(ramp.waitMs(6000), 0);
  });
});

describe('a fair queue', () => {
  it('lets nobody wait for more than one item of each other owner, and loses nothing', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom('a', 'b', 'c'), { maxLength: 40 }), fc.nat(), (owners, seed) => {
        const queue = new FairQueue<number>();
        owners.forEach((owner, item) => void queue.push(item, owner, item));
        const removed = owners.length > 0 ? seed % owners.length : 0;
        assert.equal(queue.remove(removed), owners.length > 0);
        assert.equal(queue.remove(removed), false);
        const served: number[] = [];
        for (let item = queue.shift(); item !== undefined; item = queue.shift()) served.push(item);
        assert.equal(queue.size, 0);
        assert.deepEqual(
          served.toSorted((x, y) => x - y),
          owners.map((_, item) => item).filter((item) => item !== removed),
        );
        for (const owner of ['a', 'b', 'c']) {
          const own = served.filter((item) => owners[item] === owner);
          assert.deepEqual(
            own,
            own.toSorted((x, y) => x - y),
            'in order',
          );
          own.forEach((item, turn) => void assert.ok(served.indexOf(item) <= turn * 3 + 2, 'in turn'));
        }
      }),
    );
  });
});

describe('accounts of networks', () => {
  it('are bounded, however many networks come', () => {
    const accounts = new NetworkAccounts({ maxPerAddress: 5, connectionRatePerAddress: 1 });
    for (let i = 0; i < 30_000; i++) {
      assert.equal(accounts.add(`2001:db8:${i}::/64`, 0), undefined);
      accounts.remove(`2001:db8:${i}::/64`, 0);
    }
    assert.ok(accounts.size <= 10_000);
    accounts.add('10.0.0.1', 10_000);
    accounts.remove('10.0.0.1', 10_000);
    assert.ok(accounts.size <= 1, 'those that are as good as new are forgotten');
  });

  it('count IPv6 by its first 64 bits, and IPv4 however it is written', () => {
    assert.equal(networkOf('2001:db8:1:2:3:4:5:6'), networkOf('2001:db8:1:2::9'));
    assert.notEqual(networkOf('2001:db8:1:2::9'), networkOf('2001:db8:1:3::9'));
    assert.equal(networkOf('::ffff:10.1.2.3'), '10.1.2.3');
  });
});

describe('the budget of descriptors', () => {
  const plan = { limit: 256, reserve: 16, connectionShare: 80, fileShare: 40 };

  it('keeps a share for files and one for connections; the rest is for who comes first', () => {
    const full = new DescriptorBudget(plan);
    let connections = 0;
    while (full.takeConnection()) connections += 1;
    assert.equal(connections, 256 - 16 - 24 - 40);
    assert.equal(full.takeFiles(40), true);
    assert.equal(full.takeFiles(1), false);
    full.giveConnection();
    assert.equal(full.takeFiles(1), true);
    assert.equal(full.takeConnection(), false);

    const files = new DescriptorBudget(plan);
    assert.equal(files.takeFiles(256 - 16 - 24 - 80), true);
    assert.equal(files.takeFiles(1), false);
    assert.equal(files.takeConnection(), true);
  });

  it('counts what others hold as its own', () => {
    const budget = new DescriptorBudget(plan);
    budget.takeFiles(10);
    budget.noteOpen(110);
    assert.deepEqual([budget.own, budget.used], [100, 110]);
    let connections = 0;
    while (budget.takeConnection()) connections += 1;
    assert.equal(connections, 256 - 16 - 100 - 40);
    budget.noteOpen(5);
    assert.equal(budget.own, 24);
  });

  it('never hands out more than there is', () => {
    const step = fc.tuple(fc.constantFrom('take', 'give'), fc.constantFrom('connection', 'files'), fc.nat({ max: 60 }));
    fc.assert(
      fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
        const budget = new DescriptorBudget(plan);
        const files: number[] = [];
        for (const [what, kind, count] of steps) {
          if (kind === 'connection') {
            if (what === 'take') budget.takeConnection();
            else if (budget.connections > 0) budget.giveConnection();
          } else if (what === 'take') {
            if (budget.takeFiles(count)) files.push(count);
          } else if (files.length > 0) budget.giveFiles(files.pop()!);
          assert.ok(budget.used <= 256 - 16);
          assert.ok(budget.connections >= 0 && budget.files >= 0);
        }
      }),
    );
  });

  it('has no bound where the system does not say one', () => {
    const budget = new DescriptorBudget({ ...plan, limit: undefined });
    assert.equal(budget.takeFiles(1_000_000), true);
    assert.equal(budget.takeConnection(), true);
  });
});
