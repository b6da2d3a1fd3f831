import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { describe, it } from 'node:test';
import { RootLock } from '../../../../packages/server/dist/storage/root-lock.js';
import { temporaryDirectory } from './temporary-directory.js';

const storage = new URL('../../../../packages/server/dist/storage/', import.meta.url);

/** A process of its own that takes the lock of a root, and is killed. */
async function lockAndDie(root: string): Promise<void> {
  const script = `
    const { RootLock } = await import(${JSON.stringify(new URL('root-lock.js', storage).href)});
    await RootLock.take(${JSON.stringify(root)});
    process.kill(process.pid, 'SIGKILL');`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: 'inherit' });
  const [, signal] = await once(child, 'exit');
  assert.equal(signal, 'SIGKILL');
}

describe('RootLock', () => {
  it('lets one server at a time have a root', async () => {
    await using directory = await temporaryDirectory();
    const first = await RootLock.take(directory.path);
    await assert.rejects(RootLock.take(directory.path), { code: 'ERR_IN_USE' });
    await first?.close();
    const second = await RootLock.take(directory.path);
    assert.ok(second);
    await second.close();
    assert.deepEqual(await readdir(path.join(directory.path, '.sluice', 'lock')), []);
  });

  it('is free when the process that had it is dead', async () => {
    await using directory = await temporaryDirectory();
    await lockAndDie(directory.path);
    assert.equal((await readdir(path.join(directory.path, '.sluice', 'lock'))).length, 1);
    const lock = await RootLock.take(directory.path);
    assert.equal((await readdir(path.join(directory.path, '.sluice', 'lock'))).length, 1, 'the old one is gone');
    await lock?.close();
  });

  it('goes to exactly one of those that ask at once', async () => {
    await using directory = await temporaryDirectory();
    for (let round = 0; round < 5; round += 1) {
      const results = await Promise.allSettled(Array.from({ length: 4 }, () => RootLock.take(directory.path)));
      const taken = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
      assert.equal(taken.length, 1);
      await taken[0]?.close();
    }
  });
});
