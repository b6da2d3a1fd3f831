/** Derivations of keys at once. The rest of Node's four threads stays free for files. */
const MAX_RUNS_AT_ONCE = 2;

let runs = 0;
const waiting: (() => void)[] = [];

/** Runs work that takes a thread for long, so many at once, in the order in which it was asked for. */
export async function inDerivationTurn<T>(work: () => Promise<T>): Promise<T> {
  if (runs >= MAX_RUNS_AT_ONCE) await new Promise<void>((resolve) => waiting.push(resolve));
  else runs += 1;
  try {
    return await work();
  } finally {
    const next = waiting.shift();
    // The next one runs in this one's place.
    if (next) next();
    else runs -= 1;
  }
}
