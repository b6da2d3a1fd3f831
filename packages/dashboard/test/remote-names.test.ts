import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type DroppedEntry, droppedFiles } from '../../../packages/dashboard/build/model/dropped-files.js';
import {
  crumbsOf,
  joinPath,
  nameOf,
  nameProblem,
  parentOf,
  renameProblem,
  sortEntries,
  stemLength,
  visibleName,
} from '../../../packages/dashboard/build/model/remote-names.js';

describe('names of files on the page', () => {
  it('are joined and taken apart', () => {
    assert.equal(joinPath('', 'a'), 'a');
    assert.equal(joinPath('a/b', 'c'), 'a/b/c');
    assert.deepEqual([parentOf('a/b/c'), parentOf('a')], ['a/b', '']);
    assert.deepEqual([nameOf('a/b/c'), nameOf('a')], ['c', 'a']);
    assert.deepEqual(crumbsOf('a/b'), [
      { name: 'a', path: 'a' },
      { name: 'b', path: 'a/b' },
    ]);
    assert.deepEqual(crumbsOf(''), []);
  });

  it('are sorted as people read them, directories first', () => {
    const names = ['a10.txt', 'a2.txt', 'B', 'sub'].map((name) => ({
      name,
      kind: name === 'sub' ? 'directory' : 'file',
    }));
    assert.deepEqual(
      sortEntries(names).map(({ name }) => name),
      ['sub', 'a2.txt', 'a10.txt', 'B'],
    );
  });

  it('are refused before the server has to', () => {
    for (const name of ['', '.', '..', 'a/b', 'a\\b', 'a\nb', 'é'.repeat(128)]) assert.ok(nameProblem(name), name);
    assert.ok(nameProblem('taken', new Set(['taken'])));
    assert.equal(nameProblem('é'.repeat(127)), undefined);
    assert.equal(nameProblem('<script>.txt'), undefined);
  });

  it('are changed to another one that is free', () => {
    const taken = new Set(['a.txt', 'b.txt']);
    assert.ok(renameProblem('a.txt', 'a.txt', taken));
    assert.ok(renameProblem('b.txt', 'a.txt', taken));
    assert.ok(renameProblem('x/b', 'a.txt', taken));
    assert.equal(renameProblem('A.txt', 'a.txt', taken), undefined);
  });

  it('are selected up to their extension when they are to be changed', () => {
    const lengths = ['a.txt', 'a.tar.gz', 'name', '.hidden', 'a.'].map(stemLength);
    assert.deepEqual(lengths, [1, 5, 4, 7, 1]);
  });

  it('show control characters, and what turns the direction of a text, as marks', () => {
    assert.equal(visibleName('a\nb\u001b[2J\u007f'), 'a␊b␛[2J␡');
    assert.equal(visibleName('invoice\u202efdp.exe'), 'invoice\ufffdfdp.exe');
    assert.equal(visibleName('<b>Großglockner 写真 🙂</b>'), '<b>Großglockner 写真 🙂</b>');
  });
});

describe('files that were dropped', () => {
  const file = (name: string): DroppedEntry => ({
    isFile: true,
    isDirectory: false,
    name,
    file: (onFile) => onFile(new File([name], name)),
  });
  /** As browsers do, tells a hundred at a time. */
  const directory = (name: string, children: readonly DroppedEntry[]): DroppedEntry => ({
    isFile: false,
    isDirectory: true,
    name,
    createReader: () => {
      const left = [...children];
      return { readEntries: (onEntries) => onEntries(left.splice(0, 100)) };
    },
  });

  async function pathsOf(entries: readonly DroppedEntry[]): Promise<{ paths: string[]; unreadable: string[] }> {
    const paths: string[] = [];
    const unreadable: string[] = [];
    for await (const { path } of droppedFiles(entries, (path) => unreadable.push(path))) paths.push(path);
    return { paths, unreadable };
  }

  it('are all that are in folders, however many, with their places', async () => {
    const many = Array.from({ length: 250 }, (_, index) => file(`${index}.bin`));
    const { paths } = await pathsOf([file('a.txt'), directory('top', [directory('sub', many), file('b.txt')])]);
    assert.equal(paths.length, 252);
    assert.deepEqual(
      [paths[0], paths[1], paths[250], paths[251]],
      ['a.txt', 'top/sub/0.bin', 'top/sub/249.bin', 'top/b.txt'],
    );
  });

  it('are told of when they cannot be read, and do not end the others', async () => {
    const locked: DroppedEntry = { ...file('locked'), file: (_onFile, onError) => onError(new Error('no')) };
    assert.deepEqual(await pathsOf([directory('top', [locked, file('b')])]), {
      paths: ['top/b'],
      unreadable: ['top/locked'],
    });
  });

  it('are followed to a depth, not into a loop', async () => {
    const loop: DroppedEntry = { ...directory('loop', []), createReader: () => directory('', [loop]).createReader!() };
    assert.deepEqual(await pathsOf([loop, file('a')]), { paths: ['a'], unreadable: [] });
  });
});
