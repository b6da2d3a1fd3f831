import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, stat, symlink, unlink, utimes, writeFile } from 'node:fs/promises';
import { describe, it } from 'node:test';
import { connect, type DownloadedFile } from '@sluice/client';
import { PlainServer } from '@sluice/testkit';
import { contentsOf, TreeScene } from './support/tree-scene.js';

const SMALL_LIMIT = 256 << 10;

async function writeTree(tree: string, files: number): Promise<void> {
  for (let i = 0; i < 10; i++) await mkdir(`${tree}/d${i}/deep`, { recursive: true });
  await mkdir(`${tree}/empty/below`, { recursive: true });
  for (let i = 0; i < files; i++) await writeFile(`${tree}/d${i % 10}/deep/f${i}`, `content ${i}\n`.repeat(i % 50));
}

describe('a directory that is downloaded', () => {
  it('is here as it is on the server: small files, large ones, empty directories, times and permissions', async () => {
    await using scene = await TreeScene.make();
    const tree = scene.remote('tree');
    await writeTree(tree, 300);
    await writeFile(`${tree}/small`, Buffer.alloc(SMALL_LIMIT, 1), { mode: 0o600 });
    await writeFile(`${tree}/large`, Buffer.alloc(SMALL_LIMIT + 1, 2));
    await utimes(`${tree}/small`, 1_580_608_922.25, 1_580_608_922.25);
    await symlink('/etc', `${tree}/link`);
    const told: DownloadedFile[] = [];
    const skipped: string[] = [];
    const result = await scene.client.downloadTree('tree', scene.local('copy'), {
      onFile: (file) => told.push(file),
      onSkipped: ({ path }) => skipped.push(path),
    });
    assert.deepEqual([result.files, result.failed, told.length], [302, 0, 302]);
    assert.deepEqual(skipped, ['link']);
    await unlink(`${tree}/link`);
    assert.deepEqual(await contentsOf(scene.local('copy')), await contentsOf(tree));
    const { mode, mtimeMs } = await stat(scene.local('copy/small'));
    assert.deepEqual([mode & 0o777, mtimeMs], [0o600, 1_580_608_922_250]);
  });

  it('gets here when the link breaks again and again, and leaves nothing else behind', async () => {
    await using scene = await TreeScene.make({ retries: 10 });
    await writeTree(scene.remote('tree'), 2000);
    const work = scene.client.downloadTree('tree', scene.local('copy'));
    let isDone = false;
    const done = work.finally(() => {
      isDone = true;
    });
    for (let bytes = 50_000; !isDone; bytes *= 2) {
      await Promise.race([scene.link.holdAfter(bytes), done]);
      scene.link.cut();
    }
    assert.equal((await done).failed, 0);
    assert.deepEqual(await contentsOf(scene.local('copy')), await contentsOf(scene.remote('tree')));
  });

  it('comes from a server of the original protocol file by file', async () => {
    await using scene = await TreeScene.make();
    const original = await PlainServer.listen({ root: scene.local('original') });
    await writeTree(scene.local('original/tree'), 30);
    const client = await connect(original.url);
    const { files, failed } = await client.downloadTree('tree', scene.local('copy'));
    assert.deepEqual([files, failed], [30, 0]);
    assert.deepEqual(await contentsOf(scene.local('copy')), await contentsOf(scene.local('original/tree')));
    await client.close();
    await original.close();
  });
});

describe('files that are downloaded together', () => {
  it('do not end one another: each that fails says why', async () => {
    await using scene = await TreeScene.make();
    await writeFile(scene.remote('good'), 'good');
    await writeFile(scene.remote('grown'), Buffer.alloc(SMALL_LIMIT + 1));
    await mkdir(scene.local('taken'));
    const told = new Map<string, DownloadedFile>();
    const { files, failed } = await scene.client.downloadFiles(
      [
        { source: 'missing', target: scene.local('missing') },
        { source: 'good', target: scene.local('deep/er/good') },
        { source: 'good', target: scene.local('taken') },
        { source: 'grown', target: scene.local('grown'), size: 10 },
      ],
      { onFile: (file) => told.set(file.target, file) },
    );
    assert.deepEqual([files, failed], [2, 2]);
    assert.equal((told.get(scene.local('missing'))?.error as { resultCode?: number }).resultCode, 9);
    assert.match(`${told.get(scene.local('taken'))?.error}`, /taken: is a directory/);
    assert.equal(await readFile(scene.local('deep/er/good'), 'utf8'), 'good');
    assert.equal((await stat(scene.local('grown'))).size, SMALL_LIMIT + 1);
    assert.deepEqual((await readdir(scene.local('.'))).sort(), ['deep', 'grown', 'taken']);
  });

  it('leave targets alone that are there, if they are to', async () => {
    await using scene = await TreeScene.make();
    await writeFile(scene.remote('f'), 'new');
    await writeFile(scene.local('f'), 'old');
    await utimes(scene.remote('f'), 1000, 1000);
    await utimes(scene.local('f'), 2000, 2000);
    const file = { source: 'f', target: scene.local('f') };
    for (const ifExists of ['skip', 'newer'] as const) {
      const { files, skipped } = await scene.client.downloadFiles([file], { ifExists });
      assert.deepEqual([files, skipped], [0, 1], ifExists);
    }
    assert.equal((await scene.client.downloadFiles([file], { ifExists: 'fail' })).failed, 1);
    assert.equal(await readFile(scene.local('f'), 'utf8'), 'old');
    await utimes(scene.remote('f'), 3000, 3000);
    assert.equal((await scene.client.downloadFiles([file], { ifExists: 'newer' })).files, 1);
    assert.equal(await readFile(scene.local('f'), 'utf8'), 'new');
  });
});
