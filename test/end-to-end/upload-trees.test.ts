import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, stat, symlink, utimes, writeFile } from 'node:fs/promises';
import { describe, it } from 'node:test';
import { connect, type UploadedFile } from '@sluice/client';
import { PlainServer } from '@sluice/testkit';
import { Scratch, ServeCommand } from './support/command.js';
import { contentsOf, TreeScene } from './support/tree-scene.js';

const SMALL_LIMIT = 256 << 10;

async function writeTree(scene: TreeScene, files: number): Promise<string> {
  const tree = scene.local('tree');
  for (let i = 0; i < 10; i++) await mkdir(`${tree}/d${i}/deep`, { recursive: true });
  await mkdir(`${tree}/empty/below`, { recursive: true });
  for (let i = 0; i < files; i++) await writeFile(`${tree}/d${i % 10}/deep/f${i}`, `content ${i}\n`.repeat(i % 50));
  return tree;
}

describe('a directory that is uploaded', () => {
  it('is on the server as it is here: small files, large ones, empty directories, times and permissions', async () => {
    await using scene = await TreeScene.make();
    const tree = await writeTree(scene, 300);
    await writeFile(`${tree}/small`, Buffer.alloc(SMALL_LIMIT, 1), { mode: 0o640 });
    await writeFile(`${tree}/large`, Buffer.alloc(SMALL_LIMIT + 1, 2));
    const time = new Date('2020-02-02T02:02:02.222Z');
    await utimes(`${tree}/small`, time, time);
    const told: UploadedFile[] = [];
    const result = await scene.client.uploadTree(tree, 'copy', { onFile: (file) => told.push(file) });
    assert.deepEqual({ ...result, bytes: 0, seconds: 0 }, { files: 302, skipped: 0, failed: 0, bytes: 0, seconds: 0 });
    assert.deepEqual(await contentsOf(scene.remote('copy')), await contentsOf(tree));
    assert.equal(told.length, 302);
    assert.ok(told.every((file) => file.result?.durability === 'durable'));
    const { mode, mtimeNs } = await stat(scene.remote('copy/small'), { bigint: true });
    const source = await stat(`${tree}/small`, { bigint: true });
    assert.deepEqual([mode & 0o777n, mtimeNs / 1000n], [0o640n, source.mtimeNs / 1000n]);
  });

  it('leaves links and what is no file out, and tells of them', async () => {
    await using scene = await TreeScene.make();
    const tree = await writeTree(scene, 1);
    await symlink('/etc', `${tree}/link`);
    const skipped: string[] = [];
    await scene.client.uploadTree(tree, 'copy', {
      onSkipped: ({ relative, kind }) => skipped.push(`${relative}: ${kind}`),
    });
    assert.deepEqual(skipped, ['link: link']);
    await assert.rejects(stat(scene.remote('copy/link')));
  });

  it('gets there when the link breaks again and again', async () => {
    await using scene = await TreeScene.make({ retries: 10 });
    const tree = await writeTree(scene, 2000);
    const work = scene.client.uploadTree(tree, 'copy');
    let isDone = false;
    const done = work.finally(() => {
      isDone = true;
    });
    for (let bytes = 50_000; !isDone; bytes *= 2) {
      await Promise.race([scene.link.holdAfter(bytes), done]);
      scene.link.cut();
    }
    assert.equal((await done).failed, 0);
    assert.deepEqual(await contentsOf(scene.remote('copy')), await contentsOf(tree));
  });

  it('gets there when the server is killed in the middle, and nothing is left of what that one had begun', async () => {
    await using scene = await TreeScene.make();
    const tree = await writeTree(scene, 3000);
    await using root = await Scratch.make();
    let server = await ServeCommand.start(root.folder);
    const { port } = server;
    await using client = await connect(server.url, { retries: 1000, retryDelayMs: 20 });
    let files = 0;
    let onSome = (): void => {};
    const some = new Promise<void>((resolve) => {
      onSome = resolve;
    });
    const work = client.uploadTree(tree, 'copy', {
      onFile: () => {
        files += 1;
        if (files === 1) onSome();
      },
    });
    await some;
    await server.command.kill('SIGKILL');
    server = await ServeCommand.start(root.folder, [], port);
    assert.equal((await work).failed, 0);
    assert.deepEqual(await contentsOf(root.path('copy')), await contentsOf(tree));
    assert.deepEqual(await readdir(root.path('.sluice', 'staging')), []);
    await server[Symbol.asyncDispose]();
  });

  it('ends when it is called off', async () => {
    await using scene = await TreeScene.make();
    const tree = await writeTree(scene, 2000);
    const controller = new AbortController();
    const held = scene.link.holdAfter(200_000);
    const work = scene.client.uploadTree(tree, 'copy', { signal: controller.signal });
    await Promise.race([held, work]);
    controller.abort(new Error('no time'));
    await assert.rejects(work, /no time/);
  });

  it('goes to a server of the original protocol file by file', async () => {
    await using scene = await TreeScene.make();
    const tree = await writeTree(scene, 30);
    const original = await PlainServer.listen({ root: scene.local('original') });
    await using client = await connect(original.url);
    const { files, failed } = await client.uploadTree(tree, 'copy');
    assert.deepEqual([files, failed], [30, 0]);
    assert.deepEqual(await contentsOf(scene.local('original/copy')), await contentsOf(tree));
    await client.close();
    await original.close();
  });
});

describe('files that are uploaded together', () => {
  it('do not end one another: each that fails says why', async () => {
    await using scene = await TreeScene.make();
    await writeFile(scene.local('good'), 'good');
    await mkdir(scene.remote('taken'));
    const told = new Map<string, UploadedFile>();
    const { files, failed } = await scene.client.uploadFiles(
      [
        { source: scene.local('missing'), target: 'missing' },
        { source: scene.local('good'), target: 'good' },
        { source: scene.local('good'), target: 'taken' },
        { source: scene.local('good'), target: '../outside' },
      ],
      { onFile: (file) => told.set(file.target, file) },
    );
    assert.deepEqual([files, failed], [1, 3]);
    assert.match(`${told.get('missing')?.error}`, /cannot read .*missing: no such file/);
    assert.equal((told.get('taken')?.error as { resultCode?: number }).resultCode, 6);
    assert.equal((told.get('../outside')?.error as { resultCode?: number }).resultCode, 6);
    assert.equal(await readFile(scene.remote('good'), 'utf8'), 'good');
  });

  it('leave files alone that are there, if they are to', async () => {
    await using scene = await TreeScene.make();
    await writeFile(scene.local('f'), 'new');
    await writeFile(scene.remote('f'), 'old');
    const file = { source: scene.local('f'), target: 'f' };
    const skipped = await scene.client.uploadFiles([file], { ifExists: 'skip' });
    assert.deepEqual([skipped.files, skipped.skipped, skipped.failed], [0, 1, 0]);
    let told: UploadedFile | undefined;
    const failed = await scene.client.uploadFiles([file], { ifExists: 'fail', onFile: (one) => (told = one) });
    assert.equal(failed.failed, 1);
    assert.equal((told?.error as { resultCode?: number }).resultCode, 16);
    assert.equal(await readFile(scene.remote('f'), 'utf8'), 'old');
  });

  it('are read from any iterable, as they are needed', async () => {
    await using scene = await TreeScene.make();
    await writeFile(scene.local('f'), 'x');
    async function* forever() {
      for (let i = 0; i < 3000; i++) yield { source: scene.local('f'), target: `many/f${i}` };
    }
    const { files, bytes } = await scene.client.uploadFiles(forever());
    assert.deepEqual([files, bytes], [3000, 3000]);
    assert.equal((await contentsOf(scene.remote('many'))).size, 3000);
  });
});
