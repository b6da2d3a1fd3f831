import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { SpeedResult } from '@sluice/client';
import { IntervalLines } from '../../../packages/cli/dist/speed/interval-lines.js';
import { limitText, summaryLines } from '../../../packages/cli/dist/speed/summary-lines.js';
import { displayWidth } from '../../../packages/cli/dist/terminal/terminal-text.js';
import { ServedPlace } from './support/served-place.js';
import { runSluice, startSluice } from './support/sluice-process.js';
import { TmuxTerminal } from './support/tmux.js';
import { Workplace } from './support/workplace.js';

const MIB = 2 ** 20;
/** Measurements take no longer than the server allows. */
const QUICK = ['--speed-time', '100ms'];
const flow = { bytes: 500 * MIB, seconds: 5, bytesPerSecond: 100 * MIB };
const latency = { roundTrips: 20, minMs: 0.2, medianMs: 1.234, p95Ms: 12.34, p99Ms: 123.4, maxMs: 1234 };
const use = { cpuSeconds: 1, cpuShare: 0.2, busyShare: 0.3 };
const result: SpeedResult = {
  method: 'flood',
  direction: 'both',
  streams: 1,
  seconds: 5,
  grantedSeconds: 5,
  up: flow,
  down: flow,
  idleLatency: latency,
  loadedLatency: latency,
  intervals: [],
  client: use,
  server: use,
  limit: 'link',
};

describe('lines of a measurement', () => {
  it('show what moved in each second, and how long round trips took', () => {
    const lines = new IntervalLines('both', { columns: 80, hasBars: true, hasColours: false });
    assert.deepEqual(lines.head({ address: 'host:1', streams: 2, seconds: 5 }), [
      'both ways, host:1, 2 streams, 5 s',
      '  TIME    DOWNLOAD      UPLOAD  ROUND TRIP',
    ]);
    const interval = { fromSeconds: 0, toSeconds: 1.004, up: flow, down: flow, latency };
    const [first, second] = [lines.line(interval), lines.line({ ...interval, toSeconds: 2 })];
    assert.match(first, /^ {3}1 s {3}100 MiB\/s {3}100 MiB\/s {5}1\.23 ms {2}━{12}─{23}$/);
    assert.match(second, /^ {3}2 s .*━{12}─{23}$/, 'bars can be compared');
    assert.match(lines.line({ fromSeconds: 2, toSeconds: 3 }), /^ {3}3 s {11}- {11}- {11}- {2}─{35}$/);
  });

  it('fit into any width from 40 columns on, the bar going first, then the round trips', () => {
    for (const direction of ['up', 'down', 'both'] as const) {
      for (let columns = 40; columns <= 130; columns++) {
        const layout = { columns, hasBars: true, hasColours: false };
        const lines = new IntervalLines(direction, layout);
        const all = [
          ...lines.head({ address: 'a-server-with-a-long-name.example:65535', streams: 64, seconds: 3600 }),
          lines.line({ fromSeconds: 0, toSeconds: 3600, up: flow, down: flow, latency }),
          ...summaryLines([{ ...result, direction }], layout),
        ];
        for (const line of all) assert.ok(displayWidth(line) <= columns, `${columns}: ${line}`);
        assert.ok(all.some((line) => line.includes('100 MiB/s')));
        assert.ok(!all.some((line) => line.includes('━') && !line.includes('1.23 ms')));
      }
    }
  });

  it('have colours only where they are wanted', () => {
    for (const hasColours of [true, false]) {
      const layout = { columns: 80, hasBars: true, hasColours };
      const lines = new IntervalLines('up', layout);
      const text = [
        ...lines.head({ address: 'host:1', streams: 1, seconds: 1 }),
        lines.line({ fromSeconds: 0, toSeconds: 1, up: flow }),
        ...summaryLines([result], layout),
      ].join('\n');
      assert.equal(text.includes('\x1b['), hasColours);
    }
  });

  it('sum up rates, round trips, and how busy both ends were', () => {
    const text = summaryLines([result], { columns: 80, hasBars: false, hasColours: false });
    assert.deepEqual(text, [
      'SPEED          RATE    BYTES   TIME',
      'download  100 MiB/s  500 MiB  5.0 s',
      'upload    100 MiB/s  500 MiB  5.0 s',
      '',
      'ROUND TRIP   MEDIAN      P95     P99      MIN      MAX',
      'idle        1.23 ms  12.3 ms  123 ms  0.20 ms  1234 ms',
      'both ways   1.23 ms  12.3 ms  123 ms  0.20 ms  1234 ms',
      '',
      'AT WORK    CLIENT  SERVER  CLIENT CPU  SERVER CPU',
      'both ways     30%     30%         20%         20%',
      '',
      'Both ways: limited by the link, both ends have waited for it.',
    ]);
  });

  for (const [limit, pattern] of [
    ['client-cpu', /^Both ways: limited by the CPU of the client,/],
    ['server-cpu', /^Both ways: limited by the CPU of the server,/],
    ['both-cpus', /^Both ways: limited by the CPUs of both ends,/],
    ['server-cap', /^Both ways: limited by the server, which allows a client 1\.00 MiB\/s\.$/],
    ['link', /^Both ways: limited by the link,/],
    ['unknown', /^Both ways: no clear limit,/],
  ] as const) {
    it(`say where the limit is: ${limit}`, () => {
      assert.match(limitText({ ...result, limit, serverCap: MIB }), pattern);
    });
  }

  it('say that it cannot be told of a server that does not tell how busy it is', () => {
    const { server: _, ...others } = result;
    const text = limitText({ ...others, method: 'cycle-packet', limit: 'unknown' });
    assert.equal(text, 'Exchange: no known limit, this server does not tell how busy it is.');
  });
});

describe('sluice speed', { concurrency: 3 }, () => {
  it('measures download, then upload, without a login or a colour, and says for how long it was allowed to', async () => {
    await using place = await ServedPlace.open(QUICK);
    const url = place.url.replace('admin:secret@', '');
    const { code, stdout, stderr } = await runSluice(['speed', url]);
    assert.deepEqual([code, stderr], [0, 'sluice: this server measures for 0.1 s at most\n']);
    assert.match(stdout, /^download, 127\.0\.0\.1:\d+, 1 stream, 5 s\n {2}TIME {4}DOWNLOAD {2}ROUND TRIP\n/);
    assert.match(stdout, /\nupload, 127\.0\.0\.1:\d+, 1 stream, 5 s\n/);
    assert.match(stdout, /\ndownload +[\d.]+ [KMGT]iB\/s +[\d.]+ [KMGT]iB +0\.\d s\nupload /);
    assert.match(stdout, /\nAT WORK .*\ndownload +\d+% +\d+% /);
    assert.match(stdout, /\nDownload: .*\.\nUpload: /s);
    assert.ok(!stdout.includes('\x1b') && !stdout.includes('━'));
  });

  it('prints a line for each second', async () => {
    await using place = await ServedPlace.open();
    const { code, stdout } = await place.sluice(['speed', '--down', '--seconds', '1']);
    assert.equal(code, 0);
    assert.match(stdout, /\n {3}1 s +[\d.]+ [KMGT]iB\/s +[\d.]+ ms\n/);
  });

  it('measures one way, or both at once, on several streams, with one JSON object for each result', async () => {
    await using place = await ServedPlace.open(QUICK);
    for (const direction of ['up', 'down', 'both']) {
      const { code, stdout } = await place.sluice(['speed', `--${direction}`, '--streams', '3', '--json']);
      assert.equal(code, 0);
      const lines = stdout.trimEnd().split('\n');
      const found = JSON.parse(lines[0] ?? '') as SpeedResult & { event: string };
      assert.deepEqual([lines.length, found.event, found.direction, found.streams], [1, 'result', direction, 3]);
      assert.deepEqual([found.up !== undefined, found.down !== undefined], [direction !== 'down', direction !== 'up']);
      assert.ok(found.idleLatency.medianMs > 0 && found.server !== undefined && found.limit.length > 0);
    }
  });

  it('says that the server is busy, with exit code 1', async () => {
    await using place = await ServedPlace.open([...QUICK, '--speed-streams-per-client', '2']);
    const { code, stderr } = await place.sluice(['speed', '--up', '--streams', '3']);
    assert.equal(code, 1);
    assert.match(stderr, /^sluice: the server is busy: no more than 2 streams of this client [^\n]*\n$/);
  });

  it('sends packets that come back where the server is an original, or has it switched off, and says so', async () => {
    await using place = await Workplace.open();
    const original = await place.sluice(['speed', '--seconds', '1']);
    await using served = await ServedPlace.open(['--speed-streams', '0']);
    for (const { code, stdout, stderr } of [original, await served.sluice(['speed', '--seconds', '1'])]) {
      assert.equal(code, 0);
      assert.match(stderr, /^sluice: this server is an original, or has measurements switched off: [^\n]*\n$/);
      assert.match(stdout, /\nExchange: /);
      assert.ok(!stdout.includes('\nupload, '), 'the other way round it would be the same');
    }
  });

  it('refuses what does not fit together, and servers that are not there', async () => {
    const url = 'sluice://127.0.0.1:1/';
    for (const [args, exitCode, line] of [
      [['speed', url, '--up', '--down'], 2, /--up and --down/],
      [['speed', url, '--streams', '65'], 2, /streams/],
      [['speed', url, '--seconds', '0'], 2, /seconds/],
      [['speed', 'here', url], 2, /cannot use here/],
      [['speed'], 2, /no server named/],
      [['speed', url], 4, /cannot connect/],
    ] as const) {
      const { code, stderr } = await runSluice(args);
      assert.deepEqual([code, stderr.split('\n').length], [exitCode, 2], stderr);
      assert.match(stderr, line);
    }
  });

  it('is ended by Ctrl-C with exit code 130', async () => {
    await using place = await ServedPlace.open();
    const child = startSluice(['speed', place.url, '--down', '--seconds', '60']);
    await new Promise((resolve) => child.stdout.once('data', resolve));
    child.kill('SIGINT');
    assert.equal(await new Promise((resolve) => child.on('close', resolve)), 130);
  });

  for (const [columns, environment, what] of [
    [80, {}, 'in colour and with bars'],
    [40, {}, 'without bars on a narrow one'],
    [80, { NO_COLOR: '1' }, 'without colours where NO_COLOR is set'],
  ] as const) {
    it(`shows it on a terminal ${what}`, async () => {
      await using place = await ServedPlace.open();
      await using terminal = await TmuxTerminal.open({ SLUICE_URL: place.url, ...environment }, columns, 40);
      await terminal.enter('eval $SLUICE speed --down --seconds 1; echo code $?');
      const plain = await terminal.until(/^code 0$/m);
      const screen = await terminal.screen('-e');
      assert.equal(/ms {2}(\x1b\[\d+m)*━+/.test(screen), columns === 80);
      assert.equal(screen.includes('\x1b[32m'), columns === 80 && !('NO_COLOR' in environment));
      assert.match(plain, /^ {3}1 s +[\d.]+ [KMGT]iB\/s +[\d.]+ ms/m);
    });
  }
});
