import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { link, lstat, mkdir, readdir, readFile, rename, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import type { DirectoryAnchor } from '../../../../packages/server/dist/storage/directory-handle.js';
import { DirectoryTree } from '../../../../packages/server/dist/storage/directory-tree.js';
import { OpenFiles } from '../../../../packages/server/dist/storage/open-files.js';
import { StorageError, type StorageErrorCode } from '../../../../packages/server/dist/storage/storage-error.js';
import { openDescriptors, temporaryDirectory } from './temporary-directory.js';

const never = (): boolean => false;

function withCode(code: StorageErrorCode, missing?: 'parent' | 'target'): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof StorageError, String(error));
    assert.equal(error.code, code);
    assert.equal(error.missing, missing);
    assert.doesNotMatch(error.message, /\/tmp|proc\/self\/fd\/\d|E[A-Z]{4,}/);
    return true;
  };
}

/** A tree on a fresh root, beside a directory `outside` with a file `secret` that no test may reach through the tree. */
async function freshTree(anchor: DirectoryAnchor): Promise<{
  base: string;
  root: string;
  outside: string;
  tree: DirectoryTree;
  [Symbol.asyncDispose](): Promise<void>;
}> {
  const directory = await temporaryDirectory();
  const root = join(directory.path, 'root');
  const outside = join(directory.path, 'outside');
  await mkdir(root);
  await mkdir(outside);
  await writeFile(join(outside, 'secret'), 'secret');
  const tree = await DirectoryTree.open(root, { anchor });
  return {
    base: directory.path,
    root,
    outside,
    tree,
    async [Symbol.asyncDispose]() {
      await tree.close();
      await directory[Symbol.asyncDispose]();
    },
  };
}

for (const anchor of ['descriptor', 'path'] as const) {
  describe(`DirectoryTree, entries reached by ${anchor}`, {
    skip: anchor === 'descriptor' && process.platform !== 'linux',
  }, () => {
    describe('resolveOrCreate', () => {
      it('finds what is there and makes what is missing, at once and again', async () => {
        await using t = await freshTree(anchor);
        await mkdir(join(t.root, 'a'));
        for (const path of [[], ['a'], ['a', 'b', 'c'], ['d']]) {
          await using made = await t.tree.resolveOrCreate(path);
          await using found = await t.tree.resolve(path);
          assert.equal(made.key, found.key);
        }
        await rm(join(t.root, 'a'), { recursive: true });
        const all = await Promise.all(Array.from({ length: 8 }, () => t.tree.resolveOrCreate(['a', 'b', 'c'])));
        assert.equal(new Set(all.map(({ key }) => key)).size, 1);
        for (const held of all) await held.close();
      });

      it('is led nowhere by a link or a file, and leaves no descriptor open', async () => {
        await using t = await freshTree(anchor);
        await symlink(t.outside, join(t.root, 'link'));
        await writeFile(join(t.root, 'file'), 'x');
        const before = await openDescriptors();
        for (const path of [['link'], ['link', 'x'], ['file'], ['file', 'x']]) {
          await assert.rejects(t.tree.resolveOrCreate(path), withCode('ERR_NOT_A_DIRECTORY'));
        }
        await assert.rejects(t.tree.resolveOrCreate(['a', '..']), withCode('ERR_NAME_INVALID'));
        await assert.rejects(t.tree.resolveOrCreate(['.sluice', 'x']), withCode('ERR_NAME_INVALID'));
        assert.deepEqual(await openDescriptors(), before);
        assert.deepEqual(readdirSync(t.outside), ['secret']);
        assert.deepEqual(readdirSync(t.root).sort(), ['file', 'link']);
      });
    });

    describe('open', () => {
      it('refuses a root that is missing or no directory', async () => {
        await using directory = await temporaryDirectory();
        const file = join(directory.path, 'file');
        await writeFile(file, '');
        await assert.rejects(
          DirectoryTree.open(join(directory.path, 'no'), { anchor }),
          withCode('ERR_DIRECTORY_NOT_FOUND'),
        );
        await assert.rejects(DirectoryTree.open(file, { anchor }), withCode('ERR_NOT_A_DIRECTORY'));
      });

      it('follows a link that is the root itself: the operator gave it', async () => {
        await using t = await freshTree(anchor);
        await symlink(t.root, join(t.base, 'link'));
        await mkdir(join(t.root, 'a'));
        await using tree = await DirectoryTree.open(join(t.base, 'link'), { anchor });
        assert.deepEqual(await tree.listDirectories([]), ['a']);
      });

      it('may be closed twice, and fails without a path afterwards', async () => {
        await using t = await freshTree(anchor);
        await t.tree.close();
        await t.tree.close();
        await assert.rejects(t.tree.resolve([]), withCode('ERR_IO'));
      });
    });

    describe('resolve', () => {
      it('finds the root and directories below it, each with its own key', async () => {
        await using t = await freshTree(anchor);
        await mkdir(join(t.root, 'a/b'), { recursive: true });
        await using root = await t.tree.resolve([]);
        await using b = await t.tree.resolve(['a', 'b']);
        await using again = await t.tree.resolve(['a', 'b']);
        const { dev, ino } = await stat(join(t.root, 'a/b'));
        assert.equal(b.key, `${dev}:${ino}`);
        assert.equal(again.key, b.key);
        assert.notEqual(root.key, b.key);
        assert.equal(b.entryKey('x'), `${dev}:${ino}/x`);
      });

      it('says which kind of failure it is', async () => {
        await using t = await freshTree(anchor);
        await writeFile(join(t.root, 'file'), '');
        await assert.rejects(t.tree.resolve(['no']), withCode('ERR_DIRECTORY_NOT_FOUND'));
        await assert.rejects(t.tree.resolve(['no', 'x']), withCode('ERR_DIRECTORY_NOT_FOUND'));
        await assert.rejects(t.tree.resolve(['file']), withCode('ERR_NOT_A_DIRECTORY'));
        await assert.rejects(t.tree.resolve(['file', 'x']), withCode('ERR_NOT_A_DIRECTORY'));
      });

      it('follows no link, wherever it leads and wherever it stands (D26)', async () => {
        await using t = await freshTree(anchor);
        await mkdir(join(t.root, 'real/inner'), { recursive: true });
        await symlink(t.outside, join(t.root, 'out'));
        await symlink('real', join(t.root, 'in'));
        await symlink('..', join(t.root, 'real/up'));
        await symlink('loop', join(t.root, 'loop'));
        for (const components of [['out'], ['in'], ['in', 'inner'], ['real', 'up'], ['real', 'up', 'up'], ['loop']]) {
          await assert.rejects(t.tree.resolve(components), withCode('ERR_NOT_A_DIRECTORY'));
        }
      });

      it('refuses components that no parser should have let through', async () => {
        await using t = await freshTree(anchor);
        for (const components of [
          ['..'],
          ['a', '..'],
          ['../outside'],
          ['a/b'],
          [''],
          ['a\0'],
          ['.'],
          new Array(129).fill('a'),
        ]) {
          await assert.rejects(t.tree.resolve(components), withCode('ERR_NAME_INVALID'));
        }
      });

      it('leaks no descriptor, whatever fails', async () => {
        await using t = await freshTree(anchor);
        await mkdir(join(t.root, 'a/b/c'), { recursive: true });
        await writeFile(join(t.root, 'a/b/file'), '');
        await symlink('b', join(t.root, 'a/link'));
        execFileSync('mkfifo', [join(t.root, 'a/b/fifo')]);
        const attempts: (() => Promise<unknown>)[] = [
          () => t.tree.resolve(['a', 'b', 'no']),
          () => t.tree.resolve(['a', 'b', 'file', 'x']),
          () => t.tree.resolve(['a', 'link']),
          () => t.tree.listFiles(['a', 'b', 'no']),
          () => t.tree.listDirectories(['a', 'b', 'file']),
          () => t.tree.createDirectory(['a', 'b'], ['c', 'd', '..']),
          () => t.tree.createDirectory(['a', 'b'], ['file', 'd']),
          () => t.tree.createDirectory(['a', 'no'], ['c']),
          () => t.tree.removeDirectory(['a', 'b'], ['c', 'no'], never),
          () => t.tree.removeDirectory(['a'], ['link'], never),
          () => t.tree.removeDirectory(['a'], ['b'], () => true),
          () => t.tree.removeFile(['a', 'b'], 'c', never),
          () => t.tree.removeFile(['a', 'b'], 'file', () => true),
          async () => {
            await using b = await t.tree.resolve(['a', 'b']);
            await b.openFile('fifo', 'append');
          },
          async () => {
            await using b = await t.tree.resolve(['a', 'b']);
            await b.openFile('c', 'read');
          },
        ];
        const before = await openDescriptors();
        for (let round = 0; round < 20; round += 1) {
          const outcomes = await Promise.allSettled(attempts.map((attempt) => attempt()));
          assert.ok(outcomes.every(({ status }) => status === 'rejected'));
        }
        assert.equal(await openDescriptors(), before);
      });
    });

    describe('the state directory', () => {
      it('cannot be reached, listed, made, removed or opened, in any spelling', async () => {
        await using t = await freshTree(anchor);
        await mkdir(join(t.root, '.sluice/trash'), { recursive: true });
        await mkdir(join(t.root, 'a'));
        await using root = await t.tree.resolve([]);
        for (const name of ['.sluice', '.SLUICE', '.SluicE']) {
          const refused = withCode('ERR_NAME_INVALID');
          await assert.rejects(t.tree.resolve([name]), refused);
          await assert.rejects(t.tree.resolve([name, 'trash']), refused);
          await assert.rejects(t.tree.listFiles([name]), refused);
          await assert.rejects(t.tree.listDirectories([name]), refused);
          await assert.rejects(t.tree.createDirectory([], [name]), refused);
          await assert.rejects(t.tree.createDirectory([], [name, 'x']), refused);
          await assert.rejects(t.tree.createDirectory([name], ['x']), refused);
          await assert.rejects(t.tree.removeDirectory([], [name], never), refused);
          await assert.rejects(t.tree.removeDirectory([name], ['trash'], never), refused);
          await assert.rejects(t.tree.removeFile([], name, never), refused);
          await assert.rejects(root.openFile(name, 'append'), refused);
        }
        const skipped: string[] = [];
        assert.deepEqual(await t.tree.listDirectories([], (name) => skipped.push(name)), ['a']);
        assert.deepEqual(skipped, []);
      });

      it('is a name like any other below the root', async () => {
        await using t = await freshTree(anchor);
        await t.tree.createDirectory([], ['a', '.sluice']);
        assert.deepEqual(await t.tree.listDirectories(['a']), ['.sluice']);
      });
    });

    describe('openFile', () => {
      it('opens for append without truncating, and says what it found', async () => {
        await using t = await freshTree(anchor);
        await using root = await t.tree.resolve([]);
        const created = await root.openFile('f', 'append');
        assert.equal(created.size, 0);
        await created.handle.write('hello', 0);
        await created.handle.close();
        const again = await root.openFile('f', 'append');
        assert.equal(again.size, 5);
        assert.equal((await again.handle.readFile()).toString(), 'hello');
        await again.handle.close();
        await root.sync();
      });

      it('opens for reading what exists, and creates nothing (D38)', async () => {
        await using t = await freshTree(anchor);
        await writeFile(join(t.root, 'f'), 'abc');
        await using root = await t.tree.resolve([]);
        const { handle, size, device } = await root.openFile('f', 'read');
        assert.deepEqual([size, device], [3, (await stat(join(t.root, 'f'))).dev]);
        await assert.rejects(handle.write('x'), { code: 'EBADF' });
        await handle.close();
        await assert.rejects(root.openFile('no', 'read'), withCode('ERR_FILE_NOT_FOUND'));
        assert.deepEqual(await readdir(t.root), ['f']);
      });

      for (const access of ['read', 'append'] as const) {
        it(`for ${access}: refuses directories, links, FIFOs, sockets and devices, and does not hang`, async () => {
          await using t = await freshTree(anchor);
          await mkdir(join(t.root, 'directory'));
          await writeFile(join(t.root, 'file'), 'x');
          await symlink(join(t.outside, 'secret'), join(t.root, 'out'));
          await symlink('file', join(t.root, 'in'));
          await symlink(join(t.outside, 'new'), join(t.root, 'dangling'));
          execFileSync('mkfifo', [join(t.root, 'fifo')]);
          const server = createServer();
          await new Promise<void>((resolve) => server.listen(join(t.root, 'socket'), resolve));
          await using root = await t.tree.resolve([]);
          for (const name of ['directory', 'out', 'in', 'dangling', 'fifo', 'socket']) {
            await assert.rejects(root.openFile(name, access), withCode('ERR_NOT_A_FILE'), name);
          }
          server.close();
          assert.deepEqual(await readdir(t.outside), ['secret']);
        });

        it(`for ${access}: refuses names that are not bare`, async () => {
          await using t = await freshTree(anchor);
          await using root = await t.tree.resolve([]);
          for (const name of ['', '.', '..', '../outside/secret', 'a/b', 'a\\b', 'a\0', 'x'.repeat(256)]) {
            await assert.rejects(root.openFile(name, access), withCode('ERR_NAME_INVALID'));
          }
        });
      }

      it('creates a file once when many ask for it at the same time', async () => {
        await using t = await freshTree(anchor);
        await using root = await t.tree.resolve([]);
        const opened = await Promise.all(Array.from({ length: 20 }, () => root.openFile('f', 'append')));
        const files = await Promise.all(opened.map(async ({ handle }) => (await handle.stat()).ino));
        assert.equal(new Set(files).size, 1);
        for (const { handle } of opened) await handle.close();
      });

      it('says that the directory is gone when it was removed meanwhile', async () => {
        await using t = await freshTree(anchor);
        await mkdir(join(t.root, 'a'));
        await using a = await t.tree.resolve(['a']);
        await rm(join(t.root, 'a'), { recursive: true });
        await assert.rejects(a.openFile('f', 'append'), withCode('ERR_DIRECTORY_NOT_FOUND'));
        await assert.rejects(a.openFile('f', 'read'), withCode('ERR_FILE_NOT_FOUND'));
      });
    });

    describe('listing', () => {
      it('gives directories and files, sorted by code point, and no links', async () => {
        await using t = await freshTree(anchor);
        const names = ['b', 'B', 'a', '10', '9', '😀', '\uFF21', '目', '-x', 'b=c', ' '];
        for (const name of names) {
          await mkdir(join(t.root, `d${name}`));
          await writeFile(join(t.root, `f${name}`), 'x'.repeat(name.length));
        }
        await symlink('f10', join(t.root, 'link to file'));
        await symlink('d10', join(t.root, 'link to directory'));
        execFileSync('mkfifo', [join(t.root, 'fifo')]);
        const sorted = [...names].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
        assert.deepEqual(
          await t.tree.listDirectories([]),
          sorted.map((name) => `d${name}`),
        );
        assert.deepEqual(
          await t.tree.listFiles([]),
          sorted.map((name) => ({ name: `f${name}`, size: name.length })),
        );
      });

      it('leaves out names that no peer can address, and reports them escaped (D21)', async () => {
        await using t = await freshTree(anchor);
        await mkdir(join(t.root, 'd'));
        for (const name of ['cr\r', 'lf\n', 'back\\slash', 'fffd\uFFFD', 'good']) {
          await writeFile(join(t.root, 'd', name), '');
          await mkdir(join(t.root, 'd', `${name}-d`));
        }
        await writeFile(Buffer.concat([Buffer.from(join(t.root, 'd/')), Buffer.from([0x62, 0xff])]), '');
        const skipped: string[] = [];
        const onSkipped = (name: string): void => void skipped.push(name);
        assert.deepEqual(await t.tree.listFiles(['d'], onSkipped), [{ name: 'good', size: 0 }]);
        assert.deepEqual(skipped.sort(), ['b\\xff', 'back\\x5cslash', 'cr\\x0d', 'fffd\\xef\\xbf\\xbd', 'lf\\x0a']);
        assert.deepEqual(await t.tree.listDirectories(['d']), ['good-d']);
      });

      it('lists a directory of 3,000 files', async () => {
        await using t = await freshTree(anchor);
        for (let index = 0; index < 3000; index += 1)
          await writeFile(join(t.root, String(index).padStart(4, '0')), 'x');
        const files = await t.tree.listFiles([]);
        assert.equal(files.length, 3000);
        assert.deepEqual(files[2999], { name: '2999', size: 1 });
      });

      it('leaves out what disappears meanwhile, instead of failing', async () => {
        await using t = await freshTree(anchor);
        for (let index = 0; index < 500; index += 1) await writeFile(join(t.root, `${index}`), '');
        const listing = t.tree.listFiles([]);
        await Promise.all((await readdir(t.root)).map((name) => rm(join(t.root, name))));
        assert.ok((await listing).length <= 500);
      });
    });

    describe('createDirectory', () => {
      it('creates what is missing on the way, and takes what exists for success', async () => {
        await using t = await freshTree(anchor);
        await t.tree.createDirectory([], ['x', 'y', 'z']);
        await t.tree.createDirectory([], ['x', 'y', 'z']);
        await t.tree.createDirectory(['x', 'y'], ['w']);
        assert.deepEqual(await t.tree.listDirectories(['x', 'y']), ['w', 'z']);
      });

      it('succeeds for everybody when many create the same at once', async () => {
        await using t = await freshTree(anchor);
        await Promise.all(
          Array.from({ length: 20 }, (_, index) => t.tree.createDirectory([], ['x', 'y', `${index % 3}`])),
        );
        assert.deepEqual(await t.tree.listDirectories(['x', 'y']), ['0', '1', '2']);
      });

      it('says what is wrong: parent, name, or something in the way', async () => {
        await using t = await freshTree(anchor);
        await writeFile(join(t.root, 'file'), '');
        await symlink(t.outside, join(t.root, 'link'));
        await assert.rejects(t.tree.createDirectory(['no'], ['x']), withCode('ERR_DIRECTORY_NOT_FOUND'));
        await assert.rejects(t.tree.createDirectory([], []), withCode('ERR_NAME_INVALID'));
        await assert.rejects(t.tree.createDirectory([], ['..']), withCode('ERR_NAME_INVALID'));
        const tooDeep = [new Array(100).fill('a'), new Array(29).fill('a')] as const;
        await assert.rejects(t.tree.createDirectory(...tooDeep), withCode('ERR_NAME_INVALID'));
        for (const name of [['file'], ['file', 'x'], ['link'], ['link', 'x']]) {
          await assert.rejects(t.tree.createDirectory([], name), withCode('ERR_NOT_A_DIRECTORY'));
        }
        assert.deepEqual(await readdir(t.outside), ['secret']);
      });
    });

    describe('removeDirectory', () => {
      it('removes a whole tree, also names that are no UTF-8, and never what a link leads to', async () => {
        await using t = await freshTree(anchor);
        await mkdir(join(t.root, 'p/a/b/c'), { recursive: true });
        await mkdir(join(t.root, 'p/a/empty'));
        await writeFile(join(t.root, 'p/a/b/f'), 'x');
        await symlink(t.outside, join(t.root, 'p/a/b/out'));
        await symlink(join(t.outside, 'secret'), join(t.root, 'p/a/secret'));
        await link(join(t.outside, 'secret'), join(t.root, 'p/a/hard'));
        execFileSync('mkfifo', [join(t.root, 'p/a/fifo')]);
        const odd = Buffer.concat([Buffer.from(join(t.root, 'p/a/')), Buffer.from([0xff, 0xfe])]);
        await mkdir(odd);
        await writeFile(Buffer.concat([odd, Buffer.from('/\xff', 'latin1')]), '');
        await t.tree.removeDirectory(['p'], ['a'], never);
        assert.deepEqual(await readdir(join(t.root, 'p')), []);
        assert.equal(await readFile(join(t.outside, 'secret'), 'utf8'), 'secret');
      });

      it('tells a missing parent from a missing target', async () => {
        await using t = await freshTree(anchor);
        await mkdir(join(t.root, 'p'));
        const remove = (parent: string[], name: string[]): Promise<void> => t.tree.removeDirectory(parent, name, never);
        await assert.rejects(remove(['no'], ['x']), withCode('ERR_DIRECTORY_NOT_FOUND', 'parent'));
        await assert.rejects(remove(['p'], ['x']), withCode('ERR_DIRECTORY_NOT_FOUND', 'target'));
        await assert.rejects(remove(['p'], ['x', 'y']), withCode('ERR_DIRECTORY_NOT_FOUND', 'target'));
      });

      it('refuses an empty name, and what is no directory (D26)', async () => {
        await using t = await freshTree(anchor);
        await writeFile(join(t.root, 'file'), '');
        await symlink(t.outside, join(t.root, 'link'));
        await assert.rejects(t.tree.removeDirectory([], [], never), withCode('ERR_NAME_INVALID'));
        await assert.rejects(t.tree.removeDirectory([], ['..'], never), withCode('ERR_NAME_INVALID'));
        await assert.rejects(t.tree.removeDirectory([], ['file'], never), withCode('ERR_NOT_A_DIRECTORY'));
        await assert.rejects(t.tree.removeDirectory([], ['link'], never), withCode('ERR_NOT_A_DIRECTORY'));
        assert.deepEqual((await readdir(t.root)).sort(), ['file', 'link']);
        assert.deepEqual(await readdir(t.outside), ['secret']);
      });

      it('removes nothing at all while one file in the tree is in use', async () => {
        await using t = await freshTree(anchor);
        await mkdir(join(t.root, 'a/b/c'), { recursive: true });
        for (const name of ['a/1', 'a/b/2', 'a/b/c/3']) await writeFile(join(t.root, name), '');
        const files = new OpenFiles();
        await using c = await t.tree.resolve(['a', 'b', 'c']);
        const claim = files.claimForReading(c.entryKey('3'));
        const isInUse = (key: string): boolean => files.isInUse(key);
        await assert.rejects(t.tree.removeDirectory([], ['a'], isInUse), withCode('ERR_IN_USE'));
        for (const name of ['a/1', 'a/b/2', 'a/b/c/3']) await lstat(join(t.root, name));
        claim.release();
        await t.tree.removeDirectory([], ['a'], isInUse);
        assert.deepEqual(await readdir(t.root), []);
      });

      it('stops at a file that is taken into use after the search, and keeps it where it is', async () => {
        await using t = await freshTree(anchor);
        await mkdir(join(t.root, 'a/b'), { recursive: true });
        await writeFile(join(t.root, 'a/b/late'), 'x');
        let questions = 0;
        const isInUse = (): boolean => ++questions > 1;
        await assert.rejects(t.tree.removeDirectory([], ['a'], isInUse), withCode('ERR_IN_USE'));
        assert.equal(await readFile(join(t.root, 'a/b/late'), 'utf8'), 'x');
      });

      it('removes what is added while it works, and gives up on a directory that never becomes empty', async () => {
        await using t = await freshTree(anchor);
        mkdirSync(join(t.root, 'a/b'), { recursive: true });
        await writeFile(join(t.root, 'a/b/0'), '');
        let added = 0;
        // Asked once for every file before the removal and once in it: adding each time never lets it end.
        const adding = (limit: number) => (): boolean => {
          if (added < limit) mkdirSync(join(t.root, `a/${added++}/x`), { recursive: true });
          return false;
        };
        await t.tree.removeDirectory([], ['a'], adding(2));
        assert.deepEqual(await readdir(t.root), []);
        mkdirSync(join(t.root, 'a/b'), { recursive: true });
        const refilling = (): boolean => {
          rmSync(join(t.root, `a/new${added}`), { force: true });
          writeFileSync(join(t.root, `a/new${++added}`), '');
          return false;
        };
        await writeFile(join(t.root, 'a/0'), '');
        await assert.rejects(t.tree.removeDirectory([], ['a'], refilling), withCode('ERR_IN_USE'));
      });

      it('succeeds for everybody, or finds it missing, when several remove the same tree', async () => {
        await using t = await freshTree(anchor);
        for (const a of 'abcd') {
          for (const b of 'abcd') {
            await mkdir(join(t.root, 'top', a, b), { recursive: true });
            for (const c of 'abcd') await writeFile(join(t.root, 'top', a, b, c), '');
          }
        }
        const before = await openDescriptors();
        const removals = Array.from({ length: 4 }, () => t.tree.removeDirectory([], ['top'], never));
        for (const outcome of await Promise.allSettled(removals)) {
          if (outcome.status === 'rejected') withCode('ERR_DIRECTORY_NOT_FOUND', 'target')(outcome.reason);
        }
        assert.deepEqual(await readdir(t.root), []);
        assert.equal(await openDescriptors(), before);
      });

      if (anchor === 'descriptor') {
        it('removes a tree of 2,000 levels, each with a second branch, with few descriptors', async () => {
          await using t = await freshTree(anchor);
          const start = process.cwd();
          mkdirSync(join(t.root, 'deep'));
          process.chdir(join(t.root, 'deep'));
          for (let level = 0; level < 2000; level += 1) {
            mkdirSync('deeper');
            mkdirSync('z');
            writeFileSync('z/file', '');
            process.chdir('deeper');
          }
          writeFileSync('file', '');
          process.chdir(start);
          const before = await openDescriptors();
          let most = 0;
          let questions = 0;
          await t.tree.removeDirectory([], ['deep'], () => {
            if (++questions % 10 === 0) most = Math.max(most, readdirSync('/proc/self/fd').length);
            return false;
          });
          assert.deepEqual(await readdir(t.root), []);
          assert.ok(most - before < 70, `${most - before} descriptors`);
          assert.equal(await openDescriptors(), before);
        });
      }
    });

    describe('removeFile', () => {
      it('removes a file, takes a missing one for removed, and removes a link itself', async () => {
        await using t = await freshTree(anchor);
        await writeFile(join(t.root, 'f'), '');
        await symlink(join(t.outside, 'secret'), join(t.root, 'link'));
        await symlink(t.outside, join(t.root, 'link to directory'));
        for (const name of ['f', 'f', 'link', 'link to directory']) await t.tree.removeFile([], name, never);
        assert.deepEqual(await readdir(t.root), []);
        assert.deepEqual(await readdir(t.outside), ['secret']);
      });

      it('says what is wrong', async () => {
        await using t = await freshTree(anchor);
        await mkdir(join(t.root, 'd'));
        await writeFile(join(t.root, 'f'), '');
        await assert.rejects(t.tree.removeFile([], 'd', never), withCode('ERR_NOT_A_FILE'));
        await assert.rejects(t.tree.removeFile(['no'], 'f', never), withCode('ERR_DIRECTORY_NOT_FOUND'));
        await assert.rejects(t.tree.removeFile(['f'], 'f', never), withCode('ERR_NOT_A_DIRECTORY'));
        await assert.rejects(t.tree.removeFile([], '../outside/secret', never), withCode('ERR_NAME_INVALID'));
        await assert.rejects(t.tree.removeFile([], '', never), withCode('ERR_NAME_INVALID'));
        await assert.rejects(
          t.tree.removeFile([], 'f', () => true),
          withCode('ERR_IN_USE'),
        );
        assert.deepEqual((await readdir(t.root)).sort(), ['d', 'f']);
      });

      it('never unlinks a file under somebody who has claimed it and then opened it', async () => {
        await using t = await freshTree(anchor);
        const files = new OpenFiles();
        const isInUse = (key: string): boolean => files.isInUse(key);
        await using root = await t.tree.resolve([]);
        const key = root.entryKey('f');
        for (let round = 0; round < 200; round += 1) {
          await writeFile(join(t.root, 'f'), 'old');
          const removal = t.tree.removeFile([], 'f', isInUse).catch(withCode('ERR_IN_USE'));
          for (let turn = 0; turn < round % 8; turn += 1) await new Promise((resolve) => setImmediate(resolve));
          const claim = files.claimForWriting(key, { kind: 'upload', takeOver: async () => {} });
          const { handle } = await root.openFile('f', 'append');
          await removal;
          assert.equal((await handle.stat()).nlink, 1, 'the open file still has its name');
          await handle.close();
          claim.release();
          await t.tree.removeFile([], 'f', isInUse);
        }
      });
    });
  });
}

describe('a directory swapped for a link by somebody with access to the disk', {
  skip: process.platform !== 'linux',
}, () => {
  it('leads no operation out of the root', async () => {
    await using t = await freshTree('descriptor');
    await mkdir(join(t.root, 'a/b'), { recursive: true });
    await using b = await t.tree.resolve(['a', 'b']);
    await rename(join(t.root, 'a'), join(t.base, 'moved'));
    await mkdir(join(t.outside, 'b'));
    await symlink(t.outside, join(t.root, 'a'));
    const { handle } = await b.openFile('f', 'append');
    await handle.close();
    assert.deepEqual(await readdir(join(t.base, 'moved/b')), ['f']);
    assert.deepEqual(await readdir(join(t.outside, 'b')), []);
  });

  it('is never followed, however often it is swapped back and forth during operations', async () => {
    await using t = await freshTree('descriptor');
    await mkdir(join(t.root, 'a/b'), { recursive: true });
    await mkdir(join(t.outside, 'b'));
    let isRunning = true;
    const swapping = (async () => {
      while (isRunning) {
        await rename(join(t.root, 'a'), join(t.base, 'held'));
        await symlink(t.outside, join(t.root, 'a'));
        await rm(join(t.root, 'a'));
        await rename(join(t.base, 'held'), join(t.root, 'a'));
      }
    })();
    const attempt = async (index: number): Promise<void> => {
      await using b = await t.tree.resolve(['a', 'b']);
      const { handle } = await b.openFile(`f${index % 10}`, 'append');
      await handle.close();
      await t.tree.createDirectory(['a'], ['b', 'c']);
      await t.tree.removeDirectory(['a'], ['b', 'c'], never);
      await t.tree.removeFile(['a'], 'secret', never);
    };
    for (let index = 0; index < 300; index += 1) {
      await Promise.allSettled([attempt(index), attempt(index + 1), t.tree.removeDirectory(['a'], ['b', 'c'], never)]);
    }
    isRunning = false;
    await swapping;
    assert.deepEqual((await readdir(t.outside)).sort(), ['b', 'secret']);
    assert.deepEqual(await readdir(join(t.outside, 'b')), []);
  });
});
