import { fileURLToPath } from 'node:url';

export interface PowerCut {
  /** A directory that is not there yet, on the file system that is written to, for what must be brought back. */
  readonly store: string;
  /** What of the unsynced survives, by chance; without one, nothing. */
  readonly seed?: number;
  /** The file operation, counted from 1, at which the power is cut; SIGUSR2 cuts it at any time. */
  readonly cutAt?: number;
}

const PRELOAD = new URL('./preload.js', import.meta.url);

/**
 * The environment of a Node process that forgets, when its power is cut, every write after the last sync. It says `power cut at operation N` on
 * standard error then, and kills itself. docs/reliability.md says what is covered.
 */
export function powerCutEnvironment({ store, seed, cutAt }: PowerCut): Record<string, string> {
  return {
    NODE_OPTIONS: `--import ${PRELOAD.href}`,
    POWER_CUT_STORE: store,
    ...(seed !== undefined && { POWER_CUT_SEED: String(seed) }),
    ...(cutAt !== undefined && { POWER_CUT_AT: String(cutAt) }),
  };
}

/** The module that does it, as a path for `node --import`. */
export const POWER_CUT_MODULE = fileURLToPath(PRELOAD);
