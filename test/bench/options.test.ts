import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { DEFAULT_BENCH_OPTIONS, readBenchOptions } from '#bench/options.js';
import { SCENARIOS, select } from '#bench/selection.js';

describe('arguments of npm run bench', () => {
  it('have defaults', () => {
    assert.deepEqual(readBenchOptions([]), {
      ...DEFAULT_BENCH_OPTIONS,
      directory: undefined,
      only: [],
      isQuick: false,
      compare: undefined,
      failsOnWorse: false,
    });
  });

  it('name scenarios and contenders one by one, or several with commas', () => {
    const options = readBenchOptions(['--only', 'ping-pong,sluice', '--only', 'micro']);
    assert.ok(options !== 'help');
    assert.deepEqual(options.only, ['ping-pong', 'sluice', 'micro']);
  });

  it('make a quick run small, unless said otherwise', () => {
    const quick = readBenchOptions(['--quick', '--rounds', '2']);
    assert.ok(quick !== 'help');
    assert.equal(quick.rounds, 2);
    assert.equal(quick.sizeBytes, 128 * 1024 ** 2);
  });

  it('--micro is the scenario of that name', () => {
    const options = readBenchOptions(['--micro']);
    assert.ok(options !== 'help');
    assert.deepEqual(options.only, ['micro']);
  });

  for (const args of [['--rounds', '0'], ['--size', '1k'], ['--size', 'x'], ['--fail-on-worse'], ['--what']]) {
    it(`refuse ${args.join(' ')}`, () => {
      assert.throws(() => readBenchOptions(args));
    });
  }
});

describe('what is run', () => {
  it('is everything when nothing is named', () => {
    assert.deepEqual(select([]).scenarios, SCENARIOS);
  });

  it('is the scenario that is named, with all its contenders', () => {
    const selection = select(['ping-pong']);
    assert.deepEqual(
      selection.scenarios.map(({ name }) => name),
      ['ping-pong'],
    );
    assert.deepEqual(
      selection.contendersOf(selection.scenarios[0]!).map(({ name }) => name),
      ['limit', 'sluice', 'plain-net'],
    );
  });

  it('is every scenario of a contender that is named', () => {
    const selection = select(['rsync']);
    assert.deepEqual(
      selection.scenarios.map(({ name }) => name),
      ['upload-10k', 'download-10k'],
    );
    assert.deepEqual(
      selection.contendersOf(selection.scenarios[0]!).map(({ name }) => name),
      ['rsync'],
    );
  });

  it('is nothing for a name that nobody has: the message has all there are', () => {
    assert.throws(() => select(['pingpong']), /--only pingpong: expected one of ping-pong, /);
  });

  it('has a name for every scenario that no other has', () => {
    const names = SCENARIOS.map(({ name }) => name);
    assert.equal(new Set(names).size, names.length);
  });
});
