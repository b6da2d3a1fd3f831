import assert from 'node:assert/strict';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { describe, it } from 'node:test';
import { jsonLines, runSluice } from './support/sluice-process.js';
import { Workplace } from './support/workplace.js';

describe('sluice cat', { concurrency: 4 }, () => {
  it('writes a file, or a part of it, to standard output', async () => {
    await using place = await sample();
    assert.deepEqual(await place.sluice(['cat', 'a']), { code: 0, stdout: '0123456789', stderr: '' });
    assert.equal((await place.sluice(['cat', '--offset', '3', '--length', '4', 'a'])).stdout, '3456');
    assert.equal((await place.sluice(['cat', '--offset', '8', '--length', '4', ':a'])).stdout, '89');
    assert.equal((await place.sluice(['cat', '--offset', '1k', 'a'])).stdout, '');
    assert.equal((await place.sluice(['cat', '--tail', '2', `${place.server.url}a`])).stdout, '89');
    assert.equal((await place.sluice(['cat', '--tail', '1g', '--length', '1', 'a'])).stdout, '0');
    assert.equal((await place.sluice(['cat', '--length', '0', 'a'])).stdout, '');
  });

  it('says what is wrong, with an exit code for it', async () => {
    await using place = await sample();
    const cases: [args: string[], code: number, said: RegExp][] = [
      [['cat'], 2, /nothing named/],
      [['cat', 'a', 'b'], 2, /takes one file/],
      [['cat', 'dir/'], 2, /names no file/],
      [['cat', '--offset', '1', '--tail', '1', 'a'], 2, /not at both/],
      [['cat', 'none'], 1, /^sluice: file does not exist/],
      [['cat', 'dir'], 1, /^sluice: dir is a directory\n$/],
      [['cat', 'sluice://admin:wrong@HOST/a'], 5, /wrong user name or password/],
    ];
    for (const [args, code, said] of cases) {
      const words = args.map((word) => word.replace('HOST', `127.0.0.1:${place.server.port}`));
      const result = await place.sluice(words);
      assert.equal(result.code, code, words.join(' '));
      assert.equal(result.stdout, '');
      assert.match(result.stderr, said);
    }
    const url = `${place.server.url}a`;
    await place.server.close();
    assert.equal((await runSluice(['cat', '--retries', '0', url])).code, 4);
  });
});

describe('sluice write', { concurrency: 4 }, () => {
  it('puts standard input anywhere into a file, and leaves the rest', async () => {
    await using place = await sample();
    const result = await place.sluice(['write', '--offset', '4', 'a'], { input: 'xy' });
    assert.equal(result.code, 0, result.stderr);
    assert.match(result.stdout, /^a {2}2 B written at 4 {2}.*this server cannot tell whether it is on the disk\n$/);
    assert.equal(await readFile(place.served('a'), 'utf8'), '0123xy6789');
  });

  it('makes a missing file, and ends it behind what was written if told so', async () => {
    await using place = await sample();
    assert.equal((await place.sluice(['write', '-q', '--offset', '2', 'new'], { input: 'x' })).stdout, '');
    assert.equal(await readFile(place.served('new'), 'utf8'), '\0\0x');
    const result = await place.sluice(['write', '--json', '--truncate', 'a'], { input: 'short' });
    const [line] = jsonLines(result.stdout) as unknown as Record<string, unknown>[];
    const { seconds, ...rest } = line ?? {};
    assert.equal(typeof seconds, 'number');
    assert.deepEqual(rest, {
      event: 'done',
      target: `sluice://127.0.0.1:${place.server.port}/a`,
      offset: 0,
      bytes: 5,
      size: 5,
      synced: false,
    });
    assert.equal(await readFile(place.served('a'), 'utf8'), 'short');
  });

  it('says what is wrong, with an exit code for it', async () => {
    await using place = await sample();
    for (const [args, code] of [
      [['write'], 2],
      [['write', 'dir/'], 2],
      [['write', '--offset', 'far', 'a'], 2],
      [['write', 'dir'], 1],
    ] as const) {
      const result = await place.sluice(args, { input: 'x' });
      assert.equal(result.code, code, args.join(' '));
      assert.match(result.stderr, /^sluice: /);
    }
    assert.equal(await readFile(place.served('a'), 'utf8'), '0123456789');
  });
});

async function sample(): Promise<Workplace> {
  const place = await Workplace.open();
  await mkdir(place.served('dir'));
  await writeFile(place.served('a'), '0123456789');
  return place;
}
