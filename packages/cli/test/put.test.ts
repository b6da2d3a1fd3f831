import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { describe, it } from 'node:test';
import { finished, jsonLines, startSluice } from './support/sluice-process.js';
import { Workplace } from './support/workplace.js';

const block = randomBytes(300_000);

describe('sluice put', { concurrency: 4 }, () => {
  it('sends a file to the base under its own name, and prints one line', async () => {
    await using place = await Workplace.open();
    await writeFile(place.local('a.bin'), block);
    const { code, stdout, stderr } = await place.sluice(['put', 'a.bin']);
    assert.deepEqual([code, stderr], [0, '']);
    assert.match(stdout, /^a\.bin {2}293 KiB {2}[\d.]+ [KMG]iB\/s\n$/);
    assert.deepEqual(await readFile(place.served('a.bin')), block);
  });

  it('takes a target for a new name, unless it ends in / or there are several sources', async () => {
    await using place = await Workplace.open();
    for (const name of ['a', 'b']) await writeFile(place.local(name), name);
    const url = `${place.server.url}in/by%20url/`;
    assert.equal((await place.sluice(['put', 'a', ':new name'])).code, 0);
    assert.equal((await place.sluice(['put', 'a', url], { env: { SLUICE_URL: '' } })).code, 0);
    assert.equal((await place.sluice(['put', 'a', 'b', ':several'])).code, 0);
    assert.deepEqual((await readdir(place.server.root, { recursive: true })).sort(), [
      'in',
      'in/by url',
      'in/by url/a',
      'new name',
      'several',
      'several/a',
      'several/b',
    ]);
  });

  it('takes paths below a base that has one, and below the root when they begin with /', async () => {
    await using place = await Workplace.open();
    await writeFile(place.local('a'), '');
    await mkdir(place.served('home'));
    const env = { SLUICE_URL: `${place.server.url}home` };
    for (const target of [':', ':b', ':/top']) {
      assert.deepEqual(await place.sluice(['put', 'a', target, '-q'], { env }), { code: 0, stdout: '', stderr: '' });
    }
    assert.deepEqual((await readdir(place.server.root, { recursive: true })).sort(), [
      'home',
      'home/a',
      'home/b',
      'top',
    ]);
  });

  it('sends a tree with odd names, empty files and empty directories', async () => {
    await using place = await Workplace.open();
    const names = ['-dash', 'a=b', '漢字', ' two  spaces ', 'empty', 'sub/x', ':colon'];
    await mkdir(place.local('tree/sub/hollow'), { recursive: true });
    for (const name of names) await writeFile(place.local('tree', name), name === 'empty' ? '' : name);
    const { code, stdout, stderr } = await place.sluice(['put', '-r', 'tree', ':']);
    assert.deepEqual([code, stderr, stdout.split('\n').length], [0, '', names.length + 1]);
    for (const name of names) {
      assert.equal(await readFile(place.served('tree', name), 'utf8'), name === 'empty' ? '' : name);
    }
    assert.ok(existsSync(place.served('tree/sub/hollow')));
  });

  it('puts what is in . into the target itself', async () => {
    await using place = await Workplace.open();
    await mkdir(place.local('here/sub'), { recursive: true });
    await writeFile(place.local('here/sub/f'), 'f');
    assert.equal((await place.sluice(['put', '-r', '.', ':to/'], { cwd: place.local('here') })).code, 0);
    assert.equal(await readFile(place.served('to/sub/f'), 'utf8'), 'f');
  });

  it('skips links in a tree with a warning, but follows one on the command line', async () => {
    await using place = await Workplace.open();
    await mkdir(place.local('tree'));
    await writeFile(place.local('tree/f'), 'f');
    await symlink('f', place.local('tree/link'));
    await symlink('..', place.local('tree/circle'));
    const tree = await place.sluice(['put', '-r', 'tree', ':']);
    assert.equal(tree.code, 0);
    assert.equal(
      tree.stderr,
      'sluice: skipped tree/circle: a symbolic link\nsluice: skipped tree/link: a symbolic link\n',
    );
    assert.deepEqual(await readdir(place.served('tree')), ['f']);
    assert.equal((await place.sluice(['put', 'tree/link', ':'])).code, 0);
    assert.equal(await readFile(place.served('link'), 'utf8'), 'f');
  });

  it('goes on with the others when one cannot be read, and exits with 3', async () => {
    await using place = await Workplace.open();
    for (const name of ['a', 'b']) await writeFile(place.local(name), name);
    const { code, stdout, stderr } = await place.sluice(['put', 'a', 'missing', 'b', ':']);
    assert.equal(code, 3);
    assert.equal(stderr, 'sluice: cannot read missing: no such file or directory\n');
    assert.equal(stdout.split('\n').length, 3);
    assert.deepEqual(await readdir(place.server.root), ['a', 'b']);
  });

  it('goes on with the rest of a tree when a directory or a file of it is locked', async () => {
    await using place = await Workplace.open();
    await mkdir(place.local('tree/locked'), { recursive: true });
    for (const name of ['f', 'secret']) await writeFile(place.local('tree', name), name);
    await chmod(place.local('tree/secret'), 0);
    await chmod(place.local('tree/locked'), 0);
    const { code, stderr } = await place.sluice(['put', '-r', 'tree', ':'], { withoutPrivileges: true });
    await chmod(place.local('tree/locked'), 0o700);
    assert.equal(code, 3);
    assert.match(stderr, /cannot read the directory tree\/locked: permission denied\n/);
    assert.match(stderr, /tree\/secret: permission denied\n/);
    assert.equal(await readFile(place.served('tree/f'), 'utf8'), 'f');
  });

  it('sends standard input, whatever its size', async () => {
    await using place = await Workplace.open();
    assert.equal((await place.sluice(['put', '-', ':from-pipe'], { input: block })).code, 0);
    assert.deepEqual(await readFile(place.served('from-pipe')), block);
    assert.equal((await place.sluice(['put', '-', ':nothing'])).code, 0);
    assert.equal((await readFile(place.served('nothing'))).length, 0);
  });

  it('goes on after a broken link without a word, and says how much was resumed by an earlier run', async () => {
    await using place = await Workplace.open();
    await writeFile(place.local('a.bin'), block);
    // whole packets: the plain server still writes those behind it that it has read
    place.server.faults.cutAfterReceivedBytes = 3 * 32_768;
    const [done] = jsonLines((await place.sluice(['put', 'a.bin', '--json'])).stdout);
    assert.deepEqual([done?.event, done?.attempts, done?.bytes], ['done', 2, 300_000]);
    assert.deepEqual(await readFile(place.served('a.bin')), block);

    await writeFile(place.served('a.bin'), block.subarray(0, 200_000));
    const again = await place.sluice(['put', 'a.bin', '--resume', 'trust-length']);
    assert.match(again.stdout, /^a\.bin {2}293 KiB {2}.*\/s {2}195 KiB resumed\n$/);
    assert.deepEqual(await readFile(place.served('a.bin')), block);
  });

  it('replaces a longer file on the server only with --force', async () => {
    await using place = await Workplace.open();
    await writeFile(place.local('a'), 'new');
    await writeFile(place.served('a'), 'much longer');
    const { code, stderr } = await place.sluice(['put', 'a']);
    assert.equal(code, 1);
    assert.match(stderr, /^sluice: a: .* 11 bytes, a has only 3: replace it with --force\n$/);
    assert.equal(await readFile(place.served('a'), 'utf8'), 'much longer');
    assert.equal((await place.sluice(['put', 'a', '--force'])).code, 0);
    assert.equal(await readFile(place.served('a'), 'utf8'), 'new');
  });

  it('prints one JSON object per line with --json, names as they are', async () => {
    await using place = await Workplace.open();
    await mkdir(place.local('tree'));
    await writeFile(place.local('tree/esc\x1b[2J'), '12345');
    await symlink('x', place.local('tree/link'));
    const { code, stdout, stderr } = await place.sluice(['put', '-r', 'tree', 'missing', ':', '--json']);
    const lines = jsonLines(stdout);
    const host = `127.0.0.1:${place.server.port}`;
    assert.deepEqual([code, stderr, lines.length], [3, '', 4]);
    assert.deepEqual(lines[0], {
      event: 'skipped',
      source: 'tree/link',
      error: { code: 'ERR_NOT_A_FILE', message: 'tree/link: a symbolic link' },
    });
    assert.deepEqual(lines[1], {
      event: 'failed',
      source: 'missing',
      error: { code: 'ERR_LOCAL_FILE', message: 'cannot read missing: no such file or directory' },
    });
    const { seconds, ...done } = lines[2] ?? {};
    assert.deepEqual(done, {
      event: 'done',
      source: 'tree/esc\x1b[2J',
      target: `sluice://${host}/tree/esc%1B%5B2J`,
      bytes: 5,
      bytesSent: 5,
      bytesResumed: 0,
      attempts: 1,
    });
    assert.ok(typeof seconds === 'number' && seconds >= 0);
    const { seconds: allSeconds, ...summary } = lines[3] ?? {};
    assert.deepEqual(summary, { event: 'summary', files: 1, failed: 1, bytes: 5 });
    assert.ok(typeof allSeconds === 'number');
    assert.ok(!stdout.includes('\x1b'), 'JSON escapes control characters');
  });

  it('escapes control characters of names in text', async () => {
    await using place = await Workplace.open();
    await writeFile(place.local('esc\x1b[2J'), '');
    await writeFile(place.local('line\nbreak'), '');
    const { stdout, stderr, code } = await place.sluice(['put', 'esc\x1b[2J', 'line\nbreak', ':']);
    assert.equal(stdout, 'esc\\e[2J  0 B\n');
    assert.match(stderr, /^sluice: line\\nbreak: .*line break.*\n$/);
    assert.equal(code, 3);
  });

  it('says where a directory is missing, or stands in the way', async () => {
    await using place = await Workplace.open();
    await writeFile(place.local('a'), 'a');
    await mkdir(place.served('dir'));
    const [inTheWay, missing, local] = await Promise.all([
      place.sluice(['put', 'a', ':dir']),
      place.sluice(['put', 'a', ':no/such']),
      place.sluice(['put', '.', ':dir/']),
    ]);
    assert.equal(
      inTheWay.stderr,
      'sluice: a: dir is a directory on the server: end the target with / to put something into it\n',
    );
    assert.equal(missing.stderr, 'sluice: a: no does not exist on the server: make it with sluice mkdir\n');
    assert.equal(local.stderr, 'sluice: . is a directory: send it with -r\n');
    assert.deepEqual([inTheWay.code, missing.code, local.code], [1, 1, 1]);
  });

  it('refuses, with exit code 2, what can only be a mistake', async () => {
    await using place = await Workplace.open();
    await mkdir(place.local('sub'));
    for (const name of ['a', 'sub/a']) await writeFile(place.local(name), name);
    const mistakes: readonly [readonly string[], RegExp][] = [
      [[], /^sluice: nothing to send/],
      [[':x'], /^sluice: nothing to send/],
      [[':x', 'a'], /^sluice: only the last operand .* written \.\/:x/],
      [['a', 'sub/a', ':'], /^sluice: a and sub\/a would both become a on the server/],
      [['-', ':dir/'], /^sluice: standard input has no name/],
      [['-', 'a', ':dir'], /^sluice: standard input \(-\) cannot/],
      [['a', ':../x'], /leads out of the root/],
      [['a', 'sluice://'], /^sluice: not a URL/],
      [['a', 'sluice://host:1/'], /^sluice: no user name for host:1: write sluice:\/\/NAME@host:1\//],
    ];
    for (const [args, message] of mistakes) {
      const { code, stdout, stderr } = await place.sluice(['put', ...args]);
      assert.deepEqual([code, stdout, stderr.split('\n').length], [2, '', 2], stderr);
      assert.match(stderr, message);
    }
    const noBase = await place.sluice(['put', 'a'], { env: { SLUICE_URL: '' } });
    assert.match(noBase.stderr, /^sluice: no server named: .* SLUICE_URL\n$/);
  });

  it('takes the password from a file, else from the environment, and never shows it', async () => {
    await using place = await Workplace.open();
    await writeFile(place.local('a'), 'a');
    await writeFile(place.local('right'), 'admin\nsecond line\n');
    await writeFile(place.local('wrong'), 'geheim');
    const url = place.server.url.replace(':admin@', '@');
    const run = (args: string[], password: string) =>
      place.sluice(['put', 'a', '-q', ...args], { env: { SLUICE_URL: url, SLUICE_PASSWORD: password } });
    assert.equal((await run([], 'admin')).code, 0);
    assert.equal((await run(['--password-file', 'right'], 'geheim')).code, 0);
    const refused = await run(['--password-file', 'wrong'], 'admin');
    assert.equal(refused.code, 5);
    assert.match(refused.stderr, /^sluice: .*check user name and password\n$/);
    assert.ok(!refused.stderr.includes('geheim'));
    assert.equal((await run(['--password-file', 'no-such'], 'admin')).code, 1);
    const nobody = await place.sluice(['put', 'a'], { env: { SLUICE_URL: url } });
    assert.deepEqual([nobody.code, nobody.stdout], [2, '']);
    assert.match(nobody.stderr, /^sluice: no password for admin at 127\.0\.0\.1: put it in SLUICE_PASSWORD/);
  });

  it('exits with 4 when nobody answers', async () => {
    await using place = await Workplace.open();
    await writeFile(place.local('a'), 'a');
    const { code, stderr } = await place.sluice(['put', 'a', '--retries', '0'], {
      env: { SLUICE_URL: 'sluice://admin:geheim@127.0.0.1:1/' },
    });
    assert.equal(code, 4);
    assert.match(stderr, /^sluice: cannot connect to 127\.0\.0\.1:1: .*\n$/);
  });

  it('does not try the others when the server is gone in the middle', async () => {
    await using place = await Workplace.open();
    const names = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'];
    for (const name of names) await writeFile(place.local(name), block);
    place.server.faults.stallAfterReceivedBytes = 350_000;
    const child = startSluice(['put', ...names, ':', '--parallel', '1', '--retries', '0'], {
      cwd: place.local(),
      env: { SLUICE_URL: place.server.url },
    });
    await untilTrue(() => place.server.receivedDataBytes >= 350_000);
    await place.server.close();
    const { code, stderr } = await finished(child);
    assert.equal(code, 3);
    assert.match(stderr, /^sluice: b: .*\n.*: cannot connect .*\nsluice: \d files? not tried: .*\n$/s);
  });

  it('ends with 130 at SIGINT, keeps what has arrived, and says so', async () => {
    await using place = await Workplace.open();
    await writeFile(place.local('a.bin'), block);
    place.server.faults.stallAfterReceivedBytes = 100_000;
    const child = startSluice(['put', 'a.bin', '--json'], {
      cwd: place.local(),
      env: { SLUICE_URL: place.server.url },
    });
    await untilTrue(() => place.server.receivedDataBytes >= 100_000);
    child.kill('SIGINT');
    const { code, stdout, stderr } = await finished(child);
    assert.equal(code, 130);
    assert.equal(stderr, 'sluice: interrupted: the same command goes on where this one stopped\n');
    const [failed, summary] = jsonLines(stdout);
    assert.deepEqual([failed?.event, summary?.event, summary?.files], ['failed', 'summary', 0]);
    assert.ok((await readFile(place.served('a.bin'))).length >= 100_000);
  });

  it('leaves the process list without the password', async () => {
    await using place = await Workplace.open();
    await writeFile(place.local('a.bin'), block);
    place.server.faults.stallAfterReceivedBytes = 100_000;
    const child = startSluice(['put', 'a.bin', place.server.url], { cwd: place.local() });
    await untilTrue(() => place.server.receivedDataBytes >= 100_000);
    const commandLine = await readFile(`/proc/${child.pid}/cmdline`, 'utf8');
    child.kill('SIGINT');
    await finished(child);
    assert.equal(commandLine.replace(/\0+$/, ''), 'sluice put');
  });
});

async function untilTrue(isTrue: () => boolean): Promise<void> {
  while (!isTrue()) await new Promise((resolve) => setTimeout(resolve, 5));
}
