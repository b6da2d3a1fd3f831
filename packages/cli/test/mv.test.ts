import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, it } from 'node:test';
import { ServedPlace } from './support/served-place.js';
import { Workplace } from './support/workplace.js';

async function sample(): Promise<ServedPlace> {
  const place = await ServedPlace.open();
  await mkdir(path.join(place.root, 'dir', 'deep'), { recursive: true });
  await writeFile(path.join(place.root, 'a'), 'a');
  await writeFile(path.join(place.root, 'b'), 'b');
  return place;
}

/** What is in the directory that is served, but the server's own. */
async function names(place: ServedPlace): Promise<string[]> {
  const all = await readdir(place.root, { recursive: true });
  return all.filter((name) => !name.startsWith('.sluice')).sort();
}

describe('sluice mv', { concurrency: 2 }, () => {
  it('renames a file, moves it into a directory by a / at its end, and renames a directory', async () => {
    await using place = await sample();
    assert.deepEqual(await place.sluice(['mv', 'a', 'c']), { code: 0, stdout: '', stderr: '' });
    assert.deepEqual(await names(place), ['b', 'c', 'dir', 'dir/deep']);
    assert.equal((await place.sluice(['mv', 'c', `${place.url}dir/`])).code, 0);
    assert.equal((await place.sluice(['mv', 'dir', 'other name'])).code, 0);
    assert.deepEqual(await names(place), ['b', 'other name', 'other name/c', 'other name/deep']);
    assert.equal((await place.sluice(['mv', 'other name/c', ':'])).code, 0);
    assert.deepEqual(await names(place), ['b', 'c', 'other name', 'other name/deep']);
  });

  it('replaces a file only with --force', async () => {
    await using place = await sample();
    const refused = await place.sluice(['mv', 'a', 'b']);
    assert.deepEqual(refused, {
      code: 1,
      stdout: '',
      stderr: 'sluice: b exists: a file replaces a file with --force\n',
    });
    assert.equal(await readFile(path.join(place.root, 'b'), 'utf8'), 'b');
    assert.equal((await place.sluice(['mv', '--force', 'a', 'b'])).code, 0);
    assert.equal(await readFile(path.join(place.root, 'b'), 'utf8'), 'a');
  });

  it('replaces no directory, and says how to move into it', async () => {
    await using place = await sample();
    for (const force of [[], ['-f']]) {
      const { code, stderr } = await place.sluice(['mv', ...force, 'a', 'dir']);
      assert.equal(code, 1);
      assert.match(
        stderr,
        /^sluice: dir is a directory, which is not replaced: to move into it, write it with a \/ at/,
      );
    }
    assert.deepEqual(await names(place), ['a', 'b', 'dir', 'dir/deep']);
  });

  it('says what is missing', async () => {
    await using place = await sample();
    const missing = await place.sluice(['mv', 'none', 'c']);
    assert.deepEqual([missing.code, missing.stderr.includes('does not exist')], [1, true], missing.stderr);
    const noDirectory = await place.sluice(['mv', 'a', 'none/']);
    assert.deepEqual([noDirectory.code, noDirectory.stderr.includes('sluice mkdir')], [1, true], noDirectory.stderr);
    const intoItself = await place.sluice(['mv', 'dir', 'dir/deep/']);
    assert.deepEqual([intoItself.code, intoItself.stderr.includes('into itself')], [1, true], intoItself.stderr);
  });

  it('needs two names on one server, of which the first is not the root', async () => {
    await using place = await sample();
    for (const operands of [[], ['a'], ['a', 'b', 'c'], [':', 'c'], ['a', 'a'], ['a', 'sluice://elsewhere/a']]) {
      const { code, stderr } = await place.sluice(['mv', ...operands]);
      assert.equal(code, 2, `${operands}: ${stderr}`);
    }
    assert.deepEqual(await names(place), ['a', 'b', 'dir', 'dir/deep']);
  });

  it('keeps what is recorded of a file: sluice verify finds it intact', async () => {
    await using place = await sample();
    await place.sluice(['verify', 'a']);
    assert.equal((await place.sluice(['mv', 'a', 'dir/c'])).code, 0);
    const { code, stdout, stderr } = await place.sluice(['verify', '--json', 'dir/c']);
    assert.deepEqual([code, stdout.includes('"intact"')], [0, true], stdout + stderr);
  });

  it('says that a server without renaming cannot', async () => {
    await using place = await Workplace.open();
    await writeFile(place.served('a'), 'a');
    const { code, stderr } = await place.sluice(['mv', 'a', 'b']);
    assert.deepEqual([code, stderr], [1, 'sluice: the server cannot rename\n']);
  });
});
