/** Threads that Node has for calls that may wait; `UV_THREADPOOL_SIZE` changes the number. */
const THREADS = Number(process.env['UV_THREADPOOL_SIZE']) || 4;

/** Of these, one stays free whatever the disk does: for listings, for logins, for disks that do answer. */
const MAX_AT_ONCE = Math.max(1, THREADS - 1);

const waiting: (() => void)[] = [];
let inside = 0;

/**
 * Makes a call that waits for as long as a disk likes: a sync, or a write that the thread pool makes. When a disk stops answering, such calls
 * must not have all threads of the process. They begin in order; none may make another from within.
 *
 * @throws what the call throws
 */
export async function diskTurn<T>(call: () => Promise<T>): Promise<T> {
  if (inside < MAX_AT_ONCE) inside += 1;
  else await new Promise<void>((resolve) => waiting.push(resolve));
  try {
    return await call();
  } finally {
    const next = waiting.shift();
    if (next) next();
    else inside -= 1;
  }
}
