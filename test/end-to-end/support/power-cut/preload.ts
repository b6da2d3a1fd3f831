// Loaded into a process in front of everything else by `node --import`: from then on what it writes is lost in a power cut unless it was synced.
import { isMainThread } from 'node:worker_threads';
import { Power } from './power.js';
import { answerThreads, askMainThread } from './worker-files.js';
import { wrapFiles } from './wrapped-files.js';

const { POWER_CUT_STORE, POWER_CUT_SEED, POWER_CUT_AT } = process.env;

if (POWER_CUT_STORE !== undefined) {
  if (isMainThread) {
    const number = (text: string | undefined) => (text === undefined ? undefined : Number(text));
    const power = new Power({ store: POWER_CUT_STORE, seed: number(POWER_CUT_SEED), cutAt: number(POWER_CUT_AT) });
    await wrapFiles(power);
    answerThreads(power);
    process.on('SIGUSR2', () => power.cut());
  } else askMainThread();
}
