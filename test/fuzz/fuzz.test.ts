import { describe, it } from 'node:test';
import { fuzz } from './fuzzing.js';
import { TARGETS } from './targets/all.js';

/** Inputs of a target that needs no server. */
const RUNS = 10_000;

/** Of those that do, or that read the same bytes in many ways. */
const RUNS_OF_SLOW: Readonly<Record<string, number>> = { framing: 4000, 'proxy-header': 3000, sdk: 60 };
const RUNS_WITH_SERVER = 400;

const NEED_NO_SERVER = new Set(['command-text', 'messages']);

describe('fuzzing, with the corpus and a few seconds of new inputs', () => {
  for (const [name, target] of TARGETS) {
    it(`finds nothing wrong with ${name}`, async () => {
      const wanted = RUNS_OF_SLOW[name] ?? (NEED_NO_SERVER.has(name) ? RUNS : RUNS_WITH_SERVER);
      await fuzz(target, 1, (runs) => runs >= wanted);
    });
  }
});
