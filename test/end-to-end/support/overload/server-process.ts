import { readdir, readFile } from 'node:fs/promises';

/** What the system says of a process. */
export interface ProcessState {
  /** Resident memory, in bytes. */
  readonly residentBytes: number;
  /** The most that it has been, in bytes. */
  readonly peakBytes: number;
  readonly descriptors: number;
}

/** @throws when there is no such process any more */
export async function processState(pid: number): Promise<ProcessState> {
  const status = await readFile(`/proc/${pid}/status`, 'latin1');
  const kib = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1]) * 1024;
  const descriptors = (await readdir(`/proc/${pid}/fd`)).length;
  return { residentBytes: kib('VmRSS'), peakBytes: kib('VmHWM'), descriptors };
}
