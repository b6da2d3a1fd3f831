import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Scratch, sluice } from './support/command.js';
import { runScenario, SCENARIOS } from './support/overload/scenarios.js';

const MIB = 2 ** 20;
const LIMIT_BYTES = 256 * MIB;

/** What the process takes beside its limit: docs/limits.md, "Memory". */
const CONSTANT_BYTES = 80 * MIB;

/** A part of the full size, which `npm run overload` has. */
const CONNECTIONS: Readonly<Record<string, number>> = {
  silent: 500,
  half: 100,
  listings: 100,
  reads: 100,
  downloads: 300,
  stalled: 60,
  log: 100,
};

describe('the shipped server with --memory-limit 256M', () => {
  for (const scenario of SCENARIOS) {
    const connections = CONNECTIONS[scenario.name];
    if (connections === undefined) continue;
    it(`stays within it, and serves others, when ${connections} connections ${scenario.what}`, async () => {
      const serve = ['--memory-limit', '256M'];
      const { before, during, after, established, bystander } = await runScenario(scenario, {
        connections,
        standsMs: 2000,
        largeFiles: 3000,
        serve,
      });
      const shown = JSON.stringify({ before, during, after, established, bystander });
      assert.ok(established >= connections * 0.9, shown);
      assert.ok(during.peakBytes < LIMIT_BYTES + CONSTANT_BYTES, shown);
      assert.ok(bystander.visits > 0, shown);
      assert.deepEqual(bystander.failures, []);
      assert.ok(after.descriptors <= before.descriptors + 8, shown);
      assert.ok(after.peakBytes < LIMIT_BYTES + CONSTANT_BYTES, shown);
      assert.ok(after.residentBytes < before.residentBytes + 96 * MIB, shown);
    });
  }

  it('refuses a number of connections that does not fit, with the sum', async () => {
    await using scratch = await Scratch.make();
    const limits = ['--memory-limit', '256M', '--max-connections', '10000'];
    const ended = await sluice(['serve', '--root', scratch.folder, '--listen', '127.0.0.1:0', ...limits]);
    assert.equal(ended.exitCode, 2);
    assert.match(ended.stderr, /the memory limit of 256 MiB does not hold 10000 connections x 26 KiB \+ .* = 418 MiB/);
  });
});
