// Loaded into a process in front of everything else by `node --import`: from then on what it writes is lost in a power cut unless it was synced.
import { isMainThread } from 'node:worker_threads';
import { Power } from './power.js';
import { wrapFiles } from './wrapped-files.js';

const { POWER_CUT_STORE, POWER_CUT_SEED, POWER_CUT_AT } = process.env;

// Only the main thread writes files; a signal could not reach another.
if (isMainThread && POWER_CUT_STORE !== undefined) {
  const number = (text: string | undefined) => (text === undefined ? undefined : Number(text));
  const power = new Power({ store: POWER_CUT_STORE, seed: number(POWER_CUT_SEED), cutAt: number(POWER_CUT_AT) });
  await wrapFiles(power);
  process.on('SIGUSR2', () => power.cut());
}
