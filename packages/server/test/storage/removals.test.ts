import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { describe, it } from 'node:test';
import {
  DEFAULT_DIRECTORY_ANCHOR,
  DirectoryHandle,
} from '../../../../packages/server/dist/storage/directory-handle.js';
import { HeldDirectory } from '../../../../packages/server/dist/storage/held-directory.js';
import { Removals } from '../../../../packages/server/dist/storage/removals.js';
import { temporaryDirectory } from './temporary-directory.js';

const never = (): boolean => false;
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** An unlink that ends when the test says so. */
class Unlink {
  hasBegun = false;
  end!: () => void;
  fail!: (error: Error) => void;
  readonly run = (): Promise<void> => {
    this.hasBegun = true;
    return new Promise((resolve, reject) => {
      this.end = resolve;
      this.fail = reject;
    });
  };
}

describe('Removals', () => {
  it('refuses a file in use without unlinking it', async () => {
    const unlink = new Unlink();
    await assert.rejects(
      new Removals().remove('k', (key) => key === 'k', unlink.run),
      { code: 'ERR_IN_USE' },
    );
    assert.equal(unlink.hasBegun, false);
  });

  it('takes a missing file for removed, and passes other failures on', async () => {
    const removals = new Removals();
    const failing = (code: string) => () => Promise.reject(Object.assign(new Error(code), { code }));
    await removals.remove('k', never, failing('ENOENT'));
    await assert.rejects(removals.remove('k', never, failing('EROFS')), { code: 'EROFS' });
    await removals.settled('k');
  });

  it('unlinks one name once at a time, and asks again before the second', async () => {
    const removals = new Removals();
    const [first, second] = [new Unlink(), new Unlink()];
    let isClaimed = false;
    const removing = removals.remove('k', () => isClaimed, first.run);
    const refused = assert.rejects(
      removals.remove('k', () => isClaimed, second.run),
      { code: 'ERR_IN_USE' },
    );
    await settle();
    assert.deepEqual([first.hasBegun, second.hasBegun], [true, false]);
    isClaimed = true;
    first.end();
    await removing;
    await refused;
    assert.equal(second.hasBegun, false);
  });

  it('makes whoever opens a file wait until it is unlinked, and no longer than that', async () => {
    await using directory = await temporaryDirectory();
    await mkdir(`${directory.path}/d`);
    const removals = new Removals();
    const handle = await DirectoryHandle.open(directory.path, DEFAULT_DIRECTORY_ANCHOR);
    await using held = await HeldDirectory.from(handle, removals, false);
    const unlink = new Unlink();
    const removing = removals.remove(held.entryKey('f'), never, unlink.run);
    let isOpen = false;
    const opening = held.openFile('f', 'append').then(({ handle: file }) => {
      isOpen = true;
      return file.close();
    });
    await (await held.openFile('another', 'append')).handle.close();
    await settle();
    assert.equal(isOpen, false);
    unlink.fail(Object.assign(new Error('gone'), { code: 'ENOENT' }));
    await removing;
    await opening;
    assert.equal(isOpen, true);
  });
});
