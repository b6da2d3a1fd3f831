import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { simulate } from '@sluice/testkit';
import { echo } from './protocols/echo.js';
import { ledger } from './protocols/ledger.js';
import { simulateAll } from './support/simulate-all.js';

const REASONS = ['peer-closed', 'peer-reset', 'first-byte-timeout', 'idle-timeout', 'shutdown'];

describe('core in simulation', () => {
  it('keeps its promises to a handler of bytes, whatever peers and links do', async () => {
    const closed = await simulateAll(echo, 1000);
    for (const reason of REASONS) assert.ok((closed.get(reason) ?? 0) >= 10, `${reason} hardly ever happens`);
  });

  it('keeps its promises to a handler of frames, whatever peers and links do', async () => {
    const closed = await simulateAll(ledger, 1500);
    for (const reason of [
      ...REASONS,
      'framing-error',
      'handler-failed',
      'left',
      'write-stall',
      'stream-overrun',
      'memory',
      'displaced',
    ])
      assert.ok((closed.get(reason) ?? 0) >= 2, `${reason} hardly ever happens`);
  });

  it('does the same again for the same seed', async () => {
    for (let seed = 1; seed <= 50; seed++) {
      const { digest, steps } = await simulate({ protocol: ledger, seed });
      assert.equal((await simulate({ protocol: ledger, seed })).digest, digest);
      assert.equal((await simulate({ protocol: ledger, seed, steps })).digest, digest, 'with its steps given');
    }
  });

  it('closes for the reason that was given, when its budget ends a connection at the flush of that close', async () => {
    const { closed } = await simulate({
      protocol: ledger,
      seed: 210379090,
      steps: [
        { do: 'connect', peer: 4 },
        { do: 'send', peer: 4, salt: 770192623 },
      ],
    });
    assert.deepEqual([...closed], [['framing-error', 1]]);
  });
});
