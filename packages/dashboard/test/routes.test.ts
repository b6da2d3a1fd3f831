import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { retryDelayMs, statsIntervalMs, watchIntervalMs } from '../../../packages/dashboard/build/model/retry-delay.js';
import { pagesFor, parseRoute, routeHash } from '../../../packages/dashboard/build/model/routes.js';

describe('the address of a page', () => {
  it('leads to the first page that the role has, when it is none', () => {
    assert.deepEqual(parseRoute('', 'admin'), { page: 'overview' });
    assert.deepEqual(parseRoute('#/nonsense', 'user'), { page: 'connections' });
    assert.deepEqual(parseRoute('#/constructor', 'admin'), { page: 'overview' });
  });

  it('leads nobody to pages for admins who is none', () => {
    for (const page of ['overview', 'log', 'users']) {
      assert.equal(parseRoute(`#/${page}`, 'admin').page, page);
      assert.equal(parseRoute(`#/${page}`, 'user').page, 'connections');
      assert.ok(!pagesFor('read-only').some((each) => each === page));
    }
  });

  it('knows a connection', () => {
    assert.deepEqual(parseRoute('#/connections/17', 'admin'), { page: 'connections', id: 17 });
    for (const id of ['0', '-1', '1e3', 'x', '99999999999999999'])
      assert.deepEqual(parseRoute(`#/connections/${id}`, 'admin'), { page: 'connections' });
  });

  it('knows every directory, whatever its name', () => {
    const name = fc
      .string({ minLength: 1, unit: 'grapheme' })
      .filter((text) => text !== '.' && text !== '..' && !text.includes('/'));
    fc.assert(
      fc.property(fc.array(name, { maxLength: 5 }), (names) => {
        const route = { page: 'files', path: names.join('/') } as const;
        assert.deepEqual(parseRoute(routeHash(route), 'user'), route);
      }),
    );
  });

  it('leads to no directory above the root, and breaks on no bad escape', () => {
    assert.equal(parseRoute('#/files/../%2e%2e/a', 'user').path, 'a');
    assert.equal(parseRoute('#/files/a%2Fb/c', 'user').path, 'c');
    assert.equal(parseRoute('#/files/%E0%A4%A/b', 'user').path, 'b');
  });
});

describe('what the page asks for', () => {
  it('is tried again after longer and longer times, which differ by chance', () => {
    assert.deepEqual(
      [1, 2, 3, 4, 5, 50].map((attempt) => retryDelayMs(attempt, 0.5)),
      [1000, 2000, 4000, 8000, 15_000, 15_000],
    );
    assert.ok(retryDelayMs(1, 0) < retryDelayMs(1, 1));
  });

  it('is asked less often with many connections, and in a page that nobody sees', () => {
    assert.deepEqual([0, 1000, 1001, 10_000].map(watchIntervalMs), [1000, 1000, 2000, 3000]);
    assert.ok(statsIntervalMs(10_000, false) > statsIntervalMs(10, false));
    assert.ok(statsIntervalMs(10, true) > statsIntervalMs(10_000, false));
  });
});
