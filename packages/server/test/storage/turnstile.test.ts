import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { DescriptorBudget } from '@sluice/core';
import { DescriptorAccount } from '../../../../packages/server/dist/storage/descriptor-account.js';
import { Turnstile } from '../../../../packages/server/dist/storage/turnstile.js';

/** Work that goes on until it is told to end. */
function pending(): { readonly work: () => Promise<void>; end(): void; readonly hasBegun: boolean } {
  const { promise, resolve } = withResolvers();
  let hasBegun = false;
  return {
    work: () => {
      hasBegun = true;
      return promise;
    },
    end: resolve,
    get hasBegun() {
      return hasBegun;
    },
  };
}

function withResolvers(): { promise: Promise<void>; resolve: () => void } {
  let resolve = (): void => {};
  const promise = new Promise<void>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}

describe('turnstile', () => {
  it('lets so many through at once, the others in the order of their calls', async () => {
    const turnstile = new Turnstile(2);
    const works = [pending(), pending(), pending(), pending()];
    const passed = works.map(({ work }) => turnstile.pass(work));
    assert.deepEqual(
      works.map(({ hasBegun }) => hasBegun),
      [true, true, false, false],
    );
    works[1]!.end();
    await passed[1];
    await new Promise(setImmediate);
    assert.deepEqual(
      works.map(({ hasBegun }) => hasBegun),
      [true, true, true, false],
    );
    for (const { end } of works) end();
    await Promise.all(passed);
    assert.equal(works[3]!.hasBegun, true);
  });

  it('lets the next one through when work fails, and gives the failure to who asked for it', async () => {
    const turnstile = new Turnstile(1);
    const failing = turnstile.pass(() => Promise.reject(new Error('broken')));
    const next = turnstile.pass(async () => 'done');
    await assert.rejects(failing, /broken/);
    assert.equal(await next, 'done');
  });

  it('forgets who does not want to wait any more', async () => {
    const turnstile = new Turnstile(1);
    const first = pending();
    const passing = turnstile.pass(first.work);
    const controller = new AbortController();
    const second = pending();
    const waiting = turnstile.pass(second.work, controller.signal);
    controller.abort(new Error('gone'));
    await assert.rejects(waiting, /gone/);
    first.end();
    await passing;
    assert.equal(await turnstile.pass(async () => 'third'), 'third');
    assert.equal(second.hasBegun, false);
    await assert.rejects(turnstile.pass(second.work, controller.signal), /gone/);
  });
});

describe('descriptor account', () => {
  const plan = { reserve: 8, connectionShare: 0, fileShare: 0 };

  it('gives no more places for files than it has, and each place back once', () => {
    const account = new DescriptorAccount(new DescriptorBudget({ ...plan, limit: 24 + 8 + 2 + 2 }), 4);
    const first = account.openFile();
    account.openFile();
    assert.throws(() => account.openFile(), { code: 'ERR_TOO_MANY_FILES' });
    first[Symbol.dispose]();
    first[Symbol.dispose]();
    assert.equal(account.openFiles, 1);
    account.openFile();
    assert.throws(() => account.openFile(), { code: 'ERR_TOO_MANY_FILES' });
  });

  for (const descriptors of [0, 30, 86, 8_976, 1_000_000]) {
    it(`walks, of ${descriptors} descriptors`, async () => {
      const source = new DescriptorBudget({ ...plan, limit: descriptors });
      const account = new DescriptorAccount(source, descriptors);
      assert.equal(await account.walk(async () => 'walked'), 'walked');
    });
  }
});
