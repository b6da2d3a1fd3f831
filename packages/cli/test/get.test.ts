import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { describe, it } from 'node:test';
import { encodeDirResponse, encodeFileListResponse, encodePacket } from '@sluice/wire';
import { finished, jsonLines, startSluice } from './support/sluice-process.js';
import { Workplace } from './support/workplace.js';

const block = randomBytes(300_000);

describe('sluice get', { concurrency: 4 }, () => {
  it('fetches files into this directory, and prints one line for each', async () => {
    await using place = await Workplace.open();
    await mkdir(place.served('sub'));
    await writeFile(place.served('sub/a.bin'), block);
    await writeFile(place.served('empty'), '');
    const { code, stdout, stderr } = await place.sluice(['get', ':sub/a.bin', ':empty', '-p', '1']);
    assert.deepEqual([code, stderr], [0, '']);
    assert.match(stdout, /^a\.bin {2}293 KiB {2}[\d.]+ [KMG]iB\/s\nempty {2}0 B\n$/);
    assert.deepEqual(await readFile(place.local('a.bin')), block);
    assert.equal((await readFile(place.local('empty'))).length, 0);
  });

  it('takes a target for a new name, a directory that is there, or one that is to be made', async () => {
    await using place = await Workplace.open();
    await writeFile(place.served('a'), 'a');
    await mkdir(place.local('there'));
    for (const target of ['new name', 'there', 'made/for it/']) {
      assert.equal((await place.sluice(['get', ':a', target])).code, 0);
    }
    for (const path of ['new name', 'there/a', 'made/for it/a']) assert.ok(existsSync(place.local(path)), path);
  });

  it('fetches a tree with odd names, empty files and empty directories', async () => {
    await using place = await Workplace.open();
    const names = ['-dash', 'a=b', '漢字', ' two  spaces ', 'empty', 'sub/x'];
    await mkdir(place.served('tree/sub/hollow'), { recursive: true });
    for (const name of names) await writeFile(place.served('tree', name), name === 'empty' ? '' : name);
    const { code, stderr } = await place.sluice(['get', '-r', ':tree', '-q']);
    assert.deepEqual([code, stderr], [0, '']);
    for (const name of names) {
      assert.equal(await readFile(place.local('tree', name), 'utf8'), name === 'empty' ? '' : name);
    }
    assert.ok(existsSync(place.local('tree/sub/hollow')));
    assert.equal((await place.sluice(['get', '-r', ':', 'all'])).code, 0);
    assert.deepEqual(await readdir(place.local('all')), ['tree'], 'the root has no name of its own');
  });

  it('writes a file to standard output, and nothing else', async () => {
    await using place = await Workplace.open();
    await writeFile(place.served('a'), 'just this\n');
    assert.deepEqual(await place.sluice(['get', ':a', '-']), { code: 0, stdout: 'just this\n', stderr: '' });
  });

  it('goes on after a broken link', async () => {
    await using place = await Workplace.open();
    await writeFile(place.served('a.bin'), block);
    place.server.faults.cutAfterSentBytes = 200_000;
    const { code, stdout } = await place.sluice(['get', ':a.bin', '--json']);
    const [done, summary] = jsonLines(stdout);
    assert.deepEqual([code, done?.attempts, done?.target, summary?.bytes], [0, 2, 'a.bin', 300_000]);
    assert.equal(done?.source, `sluice://127.0.0.1:${place.server.port}/a.bin`);
    assert.equal(typeof done?.bytesReceived, 'number');
    assert.deepEqual(await readFile(place.local('a.bin')), block);
  });

  it('never lets a name of a hostile server become a path here', async () => {
    await using place = await Workplace.open();
    await mkdir(place.served('tree'));
    await writeFile(place.served('tree/good'), 'good');
    const names = ['..', '.', '', '../evil', '/tmp/evil', 'a\\evil', 'nul\0evil'];
    const files = [...names, 'good'].map((name) => ({ name, size: 4 }));
    place.server.faults.garbageFor = {
      command: 'FileList',
      bytes: encodePacket(encodeFileListResponse('FileList', files)),
    };
    const { code, stdout, stderr } = await place.sluice(['get', '-r', ':tree', 'into/', '-p', '1']);
    assert.equal(code, 3);
    assert.match(stdout, /^into\/tree\/good {2}4 B/);
    const warnings = stderr.split('\n').filter((line) => /^sluice: skipped .*not safe here$/.test(line));
    assert.equal(warnings.length, names.length, stderr);
    assert.deepEqual((await readdir(place.local('into'), { recursive: true })).sort(), ['tree', 'tree/good']);
    assert.deepEqual((await readdir(place.local())).sort(), ['into', 'served']);
  });

  it('ends although a hostile server nests directories without end', async () => {
    await using place = await Workplace.open();
    await mkdir(place.served('tree'));
    place.server.faults.garbageFor = {
      command: 'Dir',
      bytes: encodePacket(encodeDirResponse('Dir', ['..', 'good'])),
    };
    await mkdir(place.served('tree', ...Array.from({ length: 300 }, () => 'good')), { recursive: true });
    const { code, stderr } = await place.sluice(['get', '-r', ':tree', 'into/']);
    assert.equal(code, 3);
    assert.match(stderr, /nested too deeply/);
  });

  it('says what it could not find, and what needs -r', async () => {
    await using place = await Workplace.open();
    await mkdir(place.served('dir'));
    const [missing, directory, slash, root] = await Promise.all([
      place.sluice(['get', ':no']),
      place.sluice(['get', ':dir']),
      place.sluice(['get', ':dir/']),
      place.sluice(['get', ':']),
    ]);
    const both = await place.sluice(['get', '-r', ':dir', ':no']); // makes dir here
    assert.match(missing.stderr, /^sluice: no: file does not exist.*see what there is with sluice ls\n$/);
    assert.equal(directory.stderr, 'sluice: dir is a directory: fetch it with -r\n');
    assert.match(slash.stderr, /\/dir is a directory: fetch it with -r\n$/);
    assert.match(root.stderr, /is a directory: fetch it with -r\n$/);
    assert.deepEqual([missing.code, directory.code, slash.code, root.code, both.code], [1, 1, 1, 1, 1]);
  });

  it('refuses, with exit code 2, what can only be a mistake', async () => {
    await using place = await Workplace.open();
    await writeFile(place.local('file'), '');
    const mistakes: readonly [readonly string[], RegExp][] = [
      [[], /^sluice: nothing to fetch/],
      [['name'], /^sluice: nothing to fetch: for name on the server write :name/],
      [['name', '.'], /^sluice: name names nothing on a server: write :name/],
      [[':a', ':b', 'file'], /^sluice: file is a file/],
      [[':a', 'file/'], /^sluice: file\/ is a file|^sluice: cannot/],
      [[':a', ':b', '-'], /^sluice: standard output \(-\) takes one file only/],
      [[':a', '-', '--json'], /^sluice: --json and - both need standard output/],
      [['--resume', 'maybe', ':a'], /give one of verified, trust-length, never/],
    ];
    for (const [args, message] of mistakes) {
      const { code, stdout, stderr } = await place.sluice(['get', ...args]);
      assert.match(stderr, message);
      assert.equal(stdout, '');
      if (!args.includes('file/')) assert.equal(code, 2, stderr);
    }
  });

  it('writes two files of one name only once', async () => {
    await using place = await Workplace.open();
    await mkdir(place.served('sub'));
    await writeFile(place.served('a'), 'first');
    await writeFile(place.served('sub/a'), 'second');
    const { code, stderr } = await place.sluice(['get', ':a', ':sub/a']);
    assert.equal(code, 3);
    assert.match(stderr, /would replace .*: both become a\n$/);
    assert.equal(await readFile(place.local('a'), 'utf8'), 'first');
  });

  it('does not fetch a file under a name that the download of another one needs', async () => {
    await using place = await Workplace.open();
    await mkdir(place.served('tree'));
    const names = ['x', 'x.sluice-lock', 'x.sluice-part', 'y.sluice-part'];
    for (const name of names) await writeFile(place.served('tree', name), `content of ${name}`);
    const { code, stderr } = await place.sluice(['get', '-r', ':tree', '.']);
    assert.equal(code, 3);
    for (const name of ['x.sluice-lock', 'x.sluice-part']) {
      const text = `tree/${name} cannot be fetched together with ${place.server.url.replace('admin:admin@', '')}tree/x, whose download needs the name tree/${name}`;
      assert(stderr.includes(`${text}\n`), stderr);
    }
    for (const name of ['x', 'y.sluice-part']) {
      assert.equal(await readFile(place.local('tree', name), 'utf8'), `content of ${name}`);
    }
    assert.deepEqual((await readdir(place.local('tree'))).sort(), ['x', 'y.sluice-part']);
  });

  it('cannot tell which is newer when the server does not say when its file was changed', async () => {
    await using place = await Workplace.open();
    await writeFile(place.served('a'), 'new');
    await writeFile(place.local('a'), 'old');
    const newer = await place.sluice(['get', ':a', '--if-exists', 'newer']);
    assert.equal(newer.code, 1);
    assert.match(newer.stderr, /does not tell when its file was changed/);
    const skip = await place.sluice(['get', ':a', '--if-exists', 'skip']);
    assert.deepEqual([skip.code, skip.stdout], [0, 'a  is there already\n']);
    assert.equal(await readFile(place.local('a'), 'utf8'), 'old');
    assert.deepEqual((await readdir(place.local())).sort(), ['a', 'served']);
  });

  it('fails when the file is being fetched already', async () => {
    await using place = await Workplace.open();
    await writeFile(place.served('a.bin'), block);
    const { faults, commands } = place.server;
    faults.ignored = 'Download';
    const child = startSluice(['get', ':a.bin'], { cwd: place.local(), env: { SLUICE_URL: place.server.url } });
    await untilTrue(() => commands.includes('download'));
    const { code, stderr } = await place.sluice(['get', ':a.bin']);
    assert.equal(code, 1);
    assert.match(
      stderr,
      /^sluice: a\.bin is being downloaded already, by process \d+ on .*; remove a\.bin\.sluice-lock if /,
    );
    child.kill('SIGTERM');
    assert.equal((await finished(child)).code, 130);
    assert.deepEqual(await readdir(place.local()), ['served']);
  });

  it('ends quietly when nobody reads its standard output any more', async () => {
    await using place = await Workplace.open();
    await writeFile(place.served('a.bin'), randomBytes(5_000_000));
    const child = startSluice(['get', ':a.bin', '-'], { cwd: place.local(), env: { SLUICE_URL: place.server.url } });
    child.stdout.once('data', () => child.stdout.destroy());
    let stderr = '';
    child.stderr.on('data', (chunk) => {
      stderr += chunk;
    });
    const code = await new Promise((resolve) => child.on('exit', resolve));
    assert.deepEqual([code, stderr], [1, '']);
  });

  it('keeps the partial when a signal ends it, and goes on from there', async () => {
    await using place = await Workplace.open();
    const bytes = randomBytes(1_000_000);
    await writeFile(place.served('a.bin'), bytes);
    const { faults, commands } = place.server;
    faults.cutAfterSentBytes = 500_000;
    const child = startSluice(['get', ':a.bin'], { cwd: place.local(), env: { SLUICE_URL: place.server.url } });
    await untilTrue(() => faults.cutAfterSentBytes === undefined);
    faults.ignored = 'Download';
    await untilTrue(() => commands.filter((command) => command === 'download').length === 2);
    child.kill('SIGTERM');
    const interrupted = await finished(child);
    assert.equal(interrupted.code, 130);
    assert.match(interrupted.stderr, /^sluice: interrupted: .*\n$/);

    faults.ignored = undefined;
    const { code, stdout } = await place.sluice(['get', ':a.bin', '--resume', 'trust-length']);
    assert.equal(code, 0);
    assert.match(stdout, /KiB resumed\n$/);
    assert.deepEqual(await readFile(place.local('a.bin')), bytes);
  });
});

async function untilTrue(isTrue: () => boolean): Promise<void> {
  while (!isTrue()) await new Promise((resolve) => setTimeout(resolve, 5));
}
