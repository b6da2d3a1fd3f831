import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { describe, it } from 'node:test';
import { ManualClock } from '@sluice/testkit';
import { LoginGuard } from '../../../../packages/server/dist/users/login-guard.js';

const right = async (): Promise<boolean> => true;
const wrong = async (): Promise<boolean> => false;

/** Lets everything happen that needs no time. */
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** An attempt whose verification the test ends, and what is known of it so far. */
class Attempt {
  isVerifying = false;
  answer: boolean | 'unchecked' | 'refused by signal' | undefined;
  end!: (isRight: boolean) => void;
  readonly #verified = new Promise<boolean>((resolve) => {
    this.end = resolve;
  });

  constructor(guard: LoginGuard, address: string, signal?: AbortSignal) {
    const verify = (): Promise<boolean> => {
      this.isVerifying = true;
      return this.#verified;
    };
    guard.attempt(address, 'ada', verify, signal).then(
      (answer) => {
        this.answer = answer ?? 'unchecked';
      },
      () => {
        this.answer = 'refused by signal';
      },
    );
  }
}

/** Fails `times` attempts, with all waiting that is needed. */
async function failTimes(guard: LoginGuard, clock: ManualClock, address: string, times: number): Promise<void> {
  for (let index = 0; index < times; index += 1) {
    const failing = guard.attempt(address, 'ada', wrong);
    await settle();
    clock.advance(8000);
    assert.equal(await failing, false);
  }
}

describe('LoginGuard', () => {
  it('gives the answer of the verification, without delay for an address that has not failed', async () => {
    const clock = new ManualClock();
    const guard = new LoginGuard({ clock });
    for (let index = 0; index < 50; index += 1) assert.equal(await guard.attempt('192.0.2.1', 'ada', right), true);
    assert.equal(await guard.attempt('192.0.2.1', 'ada', wrong), false);
    assert.equal(guard.knownAddresses, 1);
    assert.equal(clock.pendingTimers, 0);
  });

  it('holds attempts back for 0, 500, 1000, 2000, 4000, 8000 and 8000 ms after each failure', async () => {
    const clock = new ManualClock();
    const guard = new LoginGuard({ clock });
    assert.equal(await guard.attempt('a', 'ada', wrong), false);
    for (const delayMs of [0, 500, 1000, 2000, 4000, 8000, 8000, 8000]) {
      const attempt = new Attempt(guard, 'a');
      await settle();
      if (delayMs > 0) {
        clock.advance(delayMs - 1);
        await settle();
        assert.equal(attempt.isVerifying, false, `before ${delayMs} ms`);
        clock.advance(1);
        await settle();
      }
      assert.equal(attempt.isVerifying, true, `after ${delayMs} ms`);
      attempt.end(false);
      await settle();
      assert.equal(attempt.answer, false);
    }
    assert.equal(clock.pendingTimers, 0);
  });

  it('holds a right guess back as long as a wrong one', async () => {
    const clock = new ManualClock();
    const guard = new LoginGuard({ clock });
    await failTimes(guard, clock, 'a', 3);
    const attempt = new Attempt(guard, 'a');
    attempt.end(true);
    clock.advance(999);
    await settle();
    assert.equal(attempt.answer, undefined);
    clock.advance(1);
    await settle();
    assert.equal(attempt.answer, true);
  });

  it('verifies one at a time after a failure, so that more connections do not guess faster', async () => {
    const clock = new ManualClock();
    const guard = new LoginGuard({ clock });
    await failTimes(guard, clock, 'a', 2);
    const attempts = Array.from({ length: 5 }, () => new Attempt(guard, 'a'));
    for (const [index, delayMs] of [500, 1000, 2000, 4000, 8000].entries()) {
      await settle();
      clock.advance(delayMs);
      await settle();
      assert.deepEqual(
        attempts.map(({ isVerifying }) => isVerifying),
        attempts.map((_, other) => other <= index),
      );
      attempts[index]!.end(false);
    }
    await settle();
    assert.ok(attempts.every(({ answer }) => answer === false));
  });

  it('verifies at most four at a time before the first failure, and the rest one by one after it', async () => {
    const guard = new LoginGuard({ clock: new ManualClock() });
    const attempts = Array.from({ length: 300 }, () => new Attempt(guard, 'a'));
    await settle();
    const verifying = (): number => attempts.filter(({ isVerifying }) => isVerifying).length;
    assert.equal(verifying(), 4);
    attempts[0]!.end(false);
    await settle();
    assert.equal(verifying(), 4);
    for (const attempt of attempts.slice(1, 4)) attempt.end(false);
    await settle();
    assert.equal(verifying(), 4, 'the fifth waits for its delay');
  });

  it('lets 300 right logins at once of an address without failures all succeed', async () => {
    const guard = new LoginGuard({ clock: new ManualClock() });
    const answers = await Promise.all(Array.from({ length: 300 }, () => guard.attempt('a', 'ada', right)));
    assert.ok(answers.every((answer) => answer));
  });

  it('refuses unchecked those that came before the first failure was known and would wait too long after it', async () => {
    const guard = new LoginGuard({ clock: new ManualClock() });
    const first = Array.from({ length: 4 }, () => new Attempt(guard, 'a'));
    const behind = Array.from({ length: 40 }, () => new Attempt(guard, 'a'));
    first[0]!.end(false);
    await settle();
    assert.equal(behind.filter(({ answer }) => answer === 'unchecked').length, 40 - 16);
  });

  it('clears the address at a success', async () => {
    const clock = new ManualClock();
    const guard = new LoginGuard({ clock });
    await failTimes(guard, clock, 'a', 5);
    const success = guard.attempt('a', 'ada', right);
    clock.advance(8000);
    assert.equal(await success, true);
    assert.equal(guard.knownAddresses, 0);
    assert.equal(await guard.attempt('a', 'ada', wrong), false);
  });

  it('forgets an address ten minutes after its last failure, and not before', async () => {
    const clock = new ManualClock();
    const guard = new LoginGuard({ clock });
    await failTimes(guard, clock, 'a', 3);
    clock.advance(600_000 - 8000 - 1);
    const early = new Attempt(guard, 'a');
    await settle();
    assert.equal(early.isVerifying, false);
    clock.advance(1000);
    await settle();
    early.end(false);
    await settle();
    clock.advance(600_000);
    assert.equal(await guard.attempt('a', 'ada', right), true);
  });

  it('refuses the seventeenth that would wait, at once and without verifying it', async () => {
    const clock = new ManualClock();
    const guard = new LoginGuard({ clock });
    await failTimes(guard, clock, 'a', 2);
    const running = new Attempt(guard, 'a');
    const waiting = Array.from({ length: 16 }, () => new Attempt(guard, 'a'));
    const refused = new Attempt(guard, 'a');
    await settle();
    assert.equal(refused.answer, 'unchecked');
    assert.equal(refused.isVerifying, false);
    assert.ok([running, ...waiting].every(({ answer }) => answer === undefined));
    const elsewhere = new Attempt(guard, 'b');
    await settle();
    assert.equal(elsewhere.isVerifying, true);
  });

  it('calls the wait off, in the queue and in the delay, and leaves no timer or listener', async () => {
    const clock = new ManualClock();
    const guard = new LoginGuard({ clock });
    await failTimes(guard, clock, 'a', 2);
    const [inDelay, inQueue] = [new AbortController(), new AbortController()];
    const delayed = new Attempt(guard, 'a', inDelay.signal);
    const queued = new Attempt(guard, 'a', inQueue.signal);
    const last = new Attempt(guard, 'a');
    await settle();
    inQueue.abort();
    inDelay.abort();
    await settle();
    assert.deepEqual([delayed.answer, queued.answer], ['refused by signal', 'refused by signal']);
    assert.equal(clock.pendingTimers, 1);
    clock.advance(500);
    await settle();
    assert.ok(last.isVerifying && !delayed.isVerifying && !queued.isVerifying);
    last.end(true);
    await settle();
    assert.equal(last.answer, true);
    assert.equal(clock.pendingTimers, 0);
    assert.equal(getEventListeners(inQueue.signal, 'abort').length, 0);
    const { signal } = new AbortController();
    await guard.attempt('a', 'ada', wrong, signal);
    await guard.attempt('a', 'ada', wrong, signal);
    const third = guard.attempt('a', 'ada', right, signal);
    await settle();
    clock.advance(500);
    await third;
    assert.equal(getEventListeners(signal, 'abort').length, 0);
  });

  it('rejects at once for a signal that was aborted before', async () => {
    const guard = new LoginGuard({ clock: new ManualClock() });
    await assert.rejects(guard.attempt('a', 'ada', right, AbortSignal.abort()), { name: 'AbortError' });
  });

  it('passes on what the verification throws, and counts it as neither', async () => {
    const clock = new ManualClock();
    const guard = new LoginGuard({ clock });
    const failing = async (): Promise<boolean> => {
      throw new Error('no memory');
    };
    for (let index = 0; index < 5; index += 1) await assert.rejects(guard.attempt('a', 'ada', failing), /no memory/);
    assert.equal(guard.knownAddresses, 0);
    assert.equal(await guard.attempt('a', 'ada', right), true);
  });

  for (const [one, other, isSame] of [
    ['2001:db8:1:2::1', '2001:db8:1:2:ffff:ffff:ffff:ffff', true],
    ['2001:db8:1:2::1', '2001:0DB8:0001:0002:0:0:0:9', true],
    ['2001:db8:1:2::1', '2001:db8:1:3::1', false],
    ['2001:db8::1', '2001:db8::2', true],
    ['::1', '::2', true],
    ['fe80::1%eth0', 'fe80::2', true],
    ['192.0.2.1', '192.0.2.2', false],
    ['::ffff:192.0.2.1', '192.0.2.1', true],
    ['::ffff:c000:201', '192.0.2.1', true],
    ['::ffff:192.0.2.1', '::ffff:192.0.2.2', false],
  ] as const) {
    it(`takes ${one} and ${other} for ${isSame ? 'one address' : 'two addresses'}`, async () => {
      const clock = new ManualClock();
      const guard = new LoginGuard({ clock });
      await failTimes(guard, clock, one, 2);
      const attempt = new Attempt(guard, other);
      await settle();
      assert.equal(attempt.isVerifying, !isSame);
    });
  }

  it('knows a bounded number of addresses, and forgets first who failed longest ago', async () => {
    const clock = new ManualClock();
    const guard = new LoginGuard({ clock, maxAddresses: 3 });
    for (const address of ['a', 'b', 'c']) await failTimes(guard, clock, address, 2);
    await failTimes(guard, clock, 'a', 1);
    await failTimes(guard, clock, 'd', 1);
    assert.equal(guard.knownAddresses, 3);
    const [a, b] = [new Attempt(guard, 'a'), new Attempt(guard, 'b')];
    await settle();
    assert.deepEqual([a.isVerifying, b.isVerifying], [false, true]);
  });
});

describe('a login that succeeds', () => {
  it('takes back the failures of its own user name only: an account is no help to guess those of others (D24)', async () => {
    const clock = new ManualClock();
    const guard = new LoginGuard({ clock });
    for (let guess = 0; guess < 4; guess += 1) {
      const failing = guard.attempt('a', 'victim', wrong);
      await settle();
      clock.advance(8000);
      assert.equal(await failing, false);
      const own = guard.attempt('a', 'guesser', right);
      await settle();
      clock.advance(8000);
      assert.equal(await own, true);
    }
    const next = guard.attempt('a', 'victim', right);
    let isDone = false;
    void next.then(() => {
      isDone = true;
    });
    await settle();
    clock.advance(1999);
    await settle();
    assert.equal(isDone, false);
    clock.advance(1);
    assert.equal(await next, true);
    assert.equal(guard.knownAddresses, 0);
  });

  it('takes nothing back where more names were tried than are told apart', async () => {
    const clock = new ManualClock();
    const guard = new LoginGuard({ clock });
    for (let name = 0; name < 40; name += 1) {
      const failing = guard.attempt('a', `name ${name}`, wrong);
      await settle();
      clock.advance(8000);
      assert.equal(await failing, false);
    }
    const own = guard.attempt('a', 'name 39', right);
    await settle();
    clock.advance(8000);
    assert.equal(await own, true);
    assert.equal(guard.knownAddresses, 1);
  });
});
