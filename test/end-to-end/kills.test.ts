import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { runKills } from './support/kill-run.js';

/** About 20 s; `npm run kill-test -- --count 1000` goes on for longer. */
const COUNT = 16;
const SEED = 20;

describe('SIGKILLs of the server and of clients at random points', () => {
  it('lose no acknowledged file, break no transfer for good, and leave nothing behind', async () => {
    const figures = await runKills({ count: COUNT, seed: SEED });
    assert.ok(figures.kills >= COUNT && figures.killsOfServer > 0 && figures.killsOfClients > 0);
    assert.ok(figures.runAgain > 0 && figures.resumed > 0, 'the kills came too early or too late to mean something');
  });
});
