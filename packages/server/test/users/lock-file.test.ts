import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile, readlink, rm, symlink, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { describeHolder, LockFile } from '../../../../packages/server/dist/users/lock-file.js';
import { temporaryDirectory } from '../storage/temporary-directory.js';

const MODULE = import.meta.resolve('../../../../packages/server/dist/users/lock-file.js');
const LONG = { waitMs: 30_000 };

/** Runs a module that has `LockFile`, and `path` of the lock, to its end. */
async function runProcess(path: string, body: string): Promise<NodeJS.Signals | null> {
  const source = `import { readFile, writeFile } from 'node:fs/promises';
    import { LockFile } from ${JSON.stringify(MODULE)};
    const path = ${JSON.stringify(path)};
    const die = () => new Promise(() => process.kill(process.pid, 'SIGKILL'));
    ${body}`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', source], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const [, signal] = await once(child, 'close');
  return signal;
}

/** What a process that died with the lock has left there. */
async function dieWith(path: string): Promise<string> {
  assert.equal(await runProcess(path, `await LockFile.acquire(path, { waitMs: 0 }); await die();`), 'SIGKILL');
  return await readlink(path);
}

function tokenOf(content: string): string {
  return content.slice(content.lastIndexOf('|') + 1);
}

describe('LockFile', () => {
  it('is had by one at a time, and free again after', async () => {
    await using directory = await temporaryDirectory();
    const path = join(directory.path, 'lock');
    const first = await LockFile.acquire(path, { waitMs: 0 });
    assert.ok(first);
    assert.equal(await LockFile.acquire(path, { waitMs: 0 }), undefined);
    assert.equal(await describeHolder(path), `process ${process.pid} on ${hostname()}`);
    const second = LockFile.acquire(path, LONG);
    await first[Symbol.asyncDispose]();
    await (await second)?.[Symbol.asyncDispose]();
    assert.deepEqual(await readdir(directory.path), []);
  });

  it('leaves a lock alone that is not its own any more', async () => {
    await using directory = await temporaryDirectory();
    const path = join(directory.path, 'lock');
    const first = await LockFile.acquire(path, { waitMs: 0 });
    await rm(path); // by hand
    const second = await LockFile.acquire(path, { waitMs: 0 });
    await first?.[Symbol.asyncDispose]();
    assert.deepEqual(await readdir(directory.path), ['lock']);
    await second?.[Symbol.asyncDispose]();
    assert.deepEqual(await readdir(directory.path), []);
  });

  it('gives up the wait with the reason of its signal', async () => {
    await using directory = await temporaryDirectory();
    const path = join(directory.path, 'lock');
    await using _held = await LockFile.acquire(path, { waitMs: 0 });
    const abort = new AbortController();
    const waiting = LockFile.acquire(path, { ...LONG, signal: abort.signal });
    const reason = new Error('enough');
    abort.abort(reason);
    await assert.rejects(waiting, reason);
    await assert.rejects(LockFile.acquire(path, { ...LONG, signal: abort.signal }), reason);
  });

  it('takes over from a dead process at once', async () => {
    await using directory = await temporaryDirectory();
    const path = join(directory.path, 'lock');
    await dieWith(path);
    const lock = await LockFile.acquire(path, { waitMs: 0 });
    assert.ok(lock);
    assert.ok((await readlink(path)).includes(`|${process.pid}|`));
    await lock[Symbol.asyncDispose]();
    assert.deepEqual(await readdir(directory.path), []);
  });

  it('takes over from one that died in the middle of taking over', async () => {
    await using directory = await temporaryDirectory();
    const path = join(directory.path, 'lock');
    const claim = `${path}.${tokenOf(await dieWith(path))}`;
    const claimOfClaim = `${claim}.${tokenOf(await dieWith(claim))}`;
    await dieWith(claimOfClaim);
    assert.equal((await readdir(directory.path)).length, 3);
    const lock = await LockFile.acquire(path, { waitMs: 0 });
    assert.ok(lock);
    await lock[Symbol.asyncDispose]();
    assert.deepEqual(await readdir(directory.path), []);
  });

  it('waits while another process takes over', async () => {
    await using directory = await temporaryDirectory();
    const path = join(directory.path, 'lock');
    const claim = `${path}.${tokenOf(await dieWith(path))}`;
    const claiming = await LockFile.acquire(claim, { waitMs: 0 });
    assert.equal(await LockFile.acquire(path, { waitMs: 0 }), undefined);
    await claiming?.[Symbol.asyncDispose]();
    await using lock = await LockFile.acquire(path, { waitMs: 0 });
    assert.ok(lock);
  });

  it('takes a process for dead whose id has gone to another one', async () => {
    await using directory = await temporaryDirectory();
    const path = join(directory.path, 'lock');
    const [host, namespace, , startTime, token] = (await dieWith(path)).split('|');
    const other = join(directory.path, 'other');
    await symlink([host, namespace, process.pid, Number(startTime) - 1, token].join('|'), other);
    await using lock = await LockFile.acquire(other, { waitMs: 0 });
    assert.ok(lock);
  });

  it('never takes for dead what it cannot judge', async () => {
    await using directory = await temporaryDirectory();
    const [host, namespace, pid, startTime, token] = (await dieWith(join(directory.path, 'lock'))).split('|');
    const contents = [
      ['elsewhere', namespace, pid, startTime, token].join('|'), // another machine
      [host, 'pid:[1]', pid, startTime, token].join('|'), // another container
      'something-else',
    ];
    for (const [index, content] of contents.entries()) {
      const path = join(directory.path, `lock${index}`);
      await symlink(content, path);
      assert.equal(await LockFile.acquire(path, { waitMs: 0 }), undefined, content);
      assert.equal(await readlink(path), content);
    }
    const file = join(directory.path, 'file');
    await writeFile(file, 'precious');
    assert.equal(await LockFile.acquire(file, { waitMs: 0 }), undefined);
    assert.equal(await describeHolder(file), 'another process');
    assert.equal(await readFile(file, 'utf8'), 'precious');
  });

  it('lets no two processes in at once, although some die with it', async () => {
    await using directory = await temporaryDirectory();
    const path = join(directory.path, 'lock');
    const counter = join(directory.path, 'counter');
    await writeFile(counter, '0');
    // a count that is lost was read and written by two at once
    const body = `const counter = ${JSON.stringify(counter)};
      const count = async () => writeFile(counter, String(Number(await readFile(counter, 'utf8')) + 1));
      for (let round = 0; round < 15; round += 1) {
        const lock = await LockFile.acquire(path, { waitMs: 30_000 });
        await count();
        await lock[Symbol.asyncDispose]();
      }
      await LockFile.acquire(path, { waitMs: 30_000 });
      await count();
      await die();`;
    const signals = await Promise.all(Array.from({ length: 6 }, () => runProcess(path, body)));
    assert.deepEqual(signals, Array(6).fill('SIGKILL'));
    assert.equal(await readFile(counter, 'utf8'), String(6 * 16));
    await (await LockFile.acquire(path, { waitMs: 0 }))?.[Symbol.asyncDispose]();
    assert.deepEqual(await readdir(directory.path), ['counter']);
  });
});
