import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { FinalTally } from '../../../packages/cli/dist/chaos/attack/attack-tally.js';
import { figuresOf } from '../../../packages/cli/dist/chaos/attack/probe-series.js';
import { suitesIn } from '../../../packages/cli/dist/chaos/attack/suites.js';
import { type Check, checksOf, type Measurement } from '../../../packages/cli/dist/chaos/attack/verdict.js';
import { isLoopback } from '../../../packages/cli/dist/chaos/target.js';
import { ServedPlace } from './support/served-place.js';
import { jsonLines, runSluice } from './support/sluice-process.js';

const NAIVE_SERVER = fileURLToPath(new URL('./support/naive-server.js', import.meta.url));

/** Short, and with bounds that a busy machine keeps. */
const QUICK = ['--seconds', '1', '--baseline', '200ms', '--connections', '60', '--max-p99', '10s'];

interface AttackResult {
  readonly event: 'result';
  readonly suite: string;
  readonly passed: boolean;
  readonly checks: readonly Check[];
  readonly attackers: FinalTally;
  readonly process?: Measurement['process'];
}

async function attack(address: string, ...options: string[]) {
  const { code, stdout, stderr } = await runSluice(['chaos', 'attack', address, '--json', ...QUICK, ...options]);
  const lines = jsonLines(stdout);
  const results = lines.filter(({ event }) => event === 'result') as unknown as AttackResult[];
  return { code, stdout, stderr, lines, results };
}

/** A server with a fault in a process of its own. */
async function naiveServer(
  fault: string,
): Promise<AsyncDisposable & { readonly address: string; readonly pid: number }> {
  const child = spawn(process.execPath, [NAIVE_SERVER, fault], { stdio: ['ignore', 'pipe', 'ignore'] });
  const [port] = (await once(child.stdout, 'data')) as [Buffer];
  const ended = once(child, 'close');
  return {
    address: `127.0.0.1:${port.toString().trim()}`,
    pid: child.pid!,
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL');
      await ended;
    },
  };
}

function unmet({ checks }: AttackResult): string[] {
  return checks.filter(({ isMet }) => !isMet).map(({ name }) => name);
}

describe('sluice chaos attack', () => {
  it('lets our server pass every attack, and tells what it took', async () => {
    await using place = await ServedPlace.open();
    const address = /@(.*)\/$/.exec(place.url)![1]!;
    const { code, lines, results } = await attack(
      address,
      '--probe',
      'sluice-ping',
      '--probe-timeout',
      '10s',
      '--pid',
      String(place.pid),
    );
    assert.deepEqual(
      results.filter(({ passed }) => !passed).map((result) => [result.suite, unmet(result)]),
      [],
    );
    assert.deepEqual(
      results.map(({ suite }) => suite),
      suitesIn('all'),
    );
    assert.equal(code, 0);
    assert.deepEqual([lines[0]?.event, lines.at(-1)?.event], ['baseline', 'summary']);
    const by = (name: string) => results.find(({ suite }) => suite === name)!;
    for (const { suite, attackers } of results) assert.ok(attackers.opened > 0, suite);
    assert.equal(by('slowloris').attackers.stillOpen, 60, 'no deadline has passed yet');
    assert.ok(by('slow-read').attackers.bytesSent > 60 * 4096);
    assert.equal(by('slow-read').attackers.bytesReceived, 0);
    assert.ok(by('huge-prefix').attackers.ended > 0, 'what is longer than a packet may be is refused at once');
    assert.equal(by('silent-tls').attackers.stillOpen, 0, 'there is no TLS here');
    for (const suite of ['storm', 'rst-storm']) assert.ok(by(suite).attackers.left > 60, suite);
    assert.ok(by('descriptors').process!.peak.descriptors! >= 60);
  });

  for (const suite of ['slowloris', 'slow-read', 'half-open', 'descriptors', 'silent-tls']) {
    it(`fails a server that has places for few and no deadline: ${suite}`, async () => {
      await using server = await naiveServer('few-places');
      const { code, results } = await attack(server.address, '--suite', suite);
      assert.equal(code, 1);
      assert.ok(unmet(results[0]!).includes('success'), JSON.stringify(results));
      // 20 have a place; a probe that leaves may have had one of them meanwhile
      const { stillOpen } = results[0]!.attackers;
      assert.ok(stillOpen >= 15 && stillOpen <= 20, `${stillOpen}`);
    });
  }

  it('fails a server that believes lengths: huge-prefix', async () => {
    await using server = await naiveServer('believes-lengths');
    const options = [
      '--suite',
      'huge-prefix',
      '--connections',
      '20',
      '--pid',
      String(server.pid),
      '--max-growth',
      '64MiB',
    ];
    const { code, results } = await attack(server.address, ...options);
    assert.equal(code, 1);
    assert.deepEqual(unmet(results[0]!), ['memory']);
  });

  it('fails a server that works for each connection: storm', async () => {
    await using server = await naiveServer('works-on-accept');
    const probe = ['--probe', 'exchange', '--send-hex', '61'];
    const { code, results } = await attack(server.address, '--suite', 'storm', '--max-p99', '200ms', ...probe);
    assert.equal(code, 1);
    assert.ok(unmet(results[0]!).some((name) => name === 'p99' || name === 'success'));
  });

  it('fails a server that a reset ends: rst-storm; and plays nothing more against it', async () => {
    await using server = await naiveServer('knows-no-errors');
    const options = ['--suite', 'rst-storm,storm', '--recover-within', '300ms', '--pid', String(server.pid)];
    const { code, results, lines } = await attack(server.address, ...options);
    assert.equal(code, 1);
    assert.deepEqual(
      results.map(({ suite }) => suite),
      ['rst-storm'],
    );
    assert.ok(unmet(results[0]!).includes('alive'));
    assert.ok(unmet(results[0]!).includes('recovery'));
    assert.deepEqual((lines.at(-1) as { readonly skipped?: unknown }).skipped, ['storm']);
  });

  it('fails a server that keeps more of the attackers than it should, when told how many', async () => {
    await using server = await naiveServer('believes-lengths');
    const { code, results } = await attack(server.address, '--suite', 'slowloris', '--must-end', '100');
    assert.equal(code, 1);
    assert.deepEqual(unmet(results[0]!), ['ended']);
  });

  it('prints figures and a verdict for people', async () => {
    await using server = await naiveServer('few-places');
    const { stdout } = await runSluice(['chaos', 'attack', server.address, ...QUICK, '--suite', 'slowloris']);
    assert.match(stdout, /^baseline: \d+ of \d+ probes answered, p50 [\d.]+ ms/);
    assert.match(stdout, /^ {2}attackers {2}60 connections made, 0 refused, 4\d ended by the server, \d+ still open/m);
    assert.match(stdout, /^ {2}FAIL {7}[\d.]+ % of the probes answered, at least 99 % wanted$/m);
    assert.match(stdout, /^passed: none; failed: slowloris$/m);
  });

  it('speaks a protocol of yours: exchange sends bytes and knows the answer', async () => {
    await using place = await ServedPlace.open();
    const address = /@(.*)\/$/.exec(place.url)![1]!;
    // Upload, Active; what comes back begins with the length of the packet
    const active = '021d000000190000005b526571756573745d0d0a436f6d6d616e643d416374697665';
    const probe = ['--probe', 'exchange', '--send-hex', active, '--suite', 'half-open', '--connections', '5'];
    const wrong = await attack(address, ...probe, '--expect-hex', 'ffff');
    assert.equal(wrong.code, 4);
    assert.match(wrong.stderr, /answers no probe even before an attack \(another answer\)/);
    assert.equal((await attack(address, ...probe)).code, 0);
  });

  it('leaves other machines alone, unless they are said to be yours', async () => {
    const { code, stderr } = await runSluice(['chaos', 'attack', '192.0.2.1:80']);
    assert.equal(code, 2);
    assert.match(stderr, /192\.0\.2\.1:80 is not on this machine .*--i-own-this-target/);
    for (const address of ['127.0.0.1', '127.9.9.9', '::1', '::ffff:127.0.0.1'])
      assert.ok(isLoopback(address), address);
    for (const address of ['10.0.0.1', '0.0.0.0', '::', '::ffff:10.0.0.1', '128.0.0.1', 'fe80::1'])
      assert.ok(!isLoopback(address), address);
  });

  it('refuses what it cannot play with exit code 2', async () => {
    for (const options of [
      ['127.0.0.1:1', '--suite', 'nuclear'],
      ['127.0.0.1:1', '--probe', 'exchange'],
      ['127.0.0.1:1', '--probe', 'http', '--send-hex', '00'],
      ['127.0.0.1:1', '--send-hex', 'xyz', '--probe', 'exchange'],
      ['127.0.0.1:1', '--max-growth', '1MiB'],
      ['127.0.0.1:1', '--slice', '7'],
      ['127.0.0.1'],
      [],
    ]) {
      assert.equal((await runSluice(['chaos', 'attack', ...options])).code, 2, options.join(' '));
    }
  });

  it('ends with 4 where nobody listens', async () => {
    await using server = await naiveServer('few-places');
    await server[Symbol.asyncDispose]();
    const { code, stderr } = await attack(server.address);
    assert.equal(code, 4);
    assert.match(stderr, /answers no probe even before an attack \(ECONNREFUSED\)/);
  });
});

describe('the verdict about an attack', () => {
  const good = figuresOf([1, 2, 3], {});
  const tally: FinalTally = {
    opened: 10,
    refused: 0,
    ended: 9,
    left: 0,
    bytesSent: 0,
    bytesReceived: 0,
    stillOpen: 1,
  };
  const measured: Measurement = { baseline: good, during: good, recoveredMs: 1, attackers: tally };
  const required = {
    minSuccess: 99,
    maxP99Ms: undefined,
    maxSlowdown: 10,
    recoverWithinMs: 5000,
    mustEnd: undefined,
    maxGrowthBytes: undefined,
  };
  const failing = (change: Partial<Measurement>, wanted: Partial<typeof required> | object = {}) =>
    checksOf({ ...measured, ...change }, { ...required, ...wanted })
      .filter(({ isMet }) => !isMet)
      .map(({ name }) => name);

  it('is that all is well when nothing has changed', () => {
    assert.deepEqual(failing({}), []);
  });

  it('counts answers: 99 of 100 are enough, 98 are not', () => {
    const answered = (count: number) => figuresOf(Array(count).fill(1), { 'no answer in time': 100 - count });
    assert.deepEqual(failing({ during: answered(99) }), []);
    assert.deepEqual(failing({ during: answered(98) }), ['success']);
    assert.deepEqual(failing({ during: answered(98) }, { minSuccess: 98 }), []);
    assert.deepEqual(failing({ during: answered(0) }), ['success', 'p99']);
  });

  it('bounds the p99 by the baseline, but not below what a busy machine has, or absolutely', () => {
    const slow = (ms: number) => figuresOf([...Array<number>(98).fill(1), ms, ms], {});
    assert.deepEqual(failing({ during: slow(1000) }), []);
    assert.deepEqual(failing({ during: slow(1001) }), ['p99']);
    assert.deepEqual(failing({ during: slow(2999), baseline: slow(300) }), []);
    assert.deepEqual(failing({ during: slow(60) }, { maxP99Ms: 50 }), ['p99']);
  });

  it('wants the server to answer afterwards, to be there, and to have ended enough attackers', () => {
    const usage = { rssBytes: 100, descriptors: 1, cpuSeconds: 1 };
    const peak = { rssBytes: 250, descriptors: 1, cpuPercent: 1 };
    assert.deepEqual(failing({ recoveredMs: undefined }), ['recovery']);
    assert.deepEqual(failing({}, { mustEnd: 90 }), []);
    assert.deepEqual(failing({}, { mustEnd: 91 }), ['ended']);
    assert.deepEqual(failing({ process: { before: usage, peak, after: undefined } }), ['alive']);
    const process = { before: usage, peak, after: usage };
    assert.deepEqual(failing({ process }, { maxGrowthBytes: 150 }), []);
    assert.deepEqual(failing({ process }, { maxGrowthBytes: 149 }), ['memory']);
  });
});
