import assert from 'node:assert/strict';
import { chmod, mkdir, readFile, rename, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises';
import { describe, it } from 'node:test';
import { PlainServer } from '@sluice/testkit';
import { Command, sluice as runSluice } from './support/command.js';
import { contentsOf, TreeScene } from './support/tree-scene.js';

async function sluice(
  scene: TreeScene,
  args: readonly string[],
  url = scene.url,
): Promise<{ readonly code: number | null; readonly stdout: string; readonly stderr: string }> {
  const { exitCode: code, stdout, stderr } = await runSluice(args, { env: { SLUICE_URL: url } });
  return { code, stdout, stderr };
}

/** The lines of `--json`, but for the summary; and the summary. */
function lines({ stdout }: { readonly stdout: string }): { events: string[]; summary: Record<string, unknown> } {
  const all = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  const summary = all.pop() ?? {};
  const events = all.map(({ event, target, source }) => `${event} ${String(target ?? source).replace(/.*\//, '')}`);
  return { events: events.sort(), summary };
}

async function writeTree(tree: string): Promise<void> {
  await mkdir(`${tree}/sub/deep`, { recursive: true });
  await mkdir(`${tree}/hollow`);
  for (const name of ['a', 'sub/b', 'sub/deep/c']) await writeFile(`${tree}/${name}`, `content of ${name}`);
  await writeFile(`${tree}/large`, Buffer.alloc(300_000, 7));
}

for (const direction of ['up', 'down'] as const) {
  describe(`sluice sync, ${direction}`, { concurrency: 4 }, () => {
    /** Where the source and the target are, and how they are named on the command line. */
    const sidesOf = (scene: TreeScene) => {
      const [here, there] = [scene.local('tree'), scene.remote('copy')];
      return direction === 'up'
        ? { source: here, target: there, operands: [here, ':copy'] }
        : { source: there, target: here, operands: [':copy', here] };
    };

    it('makes the target like the source, times and permissions too, and then has nothing to do', async () => {
      await using scene = await TreeScene.make();
      const { source, target, operands } = sidesOf(scene);
      await writeTree(source);
      await utimes(`${source}/a`, 1_500_000_000.123456, 1_500_000_000.123456);
      await chmod(`${source}/a`, 0o600);
      const first = await sluice(scene, ['sync', '--json', ...operands]);
      assert.equal(first.code, 0, first.stderr);
      assert.deepEqual(lines(first).events, ['done a', 'done b', 'done c', 'done large']);
      assert.deepEqual(await contentsOf(target), await contentsOf(source));
      for (const name of ['a', 'large']) {
        const [from, to] = [await stat(`${source}/${name}`), await stat(`${target}/${name}`)];
        assert.equal(Math.floor(from.mtimeMs), Math.floor(to.mtimeMs), name);
      }
      assert.equal((await stat(`${target}/a`)).mode & 0o777, 0o600);
      const second = await sluice(scene, ['sync', '--json', ...operands]);
      const { events, summary } = lines(second);
      assert.deepEqual([second.code, events, summary['unchanged'], summary['files']], [0, [], 4, 0]);
    });

    it('moves what has changed, and deletes only if it is told to', async () => {
      await using scene = await TreeScene.make();
      const { source, target, operands } = sidesOf(scene);
      await writeTree(source);
      await sluice(scene, ['sync', ...operands]);
      await writeFile(`${source}/a`, 'CONTENT OF a');
      await rm(`${source}/sub`, { recursive: true });
      await writeFile(`${source}/new`, 'new');
      const kept = await sluice(scene, ['sync', '--json', ...operands]);
      assert.deepEqual(lines(kept).events, ['done a', 'done new']);
      assert.ok((await contentsOf(target)).has('sub/deep/c'));
      const dry = await sluice(scene, ['sync', '--json', '-n', '--delete', ...operands]);
      assert.deepEqual(lines(dry).events, ['would-delete sub']);
      assert.ok((await contentsOf(target)).has('sub/deep/c'));
      const gone = await sluice(scene, ['sync', '--json', '--delete', ...operands]);
      const { events, summary } = lines(gone);
      assert.deepEqual([gone.code, events, summary['deleted']], [0, ['deleted sub'], 1]);
      assert.deepEqual(await contentsOf(target), await contentsOf(source));
    });

    it('leaves alone, on both sides, what is excluded or not included', async () => {
      await using scene = await TreeScene.make();
      const { source, target, operands } = sidesOf(scene);
      await writeTree(source);
      await mkdir(`${target}/sub`, { recursive: true });
      for (const name of ['kept.o', 'sub/kept.o', 'gone']) await writeFile(`${target}/${name}`, 'target');
      await writeFile(`${source}/x.o`, 'source');
      const args = ['sync', '--json', '--delete', '--exclude', '*.o', '--exclude', '/large', ...operands];
      assert.deepEqual(lines(await sluice(scene, args)).events, ['deleted gone', 'done a', 'done b', 'done c']);
      const there = await contentsOf(target);
      assert.deepEqual([there.get('kept.o'), there.get('sub/kept.o')], ['target', 'target']);
      assert.ok(!there.has('x.o') && !there.has('large'));
      const only = await sluice(scene, ['sync', '--json', '--delete', '--include', '*.o', ...operands]);
      assert.deepEqual(lines(only).events, ['deleted kept.o', 'deleted kept.o', 'done x.o']);
      assert.ok((await contentsOf(target)).has('sub/deep/c'));
    });

    it('keeps names with control characters, and escapes them where they are shown', async () => {
      await using scene = await TreeScene.make();
      const { source, target, operands } = sidesOf(scene);
      await mkdir(source, { recursive: true });
      const name = 'bell\u0007 and \u001b[31mred\tblue';
      await writeFile(`${source}/${name}`, 'odd');
      await writeFile(`${source}/漢字 =`, 'even');
      const { code, stdout, stderr } = await sluice(scene, ['sync', ...operands]);
      assert.equal(code, 0, stderr);
      assert.ok(![...stdout].some((character) => character < ' ' && character !== '\n'));
      assert.deepEqual(await contentsOf(target), await contentsOf(source));
    });

    it('compares contents with --checksum, whatever the times say', async () => {
      await using scene = await TreeScene.make();
      const { source, target, operands } = sidesOf(scene);
      await writeTree(source);
      await sluice(scene, ['sync', ...operands]);
      await utimes(`${source}/a`, 1000, 1000);
      const { mtime } = await stat(`${source}/sub/b`);
      await writeFile(`${source}/sub/b`, 'CONTENT OF sub/b');
      await utimes(`${source}/sub/b`, mtime, mtime);
      assert.deepEqual(lines(await sluice(scene, ['sync', '--json', '-n', ...operands])).events.length, 2);
      const { events, summary } = lines(await sluice(scene, ['sync', '--json', '-c', ...operands]));
      assert.deepEqual([events, summary['unchanged']], [['done b'], 3]);
      assert.equal(await readFile(`${target}/sub/b`, 'utf8'), 'CONTENT OF sub/b');
    });

    it('replaces a directory by a file, and a file by a directory, only with --delete', async () => {
      await using scene = await TreeScene.make();
      const { source, target, operands } = sidesOf(scene);
      await writeTree(source);
      await sluice(scene, ['sync', ...operands]);
      await rm(`${source}/sub`, { recursive: true });
      await writeFile(`${source}/sub`, 'a file now');
      await rm(`${source}/a`);
      await mkdir(`${source}/a`);
      await writeFile(`${source}/a/f`, 'f');
      const refused = await sluice(scene, ['sync', ...operands]);
      assert.equal(refused.code, 1);
      assert.match(refused.stderr, /sub is a directory on the target: --delete would remove it/);
      const done = await sluice(scene, ['sync', '--delete', ...operands]);
      assert.equal(done.code, 0, done.stderr);
      assert.deepEqual(await contentsOf(target), await contentsOf(source));
    });

    it('is made good by the next run when it is killed in the middle', async () => {
      await using scene = await TreeScene.make();
      const { source, target, operands } = sidesOf(scene);
      await mkdir(source, { recursive: true });
      await mkdir(target, { recursive: true });
      await writeFile(`${target}/old`, 'old');
      for (let i = 0; i < 1500; i++) await writeFile(`${source}/f${i}`, Buffer.alloc(3000, i));
      const command = new Command(['sync', '--delete', ...operands], { env: { SLUICE_URL: scene.url } });
      await Promise.race([scene.link.holdAfter(2_500_000), command.ended]);
      await command.kill('SIGKILL');
      scene.link.cut();
      assert.ok((await contentsOf(target)).has('old'), 'nothing is deleted before all is there');
      const again = await sluice(scene, ['sync', '--delete', '--json', ...operands]);
      assert.equal(again.code, 0, again.stderr);
      const [is, should] = [await contentsOf(target), await contentsOf(source)];
      assert.deepEqual([...is.keys()], [...should.keys()]);
      for (const [name, content] of should) assert.ok(is.get(name) === content, name);
    });
  });
}

describe('sluice sync', { concurrency: 4 }, () => {
  it('skips links with a note, or sends the files that they lead to; what they are called stays on the server', async () => {
    await using scene = await TreeScene.make();
    const tree = scene.local('tree');
    await mkdir(`${tree}/sub`, { recursive: true });
    await writeFile(scene.local('outside'), 'outside');
    await symlink(scene.local('outside'), `${tree}/link`);
    await symlink(`${tree}/sub`, `${tree}/directory`);
    await mkdir(scene.remote('copy'));
    await writeFile(scene.remote('copy/link'), 'was there');
    const skipped = await sluice(scene, ['sync', '--delete', tree, ':copy']);
    assert.equal(skipped.code, 0);
    assert.match(skipped.stderr, /skipped .*link: a symbolic link/);
    assert.equal(await readFile(scene.remote('copy/link'), 'utf8'), 'was there');
    await sluice(scene, ['sync', '--links', 'follow', tree, ':copy']);
    assert.equal(await readFile(scene.remote('copy/link'), 'utf8'), 'outside');
    assert.ok(!(await contentsOf(scene.remote('copy'))).has('directory'));
  });

  it('deletes nothing when something failed, and says so', async () => {
    await using scene = await TreeScene.make();
    const tree = scene.local('tree');
    await mkdir(tree);
    await writeFile(`${tree}/good`, 'good');
    await writeFile(`${tree}/bad\\name`, 'bad');
    await mkdir(scene.remote('copy'));
    await writeFile(scene.remote('copy/old'), 'old');
    const { code, stderr } = await sluice(scene, ['sync', '--delete', tree, ':copy']);
    assert.equal(code, 3);
    assert.match(stderr, /nothing is deleted, because not everything could be moved/);
    assert.deepEqual([...(await contentsOf(scene.remote('copy'))).keys()], ['good', 'old']);
  });

  it('refuses a server that tells no times, unless sizes are enough', async () => {
    await using scene = await TreeScene.make();
    const original = await PlainServer.listen({ root: scene.local('original') });
    const tree = scene.local('tree');
    await writeTree(tree);
    for (const option of [[], ['--checksum']]) {
      const { code, stderr } = await sluice(scene, ['sync', ...option, tree, ':copy'], original.url);
      assert.equal(code, 1);
      assert.match(stderr, /compare with --size-only/);
    }
    const done = await sluice(scene, ['sync', '--size-only', tree, ':copy'], original.url);
    assert.equal(done.code, 0, done.stderr);
    assert.deepEqual(await contentsOf(scene.local('original/copy')), await contentsOf(tree));
    const again = await sluice(scene, ['sync', '--size-only', '--json', tree, ':copy'], original.url);
    assert.deepEqual(lines(again).events, []);
    await original.close();
  });

  it('needs one side here and one on a server, and a source that is there', async () => {
    await using scene = await TreeScene.make();
    for (const [args, code] of [
      [['a', 'b'], 2],
      [[':a', ':b'], 2],
      [['a'], 2],
      [['-c', '--size-only', 'a', ':b'], 2],
      [[scene.local('missing'), ':b'], 1],
      [[':missing', scene.local('x')], 1],
    ] as const) {
      assert.equal((await sluice(scene, ['sync', ...args])).code, code, args.join(' '));
    }
  });

  it('notices a file that was moved over another one of the same size and time', async () => {
    await using scene = await TreeScene.make();
    const tree = scene.local('tree');
    await mkdir(tree);
    for (const name of ['a', 'b']) {
      await writeFile(`${tree}/${name}`, name);
      await utimes(`${tree}/${name}`, 5000, 5000);
    }
    await sluice(scene, ['sync', tree, ':copy']);
    await rename(`${tree}/b`, `${tree}/a`);
    await sluice(scene, ['sync', '--checksum', '--delete', tree, ':copy']);
    assert.deepEqual(await contentsOf(scene.remote('copy')), new Map([['a', 'b']]));
  });
});
