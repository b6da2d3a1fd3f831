import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { describe, it } from 'node:test';
import { encodeDirResponse, encodePacket } from '@sluice/wire';
import { jsonLines } from './support/sluice-process.js';
import { Workplace } from './support/workplace.js';

describe('sluice ls', { concurrency: 4 }, () => {
  it('lists directories, then files, one per line', async () => {
    await using place = await sample();
    assert.deepEqual(await place.sluice(['ls']), { code: 0, stdout: 'dir/\na\nbig\n', stderr: '' });
    assert.equal((await place.sluice(['ls', 'dir'])).stdout, 'deep/\nx\n');
    assert.equal((await place.sluice(['ls', `${place.server.url}dir/`])).stdout, 'deep/\nx\n');
    assert.equal((await place.sluice(['ls', '-r'])).stdout, 'dir/\ndir/deep/\ndir/deep/y\ndir/x\na\nbig\n');
  });

  it('aligns sizes, in bytes or for people', async () => {
    await using place = await sample();
    assert.equal((await place.sluice(['ls', '-l'])).stdout, '   -  dir/\n   1  a\n2048  big\n');
    assert.equal((await place.sluice(['ls', '-lh'])).stdout, '       -  dir/\n     1 B  a\n2.00 KiB  big\n');
  });

  it('lists a file as itself', async () => {
    await using place = await sample();
    assert.equal((await place.sluice(['ls', '-l', 'dir/deep/y'])).stdout, '0  y\n');
  });

  it('escapes names in text and keeps them in JSON', async () => {
    await using place = await sample();
    await writeFile(place.served('esc\x1b[2J'), '');
    assert.ok((await place.sluice(['ls'])).stdout.includes('esc\\e[2J\n'));
    assert.deepEqual(jsonLines((await place.sluice(['ls', '--json'])).stdout), [
      { name: 'dir', kind: 'directory' },
      { name: 'a', kind: 'file', size: 1 },
      { name: 'big', kind: 'file', size: 2048 },
      { name: 'esc\x1b[2J', kind: 'file', size: 0 },
    ]);
  });

  it('does not follow .. of a hostile server', async () => {
    await using place = await sample();
    place.server.faults.garbageFor = { command: 'Dir', bytes: encodePacket(encodeDirResponse('Dir', ['..', '.'])) };
    const { code, stderr } = await place.sluice(['ls', '-r']);
    assert.equal(code, 3);
    assert.match(stderr, /^sluice: skipped \./);
  });

  it('says that there is nothing of that name', async () => {
    await using place = await sample();
    const { code, stdout, stderr } = await place.sluice(['ls', 'no/such']);
    assert.deepEqual([code, stdout, stderr], [1, '', 'sluice: no/such does not exist on the server\n']);
  });
});

describe('sluice mkdir', { concurrency: 4 }, () => {
  it('makes directories with those above them, and is content with one that exists', async () => {
    await using place = await sample();
    const result = await place.sluice(['mkdir', 'a b/c', 'dir', `${place.server.url}by/url/`]);
    assert.deepEqual(result, { code: 0, stdout: '', stderr: '' });
    assert.ok(existsSync(place.served('a b/c')) && existsSync(place.served('by/url')));
  });

  it('goes on with the others when one cannot be made', async () => {
    await using place = await sample();
    const { code, stderr } = await place.sluice(['mkdir', 'a/under-a-file', 'fine']);
    assert.deepEqual([code, stderr.split('\n').length], [3, 2], stderr);
    assert.ok(existsSync(place.served('fine')));
  });
});

describe('sluice rm', { concurrency: 4 }, () => {
  it('removes files, and directories only with -r', async () => {
    await using place = await sample();
    const refused = await place.sluice(['rm', 'dir', 'a']);
    assert.equal(refused.code, 3);
    assert.equal(refused.stderr, 'sluice: dir is a directory: remove it, with all that is in it, with -r\n');
    assert.deepEqual((await readdir(place.server.root)).sort(), ['big', 'dir']);
    assert.deepEqual(await place.sluice(['rm', '-r', 'dir/', 'big']), { code: 0, stdout: '', stderr: '' });
    assert.deepEqual(await readdir(place.server.root), []);
  });

  it('says that there is nothing of that name', async () => {
    await using place = await sample();
    const { code, stderr } = await place.sluice(['rm', 'no']);
    assert.deepEqual([code, stderr], [1, 'sluice: no does not exist: see what there is with sluice ls\n']);
  });

  it('never removes the root', async () => {
    await using place = await sample();
    for (const root of [':', '/', '.', 'dir/..', '', place.server.url]) {
      const { code, stderr } = await place.sluice(['rm', '-r', root]);
      assert.equal(code, 2, root);
      assert.match(stderr, /^sluice: .* is the root of the server: name something in it\n$/);
      assert.ok(!stderr.includes('admin:admin'));
    }
    assert.equal((await readdir(place.server.root)).length, 3);
  });
});

async function sample(): Promise<Workplace> {
  const place = await Workplace.open();
  await mkdir(place.served('dir/deep'), { recursive: true });
  await writeFile(place.served('dir/deep/y'), '');
  await writeFile(place.served('dir/x'), 'x');
  await writeFile(place.served('a'), 'a');
  await writeFile(place.served('big'), new Uint8Array(2048));
  return place;
}
