import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ServedPlace } from './support/served-place.js';
import { jsonLines } from './support/sluice-process.js';
import { Workplace } from './support/workplace.js';

describe('sluice clients', { concurrency: 4 }, () => {
  it('shows a table without colours into a pipe, and one JSON object per line with --json', async () => {
    await using place = await ServedPlace.open();
    const { code, stdout, stderr } = await place.sluice(['clients']);
    assert.deepEqual([code, stderr], [0, '']);
    const [head = '', row = ''] = stdout.split('\n');
    assert.deepEqual(head.split(/ +/).slice(1, 5), ['USER', 'PROTOCOL', 'FROM', 'TLS'].slice(0, 4));
    assert.match(row, /^ *1 +admin +Control +127\.0\.0\.1:\d+ /);
    assert.ok(!stdout.includes('\x1b'));
    const [record] = jsonLines((await place.sluice(['clients', '--json'])).stdout) as unknown as { user: string }[];
    assert.equal(record?.user, 'admin');
  });

  it('shows what an original server tells', async () => {
    await using place = await Workplace.open();
    const { code, stdout, stderr } = await place.sluice(['clients']);
    assert.deepEqual([code, stderr], [0, '']);
    assert.match(stdout, /admin +Control +127\.0\.0\.1:\d+/);
  });

  it('refuses what is no server with exit code 2, and a wrong password with 5', async () => {
    await using place = await ServedPlace.open();
    const { code, stderr } = await place.sluice(['clients', 'here']);
    assert.deepEqual(
      [code, stderr],
      [2, 'sluice: clients cannot use here: a server is named by a URL, sluice://user@host:port/\n'],
    );
    const wrong = await place.sluice(['clients', place.url.replace('secret', 'guess')]);
    assert.equal(wrong.code, 5);
    assert.match(wrong.stderr, /^sluice: [^\n]*\n$/);
  });
});

describe('sluice kick', { concurrency: 4 }, () => {
  it('counts, then ends connections', async () => {
    await using place = await ServedPlace.open();
    assert.equal(
      (await place.sluice(['kick', '--user', 'admin', '--dry-run'])).stdout,
      '0 connections would be ended\n',
    );
    assert.equal((await place.sluice(['kick', '--id', '1'])).stdout, '0 connections ended\n');
  });

  it('asks for a condition, and tells a bad address', async () => {
    await using place = await ServedPlace.open();
    assert.equal((await place.sluice(['kick'])).code, 2);
    const { code, stderr } = await place.sluice(['kick', '--address', 'nowhere']);
    assert.equal(code, 1);
    assert.match(stderr, /no address and no network/);
  });

  it('says that an original server cannot do it', async () => {
    await using place = await Workplace.open();
    const { code, stderr } = await place.sluice(['kick', '--id', '1']);
    assert.deepEqual(
      [code, stderr],
      [1, 'sluice: this server has no such command: it is an original, or an older one\n'],
    );
  });
});

describe('what an operator does to a server', { concurrency: 4 }, () => {
  it('shows statistics as lines and as JSON', async () => {
    await using place = await ServedPlace.open();
    const { stdout } = await place.sluice(['stats']);
    assert.match(stdout, /^connections\n {2}now +\d+$/m);
    assert.match(stdout, /^memory\n {2}rss +[\d.]+ MiB$/m);
    assert.match(stdout, /^uptime +\d+ s$/m);
    assert.match(stdout, /^timings\n {2}handling\n {4}sum +[\d.]+ ms\n {2}loop delay\n/m);
    for (const line of stdout.split('\n')) assert.ok(line.length <= 46, line);
    const stats = JSON.parse((await place.sluice(['stats', '--json'])).stdout) as {
      uptimeMs: number;
      timings: { boundsMs: number[]; handling: { counts: number[] } };
    };
    assert.ok(stats.uptimeMs >= 0);
    const { boundsMs, handling } = stats.timings;
    assert.equal(handling.counts.length, boundsMs.length + 1);
    assert.ok(handling.counts.some((count) => count > 0));
  });

  it('makes the server refuse changes', async () => {
    await using place = await ServedPlace.open();
    assert.equal((await place.sluice(['read-only'])).stdout, 'read-only is off\n');
    assert.equal((await place.sluice(['read-only', 'on'])).stdout, 'read-only is on\n');
    const { code, stderr } = await place.sluice(['mkdir', 'd']);
    assert.equal(code, 1);
    assert.match(stderr, /read-only/);
    assert.equal((await place.sluice(['read-only', 'maybe'])).code, 2);
  });

  it('changes the log level', async () => {
    await using place = await ServedPlace.open();
    assert.equal((await place.sluice(['log-level'])).stdout, 'log level is info\n');
    assert.equal((await place.sluice(['log-level', 'debug'])).stdout, 'log level is debug\n');
    assert.equal((await place.sluice(['log-level'])).stdout, 'log level is debug\n');
    place.signal('SIGTERM');
    assert.match((await place.ended).stderr, /"level":"debug"/);
  });

  it('drains: the server ends with 0, as after SIGTERM', async () => {
    await using place = await ServedPlace.open();
    const { code } = await place.sluice(['drain', '--grace', '5s']);
    assert.equal(code, 0);
    assert.equal((await place.ended).code, 0);
  });
});
