import { randomBytes } from 'node:crypto';
import { readFile, readlink, rename, rm, symlink } from 'node:fs/promises';
import { hostname } from 'node:os';
import { setTimeout } from 'node:timers/promises';

/** Between two looks at a lock that somebody else has. */
const POLL_MS = 20;

export interface LockFileOptions {
  /** How long to wait for a lock that somebody else has, in milliseconds. */
  readonly waitMs: number;
  /** Ends the wait. */
  readonly signal?: AbortSignal | undefined;
}

/** Who has a lock: enough to tell, on the same machine, that the process is dead. */
interface Holder {
  readonly host: string;
  /** Process ids mean nothing outside; empty where the system has no such thing. */
  readonly pidNamespace: string;
  readonly pid: number;
  /** As the system counts it; tells a process from a later one with the same id. Empty where it cannot be found out. */
  readonly startTime: string;
  /** Of this one acquisition. */
  readonly token: string;
}

/**
 * A lock between processes: a symbolic link whose target is the holder's description. A link, because it is made with its
 * content in one step, and, like a file opened with O_EXCL, only where there is nothing: no crash leaves a lock that does
 * not say whose it is.
 *
 * The lock of a dead process is taken over, without a moment in which it is free or two processes have it: who finds it
 * makes the lock `PATH.TOKEN`, which only one can; looks again, whether `PATH` still is that token's; and renames the one
 * to the other. After that nobody finds the token in `PATH` again, so a late `PATH.TOKEN` comes to nothing. A process that
 * dies in between leaves a lock like any other, and is inherited in the same way.
 *
 * A process of another machine or container is never taken for dead.
 */
export class LockFile implements AsyncDisposable {
  readonly #path: string;
  readonly #content: string;

  private constructor(path: string, content: string) {
    this.#path = path;
    this.#content = content;
  }

  /** @returns `undefined` if somebody else had it all the time @throws what the system says, and the signal's reason */
  static async acquire(path: string, { waitMs, signal }: LockFileOptions): Promise<LockFile | undefined> {
    const self = await ownHolder();
    const deadlineMs = performance.now() + waitMs;
    for (;;) {
      signal?.throwIfAborted();
      if (await tryToTake(path, self)) return new LockFile(path, contentOf(self));
      if (performance.now() >= deadlineMs) return undefined;
      // an abort ends it, and is thrown above with its own reason
      await setTimeout(POLL_MS, undefined, signal && { signal }).catch(() => {});
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // not if somebody has removed it by hand, and somebody else has the next one
    if ((await readLock(this.#path)) === this.#content) await rm(this.#path, { force: true });
  }
}

/** Who has the lock, for people: `process 4711 on host`. */
export async function describeHolder(path: string): Promise<string> {
  const holder = await readHolder(path);
  return holder ? `process ${holder.pid} on ${holder.host}` : 'another process';
}

async function tryToTake(path: string, self: Holder): Promise<boolean> {
  if (await makeLock(path, contentOf(self))) return true;
  const holder = await readHolder(path);
  if (!holder || !(await isDead(holder, self))) return false;
  const claim = `${path}.${holder.token}`;
  if (!(await tryToTake(claim, self))) return false;
  let isTaken = false;
  try {
    if ((await readHolder(path))?.token === holder.token) {
      await rename(claim, path);
      isTaken = true;
    }
  } finally {
    if (!isTaken) await rm(claim, { force: true });
  }
  return isTaken;
}

async function makeLock(path: string, content: string): Promise<boolean> {
  try {
    await symlink(content, path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

function contentOf({ host, pidNamespace, pid, startTime, token }: Holder): string {
  return [host, pidNamespace, pid, startTime, token].join('|');
}

/** @returns `undefined` for a lock that is gone, and for what is none of ours */
async function readHolder(path: string): Promise<Holder | undefined> {
  const match = /^([^|]*)\|([^|]*)\|([1-9]\d*)\|(\d*)\|([0-9a-f]{16})$/.exec((await readLock(path)) ?? '');
  if (!match) return undefined;
  const [, host = '', pidNamespace = '', pid, startTime = '', token = ''] = match;
  return { host, pidNamespace, pid: Number(pid), startTime, token };
}

async function readLock(path: string): Promise<string | undefined> {
  try {
    return await readlink(path);
  } catch (error) {
    // gone; or no link, and then nobody's that we know
    if (['ENOENT', 'EINVAL'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined;
    throw error;
  }
}

async function ownHolder(): Promise<Holder> {
  return {
    host: hostname().replaceAll('|', ''),
    pidNamespace: await readlink('/proc/self/ns/pid').catch(() => ''),
    pid: process.pid,
    startTime: (await processStat(process.pid))?.startTime ?? '',
    token: randomBytes(8).toString('hex'),
  };
}

async function isDead(holder: Holder, self: Holder): Promise<boolean> {
  if (holder.host !== self.host || holder.pidNamespace !== self.pidNamespace) return false;
  try {
    process.kill(holder.pid, 0);
  } catch (error) {
    // EPERM: somebody else's, alive
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return true;
  }
  const stat = await processStat(holder.pid);
  if (!stat || holder.startTime === '') return false;
  return stat.isZombie || stat.startTime !== holder.startTime;
}

/** `undefined` where the system does not tell. @see proc_pid_stat(5) */
async function processStat(pid: number): Promise<{ isZombie: boolean; startTime: string } | undefined> {
  const text = await readFile(`/proc/${pid}/stat`, 'latin1').catch(() => '');
  // the name of the program, in parentheses, may hold spaces and parentheses itself
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const [state, startTime] = [fields[0], fields[19]];
  return startTime === undefined ? undefined : { isZombie: state === 'Z' || state === 'X', startTime };
}
