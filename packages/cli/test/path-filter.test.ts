import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { PathFilter } from '../../../packages/cli/dist/sync/path-filter.js';

function takes(path: string, include: string[], exclude: string[] = []): boolean {
  return new PathFilter({ include, exclude }).reaches(path, path.endsWith('/'));
}

describe('patterns of sluice sync', () => {
  it('without a slash are compared with names, anywhere', () => {
    assert.equal(takes('a/b/x.o', [], ['*.o']), false);
    assert.equal(takes('a/b/x.c', [], ['*.o']), true);
    assert.equal(takes('.git', [], ['.git']), false);
    assert.equal(takes('a/.hidden', [], ['*']), false);
  });

  it('with a slash are compared with paths from the top', () => {
    assert.equal(takes('build/x', [], ['/build']), false);
    assert.equal(takes('sub/build', [], ['/build']), true);
    assert.equal(takes('sub/build/x', [], ['sub/build']), false);
    assert.equal(takes('a/b/c/x.log', [], ['a/**/*.log']), false);
    assert.equal(takes('b/x.log', [], ['a/**/*.log']), true);
  });

  it('with a slash at their end match directories, and all that is in them', () => {
    const filter = new PathFilter({ include: [], exclude: ['tmp/'] });
    assert.equal(filter.takes('a/tmp', true), false);
    assert.equal(filter.takes('a/tmp', false), true);
    assert.equal(filter.reaches('a/tmp/x', false), false);
  });

  it('that include leave out every other file; those that exclude count more', () => {
    assert.equal(takes('a/x.jpg', ['*.{jpg,png}']), true);
    assert.equal(takes('a/x.txt', ['*.{jpg,png}']), false);
    assert.equal(takes('a/x.jpg', ['*.jpg'], ['x*']), false);
    assert.equal(new PathFilter({ include: ['*.jpg'], exclude: [] }).takesEmptyDirectories, false);
  });

  it('never take what belongs to a download that is not complete', () => {
    for (const name of ['f.sluice-part', 'f.sluice-journal', 'a/f.sluice-lock']) assert.equal(takes(name, []), false);
  });
});
