import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ManualClock } from '@sluice/testkit';
import { Hub } from '../../../../packages/server/dist/coordination/hub.js';
import { SharedQuotas, serveQuotas } from '../../../../packages/server/dist/coordination/shared-quotas.js';
import { serveSpace } from '../../../../packages/server/dist/coordination/shared-space.js';
import { WorkerCoordinator } from '../../../../packages/server/dist/coordination/worker-coordinator.js';
import { SpaceReservations } from '../../../../packages/server/dist/storage/staging/space-reservations.js';
import { mergedStats } from '../../../../packages/server/dist/workers/merged-stats.js';
import { RestartDelay } from '../../../../packages/server/dist/workers/restart-delay.js';

const MIB = 1 << 20;

/** Two processes of one server, here all in one. */
function processes(hub: Hub): readonly [WorkerCoordinator, WorkerCoordinator] {
  const add = (number: number): WorkerCoordinator => {
    let toHub = (_message: unknown): void => {};
    const worker = new WorkerCoordinator(number, (message) => {
      const copy: unknown = structuredClone(message);
      setImmediate(() => toHub(copy));
    });
    toHub = hub.add(number, (message) => {
      const copy: unknown = structuredClone(message);
      setImmediate(() => worker.receive(copy));
    });
    hub.admit(number);
    return worker;
  };
  return [add(1), add(2)];
}

describe('the quota of a user of several processes', () => {
  it('is one: what one process takes, the other cannot', async () => {
    const [hub, clock] = [new Hub(), new ManualClock()];
    serveQuotas(hub, clock);
    const measure = async (): Promise<number> => 60 * MIB;
    const [one, two] = processes(hub).map((worker) => new SharedQuotas(worker, clock).quota('u', 100 * MIB, measure));
    assert.equal(await one?.reserve(30 * MIB), true);
    assert.equal(await two?.take(15 * MIB), false);
    assert.equal(await two?.take(5 * MIB), true);
    one?.release(30 * MIB);
    assert.equal(await one?.take(0), true); // behind what was released
    clock.advance(1000); // what was taken ahead goes back
    assert.equal(await one?.take(35 * MIB), true);
    assert.equal(await two?.take(MIB), false);
  });

  it('gets back what a process had promised that is dead', async () => {
    const [hub, clock] = [new Hub(), new ManualClock()];
    serveQuotas(hub, clock);
    const measure = async (): Promise<number> => 0;
    const [one, two] = processes(hub).map((worker) => new SharedQuotas(worker, clock).quota('u', 10 * MIB, measure));
    assert.equal(await one?.reserve(10 * MIB), true);
    assert.equal(await two?.reserve(MIB), false);
    hub.remove(1);
    assert.equal(await two?.reserve(10 * MIB), true);
  });
});

describe('the room on the disk', () => {
  it('is promised once, whichever process asks', async () => {
    const hub = new Hub();
    serveSpace(hub);
    const free = async () => ({ freeBytes: 100, totalBytes: 1000 });
    const [one, two] = processes(hub).map((worker) => new SpaceReservations(free, 0, worker));
    const promised = await one?.reserve(80);
    await assert.rejects(async () => two?.reserve(30), { code: 'ERR_NO_SPACE', message: /20 are free/ });
    promised?.release();
    assert.ok(await one?.reserve(1)); // behind what was released
    assert.ok(await two?.reserve(99));
  });
});

describe('the supervisor of worker processes', () => {
  it('waits longer each time for one that dies soon, and not for one that has lived', () => {
    const delay = new RestartDelay();
    assert.deepEqual(
      [0, 0, 0].map((livedMs) => delay.after(livedMs)),
      [100, 200, 400],
    );
    assert.equal(delay.after(60_000), 100);
    for (let i = 0; i < 20; i += 1) delay.after(0);
    assert.equal(delay.after(0), 30_000);
  });

  it('tells the figures of all as those of one', () => {
    const one = {
      node: 'v20',
      now: 1,
      cpu: { user: 1.5 },
      delay: { p99: 3 },
      protocols: { Upload: 2 },
      handling: { boundsMs: [1], counts: [4, 1] },
      isReadOnly: true,
    };
    const two = {
      node: 'v20',
      now: 2,
      cpu: { user: 0.5 },
      delay: { p99: 7 },
      protocols: { Control: 1 },
      handling: { boundsMs: [1], counts: [2, 0] },
      isReadOnly: true,
    };
    assert.deepEqual(mergedStats([one, two]), {
      node: 'v20',
      now: 3,
      cpu: { user: 2 },
      delay: { p99: 7 },
      protocols: { Upload: 2, Control: 1 },
      handling: { boundsMs: [1], counts: [6, 1] },
      isReadOnly: true,
    });
    assert.deepEqual(one.protocols, { Upload: 2 }, 'and leaves theirs alone');
  });
});
