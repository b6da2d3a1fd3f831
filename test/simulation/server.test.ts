import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { simulate } from '@sluice/testkit';
import { sluice } from './protocols/sluice.js';
import { simulateAll } from './support/simulate-all.js';

describe('the server in simulation', () => {
  it('answers every request in order, and leaves no reader of the log behind, whatever peers and links do', async () => {
    const closed = await simulateAll(sluice, 600);
    for (const reason of [
      'peer-closed',
      'peer-reset',
      'first-byte-timeout',
      'login-timeout',
      'idle-timeout',
      'log-output-left',
      'kicked',
    ])
      assert.ok((closed.get(reason) ?? 0) >= 5, `${reason} hardly ever happens`);
  });

  it('does the same again for the same seed', async () => {
    for (let seed = 1; seed <= 20; seed++) {
      const { digest } = await simulate({ protocol: sluice, seed });
      assert.equal((await simulate({ protocol: sluice, seed })).digest, digest);
    }
  });
});
