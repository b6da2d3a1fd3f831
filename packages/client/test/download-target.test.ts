import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readFileSync, renameSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { TargetLock } from '../../../packages/client/dist/target-lock.js';
import { assertSameBytes, Fixture, MIB, someBytes } from './fixture.js';

describe('The partial of a download', () => {
  const replacements: [string, (partial: string) => void][] = [
    ['another file', (partial) => renameSync(partial.replace(/b\.sluice-part$/, 'other'), partial)],
    ['a link to a file', (partial) => symlinkSync(partial.replace(/b\.sluice-part$/, 'other'), partial)],
    ['nothing', () => {}],
  ];
  for (const [title, replace] of replacements) {
    it(`is not given the name of the target when ${title} has taken its place`, async () => {
      await using fixture = await Fixture.make();
      const content = someBytes(MIB);
      await fixture.writeRemote('a', content);
      await fixture.writeLocal('other', someBytes(MIB));
      const partial = fixture.local('b.sluice-part');
      const onProgress = () => {
        if (!existsSync(fixture.local('moved'))) {
          renameSync(partial, fixture.local('moved'));
          replace(partial);
        }
      };
      await assert.rejects(fixture.client.download('a', fixture.local('b'), { onProgress }), {
        code: 'ERR_LOCAL_FILE',
        message: `${partial} is not the file that was written: someone changed it`,
      });
      assert.equal(existsSync(fixture.local('b')), false);
      assert.equal(existsSync(fixture.local('b.sluice-lock')), false);
    });
  }

  it('is not written through a symbolic link', async () => {
    await using fixture = await Fixture.make();
    await fixture.writeRemote('a', someBytes(10));
    await fixture.writeLocal('precious', Buffer.from('mine'));
    await symlink(fixture.local('precious'), fixture.local('b.sluice-part'));
    await assert.rejects(fixture.client.download('a', fixture.local('b')), {
      code: 'ERR_LOCAL_FILE',
      message: `cannot write ${fixture.local('b.sluice-part')}: is a symbolic link`,
    });
    assert.equal((await fixture.readLocal('precious')).toString(), 'mine');
    assert.deepEqual((await readdir(fixture.directory)).sort(), ['b.sluice-part', 'precious', 'root']);
  });

  it('is a regular file', async () => {
    await using fixture = await Fixture.make();
    await fixture.writeRemote('a', someBytes(10));
    await mkdir(fixture.local('b.sluice-part'));
    await assert.rejects(fixture.client.download('a', fixture.local('b')), (error: Error & { code: string }) => {
      assert.equal(error.code, 'ERR_LOCAL_FILE');
      assert(error.message.includes(fixture.local('b.sluice-part')), error.message);
      return true;
    });
  });
});

describe('A target that is being downloaded', () => {
  it('is refused to a second call at once, also by another way to its directory', async () => {
    await using fixture = await Fixture.make();
    const { client, directory, server } = fixture;
    const content = someBytes(3 * MIB);
    await fixture.writeRemote('a', content);
    await symlink(directory, fixture.local('way'));
    server.faults.answerDelayMs = 200;
    const first = client.download('a', fixture.local('b'));
    while (!existsSync(fixture.local('b.sluice-lock'))) await new Promise(setImmediate);
    for (const path of [fixture.local('b'), fixture.local('way/b')]) {
      await assert.rejects(client.download('a', path), (error: Error & { code: string }) => {
        assert.equal(error.code, 'ERR_LOCAL_FILE');
        assert(error.message.startsWith(`${path} is being downloaded already, by process ${process.pid} on `));
        return true;
      });
    }
    server.faults.answerDelayMs = undefined;
    await first;
    assertSameBytes(await fixture.readLocal('b'), content);
    assert.deepEqual((await readdir(directory)).sort(), ['b', 'root', 'way']);
  });

  it('is refused to a second process, and free again when the first was killed', async () => {
    await using fixture = await Fixture.make();
    const content = someBytes(100_000);
    await fixture.writeRemote('a', content);
    fixture.server.faults.ignored = 'Download';
    const { url, commands } = fixture.server;
    const other = runScript(
      `import { connect } from '@sluice/client';
       const client = await connect(process.argv[1]);
       await client.download('a', process.argv[2]);`,
      [url, fixture.local('b')],
    );
    while (!commands.includes('download')) await new Promise((resolve) => setTimeout(resolve, 5));
    await assert.rejects(fixture.client.download('a', fixture.local('b')), {
      code: 'ERR_LOCAL_FILE',
      message: new RegExp(
        `^.*/b is being downloaded already, by process ${other.pid} on .*; remove .*b.sluice-lock if`,
      ),
    });
    await kill(other);
    assert(existsSync(fixture.local('b.sluice-lock')));

    fixture.server.faults.ignored = undefined;
    await fixture.client.download('a', fixture.local('b'));
    assertSameBytes(await fixture.readLocal('b'), content);
    assert.deepEqual((await readdir(fixture.directory)).sort(), ['b', 'root']);
  });
});

describe('TargetLock', () => {
  it('of a dead process is taken over by exactly one', async () => {
    await inDirectory(async (directory) => {
      const target = join(directory, 'x'.repeat(243)); // the longest name that has place for the lock
      const url = new URL('../../../packages/client/dist/target-lock.js', import.meta.url);
      const script = `await (await import('${url}')).TargetLock.take(process.argv[1]); setInterval(() => {}, 1_000)`;
      for (let round = 0; round < 10; round++) {
        const dead = runScript(script, [target]);
        while (!existsSync(`${target}.sluice-lock`) || readFileSync(`${target}.sluice-lock`).length === 0) {
          await new Promise((resolve) => setTimeout(resolve, 5));
        }
        await assert.rejects(TargetLock.take(target), /is being downloaded already/);
        await kill(dead);
        const taken = await Promise.allSettled(Array.from({ length: 20 }, () => TargetLock.take(target)));
        const locks = taken.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
        assert.equal(locks.length, 1);
        await locks[0]?.release();
        assert.deepEqual(await readdir(directory), []);
      }
    });
  });

  it('of a process with the same id that began at another time is that of a dead one', async (test) => {
    if (process.platform !== 'linux') return test.skip('the system does not tell when a process began');
    await inDirectory(async (directory) => {
      const target = join(directory, 'a');
      await TargetLock.take(target);
      const [host, namespace, pid, startTime, token] = (await readFile(`${target}.sluice-lock`, 'utf8')).split('|');
      const earlier = [host, namespace, pid, Number(startTime) - 1, token].join('|');
      await writeFile(`${target}.sluice-lock`, earlier);
      await (await TargetLock.take(target)).release();
      assert.deepEqual(await readdir(directory), []);
    });
  });

  it('of another machine is never taken for dead', async () => {
    await inDirectory(async (directory) => {
      const target = join(directory, 'a');
      await writeFile(`${target}.sluice-lock`, 'elsewhere||999999999|1|0123456789abcdef');
      await assert.rejects(TargetLock.take(target), {
        code: 'ERR_LOCAL_FILE',
        message: `${target} is being downloaded already, by process 999999999 on elsewhere; remove ${target}.sluice-lock if it is not`,
      });
    });
  });

  for (const [title, content] of [
    ['empty', ''],
    ['of zeros', '\0\0\0'],
  ] as const) {
    it(`that is ${title}, as after a loss of power, holds for a minute`, async () => {
      await inDirectory(async (directory) => {
        const target = join(directory, 'a');
        await writeFile(`${target}.sluice-lock`, content);
        await assert.rejects(TargetLock.take(target), /is being downloaded already, by another process/);
        const before = Date.now() / 1_000 - 61;
        await utimes(`${target}.sluice-lock`, before, before);
        await (await TargetLock.take(target)).release();
        assert.deepEqual(await readdir(directory), []);
      });
    });
  }

  it('does not take the place of a file that is none', async () => {
    await inDirectory(async (directory) => {
      const target = join(directory, 'a');
      await writeFile(`${target}.sluice-lock`, 'a letter');
      await assert.rejects(TargetLock.take(target), { code: 'ERR_LOCAL_FILE', message: /in the way/ });
      assert.equal(await readFile(`${target}.sluice-lock`, 'utf8'), 'a letter');
      unlinkSync(`${target}.sluice-lock`);
      symlinkSync('a', `${target}.sluice-lock`);
      await assert.rejects(TargetLock.take(target), { code: 'ERR_LOCAL_FILE', message: /in the way/ });
    });
  });

  it('is left alone by a holder that has lost it', async () => {
    await inDirectory(async (directory) => {
      const target = join(directory, 'a');
      const lost = await TargetLock.take(target);
      unlinkSync(`${target}.sluice-lock`);
      const lock = await TargetLock.take(target);
      await lost.release();
      assert.deepEqual(await readdir(directory), ['a.sluice-lock']);
      await lock.release();
      assert.deepEqual(await readdir(directory), []);
      writeFileSync(`${target}.sluice-lock`, 'a letter');
      await lock.release();
    });
  });
});

async function inDirectory(work: (directory: string) => Promise<void>): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'sluice-lock-'));
  try {
    await work(directory);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** A process of its own, which may import what the client may. */
function runScript(script: string, args: readonly string[]): ChildProcess {
  const cwd = fileURLToPath(new URL('../../../packages/client', import.meta.url));
  return spawn(process.execPath, ['--input-type=module', '-e', script, ...args], { cwd, stdio: 'inherit' });
}

function kill(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    child.on('exit', () => resolve());
    child.kill('SIGKILL');
  });
}
