import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Hub } from '../../../../packages/server/dist/coordination/hub.js';
import { WorkerCoordinator } from '../../../../packages/server/dist/coordination/worker-coordinator.js';
import { OpenFiles, type WriteHolder } from '../../../../packages/server/dist/storage/open-files.js';

/** A channel that keeps the order, and carries what a structured clone can. */
function channel(receive: () => (message: unknown) => void): (message: unknown) => void {
  return (message) => {
    const copy: unknown = structuredClone(message);
    setImmediate(() => receive()(copy));
  };
}

/** Processes of one server, here all in one. */
class Processes {
  readonly hub = new Hub();
  readonly #dead = new Set<number>();

  add(number: number): WorkerCoordinator {
    const isThere = (receive: (message: unknown) => void) => (this.#dead.has(number) ? () => {} : receive);
    let toHub = (_message: unknown): void => {};
    const worker = new WorkerCoordinator(
      number,
      channel(() => isThere(toHub)),
    );
    toHub = this.hub.add(
      number,
      channel(() => isThere((message) => worker.receive(message))),
    );
    this.hub.admit(number);
    return worker;
  }

  kill(number: number): void {
    this.#dead.add(number);
    this.hub.remove(number);
  }
}

class Holder implements WriteHolder {
  readonly kind: WriteHolder['kind'];
  wasTakenOver = false;
  letGo!: () => void;
  readonly #lets: Promise<void>;

  constructor(kind: WriteHolder['kind'] = 'upload') {
    this.kind = kind;
    this.#lets = new Promise((resolve) => {
      this.letGo = resolve;
    });
  }

  takeOver(): Promise<void> {
    this.wasTakenOver = true;
    return this.#lets;
  }
}

const inUse = { code: 'ERR_IN_USE' };
const settle = async (): Promise<void> => {
  for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve));
};

describe('the files of a server of several processes', () => {
  it('are written by one of them at a time, and read by none meanwhile', async () => {
    const processes = new Processes();
    const [one, two] = [new OpenFiles(processes.add(1)), new OpenFiles(processes.add(2))];
    const claim = one.claimForWriting('k', new Holder('remote-stream'));
    await claim.ready;
    const other = two.claimForWriting('k', new Holder('remote-stream'));
    await assert.rejects(other.ready, inUse);
    other.release();
    await two.knownElsewhere('k');
    assert.throws(() => two.claimForReading('k'), inUse);
    claim.release();
    // What was released a moment ago is known as soon as it is asked for.
    await two.knownElsewhere('k');
    two.claimForReading('k').release();
    await settle();
    assert.equal(processes.hub.names, 0);
  });

  it('are not written while another process reads them', async () => {
    const processes = new Processes();
    const [one, two] = [new OpenFiles(processes.add(1)), new OpenFiles(processes.add(2))];
    const reading = two.claimForReading('k');
    const claim = one.claimForWriting('k', new Holder());
    await assert.rejects(claim.ready, inUse);
    claim.release();
    two.claimForReading('k').release(); // a refusal leaves nothing behind
    reading.release();
    const again = one.claimForWriting('k', new Holder());
    await again.ready;
    again.release();
  });

  it('go to the newer upload when the older one, in another process, has let go', async () => {
    const processes = new Processes();
    const [one, two] = [new OpenFiles(processes.add(1)), new OpenFiles(processes.add(2))];
    const older = new Holder();
    const claim = one.claimForWriting('k', older);
    await claim.ready;
    const newer = two.claimForWriting('k', new Holder());
    let isReady = false;
    void newer.ready.then(() => {
      isReady = true;
    });
    await settle();
    assert.deepEqual([older.wasTakenOver, claim.isSuperseded, isReady], [true, true, false]);
    older.letGo();
    await newer.ready;
    claim.release(); // means nothing any more
    await settle();
    assert.ok(two.isWritten('k'));
    newer.release();
  });

  it('never have two writers, whoever asks first', async () => {
    const processes = new Processes();
    const tables = [1, 2, 3].map((number) => new OpenFiles(processes.add(number)));
    const claims = tables.map((table) => table.claimForWriting('k', new Holder('remote-stream')));
    const results = await Promise.allSettled(claims.map(({ ready }) => ready));
    assert.equal(results.filter(({ status }) => status === 'fulfilled').length, 1);
    for (const claim of claims) claim.release();
    await settle();
    assert.equal(processes.hub.names, 0);
  });

  it('are free when the process that had them is dead', async () => {
    const processes = new Processes();
    const [one, two] = [new OpenFiles(processes.add(1)), new OpenFiles(processes.add(2))];
    await one.claimForWriting('k', new Holder()).ready;
    processes.kill(1);
    const claim = two.claimForWriting('k', new Holder('remote-stream'));
    await claim.ready;
    claim.release();
  });

  it('are known to be written to a process that begins later', async () => {
    const processes = new Processes();
    const one = new OpenFiles(processes.add(1));
    const claim = one.claimForWriting('k', new Holder('remote-stream'));
    await claim.ready;
    const late = new OpenFiles(processes.add(2));
    await settle();
    assert.throws(() => late.claimForReading('k'), inUse);
    claim.release();
    await late.knownElsewhere('k');
    late.claimForReading('k').release();
  });

  it('are not removed while another process has them open, and not opened while one removes them', async () => {
    const processes = new Processes();
    const [one, two] = [new OpenFiles(processes.add(1)), new OpenFiles(processes.add(2))];
    const reading = two.claimForReading('k');
    assert.equal(await one.isInUse.others?.haveOpen(['other', 'k']), true);
    assert.equal(await one.isInUse.others?.claimForRemoving('k'), undefined);
    reading.release();
    const removal = await one.isInUse.others?.claimForRemoving('k');
    assert.ok(removal);
    let isKnown = false;
    const known = two.knownElsewhere('k')?.then(() => {
      isKnown = true;
    });
    await settle();
    assert.equal(isKnown, false, 'whoever wants to open it waits for its end');
    removal.release();
    await known;
    two.claimForReading('k').release();
  });

  it('are not written by another process while one removes them', async () => {
    const processes = new Processes();
    const [one, two] = [new OpenFiles(processes.add(1)), new OpenFiles(processes.add(2))];
    const removal = await one.isInUse.others?.claimForRemoving('k');
    assert.ok(removal);
    for (const kind of ['upload', 'remote-stream'] as const) {
      const claim = two.claimForWriting('k', new Holder(kind));
      await assert.rejects(claim.ready, inUse);
      claim.release();
    }
    removal.release();
    await two.claimForWriting('k', new Holder()).ready;
  });

  it('lose their names in one process at a time: none writes, removes, replaces or moves them meanwhile, who reads stays', async () => {
    const processes = new Processes();
    const [one, two] = [new OpenFiles(processes.add(1)), new OpenFiles(processes.add(2))];
    const reading = two.claimForReading('k');
    const both = await Promise.allSettled([one.claimForMoving('k'), two.claimForMoving('k')]);
    assert.deepEqual(
      both.map(({ status }) => status),
      ['fulfilled', 'rejected'],
    );
    const claim = two.claimForWriting('l', new Holder());
    await claim.ready;
    await assert.rejects(one.claimForMoving('l'), inUse);
    claim.release();
    assert.throws(() => two.claimForReplacing('k'), inUse);
    await assert.rejects(two.claimForMoving('k'), inUse);
    assert.equal(await two.isInUse.others?.claimForRemoving('k'), undefined);
    reading.release();
    const writing = two.claimForWriting('k', new Holder());
    await assert.rejects(writing.ready, inUse);
    writing.release();
    if (both[0]?.status === 'fulfilled') both[0].value.release();
    await two.knownElsewhere('k');
    const replacing = two.claimForReplacing('k');
    await assert.rejects(one.claimForMoving('k'), inUse);
    replacing.release();
    (await one.claimForMoving('k')).release();
    await settle();
    assert.equal(processes.hub.names, 0);
  });
});

describe('what processes do one after the other', () => {
  it('has its turn in the order in which it was asked for, and the turn of a dead process passes', async () => {
    const processes = new Processes();
    const [one, two, three] = [processes.add(1), processes.add(2), processes.add(3)];
    const order: number[] = [];
    const first = await one.lock('log');
    const second = two.lock('log').then(() => order.push(2));
    await settle();
    const third = three.lock('log').then(() => order.push(3));
    await settle();
    assert.deepEqual(order, []);
    first.release();
    await second;
    processes.kill(2);
    await third;
    assert.deepEqual(order, [2, 3]);
  });

  it('is told to all others, and asked of those that are there', async () => {
    const processes = new Processes();
    const [one, two, three] = [processes.add(1), processes.add(2), processes.add(3)];
    two.on('sum', ([a, b]: readonly [number, number]) => a + b);
    three.on('sum', () => {
      throw new Error('cannot');
    });
    assert.deepEqual(await one.gather('sum', [1, 2]), [3]);
    await assert.rejects(one.ask('nobody', 1), { message: 'nobody answers nobody' });
  });
});
