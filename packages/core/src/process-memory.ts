import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { ProcessMemory } from './memory-ceiling.js';

let collect: (() => void) | undefined;

/** This process. V8 is asked for its garbage collection by the flag that Node documents for it; without the call, it is not asked. */
export const processMemory: ProcessMemory = {
  residentBytes: () => process.memoryUsage.rss(),
  collect() {
    if (!collect) {
      setFlagsFromString('--expose-gc');
      const found: unknown = runInNewContext('globalThis.gc');
      collect = typeof found === 'function' ? (found as () => void) : () => {};
    }
    collect();
  },
};
