import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, open, readFile, readlink, rename, rm, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { dirname, join } from 'node:path';
import { ClientError } from './errors.js';
import { localFileError } from './local-errors.js';

/** Behind the name of a file that is being downloaded: the lock that keeps others from downloading it too. */
export const LOCK_SUFFIX = '.sluice-lock';

/** A lock without content that is older than this, in milliseconds, is left over from a process that died while it made it. */
const UNFINISHED_MS = 60_000;
/** A lock is shorter than this, in bytes. */
const MAX_LOCK_BYTES = 1_024;

/** Who has a lock: enough to tell, on the same machine, that the process is dead. */
interface Holder {
  readonly host: string;
  /** Process ids mean nothing outside; empty where the system has no such thing. */
  readonly pidNamespace: string;
  readonly pid: number;
  /** As the system counts it; tells a process from a later one with the same id. Empty where it cannot be found out. */
  readonly startTime: string;
  /** Of this one lock. */
  readonly token: string;
}

/** A lock file as it was found. */
interface FoundLock {
  /** Different for each lock that ever has this name. */
  readonly token: string;
  /** `undefined` when the file does not say it, or not yet. */
  readonly holder: Holder | undefined;
  readonly modifiedMs: number;
}

/**
 * The right to download to a target: a file beside it that can be made only once, by one call of one process. What is held by this process
 * needs no list: the file of a process that lives is nobody else's, nor another call's, however the directory was named.
 *
 * The lock of a dead process is taken over, without a moment in which it is free or two have it: who finds it makes the lock of its token,
 * which only one can; looks again, whether the lock still is that token's; and renames the one to the other. After that nobody finds the
 * token again, so one who comes late gets nothing. A process that dies in between leaves a lock that is taken over in the same way.
 *
 * A process of another machine or container is never taken for dead.
 */
export class TargetLock {
  readonly #path: string;
  readonly #self: Holder;

  private constructor(path: string, self: Holder) {
    this.#path = path;
    this.#self = self;
  }

  /** @throws {ClientError} `ERR_LOCAL_FILE`, at once when somebody has it */
  static async take(target: string): Promise<TargetLock> {
    const path = `${target}${LOCK_SUFFIX}`;
    let self: Holder;
    let other: FoundLock | undefined;
    try {
      self = await newHolder();
      other = await takeFile(path, self);
    } catch (error) {
      throw localFileError('write', target, error);
    }
    if (!other) return new TargetLock(path, self);
    const who = other.holder ? `process ${other.holder.pid} on ${other.holder.host}` : 'another process';
    const text = `${target} is being downloaded already, by ${who}; remove ${path} if it is not`;
    throw new ClientError('ERR_LOCAL_FILE', text);
  }

  /** Never rejects: a lock that stays is that of a dead process soon. */
  async release(): Promise<void> {
    try {
      // not if somebody has removed it by hand, and somebody else has the next one
      const found = await readLock(this.#path);
      if (found?.token === this.#self.token) await rm(this.#path, { force: true });
    } catch {}
  }
}

/** @returns the lock of who has it, unless `self` has it now */
async function takeFile(path: string, self: Holder): Promise<FoundLock | undefined> {
  for (;;) {
    if (await makeLock(path, self)) return undefined;
    const found = await readLock(path);
    if (!found) continue; // it has just been released
    if (!(await isAbandoned(found, self))) return found;

    const claim = join(dirname(path), `${LOCK_SUFFIX}-${found.token}`); // not longer: the target's name may be as long as it can be
    const claimant = await takeFile(claim, self);
    if (claimant) return claimant;
    let isTaken = false;
    try {
      if ((await readLock(path))?.token === found.token) {
        await rename(claim, path);
        isTaken = true;
      }
    } finally {
      if (!isTaken) await rm(claim, { force: true });
    }
    if (isTaken) return undefined;
  }
}

async function makeLock(path: string, { host, pidNamespace, pid, startTime, token }: Holder): Promise<boolean> {
  try {
    await writeFile(path, [host, pidNamespace, pid, startTime, token].join('|'), { flag: 'wx' });
    return true;
  } catch (error) {
    const { code, syscall } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST') return false;
    if (syscall === 'write') await rm(path, { force: true }); // made, and then the disk was full
    throw error;
  }
}

/** @returns `undefined` when there is none @throws the system's error, or one about a file that is no lock */
async function readLock(path: string): Promise<FoundLock | undefined> {
  let handle: FileHandle;
  try {
    handle = await open(path, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return undefined;
    throw code === 'ELOOP' ? notALock(path) : error;
  }
  try {
    const stats = await handle.stat();
    if (!stats.isFile() || stats.size > MAX_LOCK_BYTES) throw notALock(path);
    const text = await handle.readFile('utf8');
    const modifiedMs = stats.mtimeMs;
    // After a loss of power a file may have its length and nothing in it.
    if (/^\0*$/.test(text)) return { token: `${stats.ino}-${modifiedMs}`, holder: undefined, modifiedMs };
    const match = /^([^|]*)\|([^|]*)\|([1-9]\d*)\|(\d*)\|([0-9a-f]{16})$/.exec(text);
    if (!match) throw notALock(path);
    const [, host = '', pidNamespace = '', pid, startTime = '', token = ''] = match;
    return { token, holder: { host, pidNamespace, pid: Number(pid), startTime, token }, modifiedMs };
  } finally {
    await handle.close();
  }
}

function notALock(path: string): Error {
  return new Error(`${path} is in the way, and is not the lock of a download`);
}

async function isAbandoned({ holder, modifiedMs }: FoundLock, self: Holder): Promise<boolean> {
  if (!holder) return Date.now() - modifiedMs > UNFINISHED_MS;
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

async function newHolder(): Promise<Holder> {
  return {
    host: hostname().replaceAll('|', ''),
    pidNamespace: await readlink('/proc/self/ns/pid').catch(() => ''),
    pid: process.pid,
    startTime: (await processStat(process.pid))?.startTime ?? '',
    token: randomBytes(8).toString('hex'),
  };
}

/** `undefined` where the system does not tell. @see proc_pid_stat(5) */
async function processStat(pid: number): Promise<{ isZombie: boolean; startTime: string } | undefined> {
  const text = await readFile(`/proc/${pid}/stat`, 'latin1').catch(() => '');
  // the name of the program, in parentheses, may hold spaces and parentheses itself
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const [state, startTime] = [fields[0], fields[19]];
  return startTime === undefined ? undefined : { isZombie: state === 'Z' || state === 'X', startTime };
}
