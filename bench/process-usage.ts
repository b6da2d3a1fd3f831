import { readdirSync, readFileSync } from 'node:fs';

/** Linux reports CPU time to user space in hundredths of a second on every architecture Node runs on. */
const TICKS_PER_SECOND = 100;

interface ProcessFacts {
  readonly parentPid: number;
  readonly ownTicks: number;
  /** CPU of children that have ended and were waited for, with their own ended children. */
  readonly reapedTicks: number;
}

/** CPU time and peak memory of a process and everything below it. */
export class TreeUsage {
  readonly #rootPid: number;
  readonly #peakBytesByPid = new Map<number, number>();
  readonly #restingCount: number;

  constructor(rootPid: number) {
    this.#rootPid = rootPid;
    this.#restingCount = processTree(rootPid).length;
  }

  /** Of all processes in the tree, with those that have ended. Whoever ended unreaped is missing until it is reaped. */
  cpuSeconds(): number {
    let ticks = 0;
    for (const pid of processTree(this.#rootPid)) {
      const facts = readProcess(pid);
      if (facts !== undefined) ticks += facts.ownTicks + facts.reapedTicks;
    }
    return ticks / TICKS_PER_SECOND;
  }

  /** Notes the peaks of the processes alive now; a process that starts and ends between two calls is not seen. */
  samplePeaks(): void {
    for (const pid of processTree(this.#rootPid)) {
      const peakBytes = readStatusBytes(pid, 'VmHWM');
      if (peakBytes !== undefined) this.#peakBytesByPid.set(pid, peakBytes);
    }
  }

  /** Sum of the peak resident memory of every process seen; pages they share count once for each. */
  peakBytes(): number {
    let total = 0;
    for (const bytes of this.#peakBytesByPid.values()) total += bytes;
    return total;
  }

  /** Resident memory of every process in the tree now; pages they share count once for each. */
  residentBytes(): number {
    let total = 0;
    for (const pid of processTree(this.#rootPid)) total += readStatusBytes(pid, 'VmRSS') ?? 0;
    return total;
  }

  /** CPU of each process below the first that is alive, in seconds. */
  cpuSecondsOfChildren(): number[] {
    const children = processTree(this.#rootPid).slice(1);
    return children.map((pid) => (readProcess(pid)?.ownTicks ?? 0) / TICKS_PER_SECOND);
  }

  /** Waits up to a second until processes made for one session have ended and their CPU time has been passed up. */
  async settled(): Promise<void> {
    for (let attempt = 0; attempt < 50; attempt += 1) {
      if (processTree(this.#rootPid).length <= this.#restingCount) return;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

/** CPU of this process's own children that have ended, in seconds. */
export function endedChildrenCpuSeconds(): number {
  return (readProcess(process.pid)?.reapedTicks ?? 0) / TICKS_PER_SECOND;
}

/** CPU that all processes of the machine have used, with what a hypervisor took away, in seconds. */
export function machineCpuSeconds(): number {
  const line = /^cpu +(.*)$/m.exec(readProcFile('/proc/stat') ?? '')?.[1] ?? '';
  const [user = 0, nice = 0, system = 0, , , interrupts = 0, softInterrupts = 0, stolen = 0] = line
    .split(' ')
    .map(Number);
  return (user + nice + system + interrupts + softInterrupts + stolen) / TICKS_PER_SECOND;
}

/** The process and all its descendants, parents first. */
export function processTree(rootPid: number): number[] {
  const childrenByParent = new Map<number, number[]>();
  for (const entry of readdirSync('/proc')) {
    const pid = Number(entry);
    if (!Number.isInteger(pid)) continue;
    const facts = readProcess(pid);
    if (facts === undefined) continue;
    const siblings = childrenByParent.get(facts.parentPid);
    if (siblings === undefined) childrenByParent.set(facts.parentPid, [pid]);
    else siblings.push(pid);
  }
  const tree = [rootPid];
  for (let index = 0; index < tree.length; index += 1) tree.push(...(childrenByParent.get(tree[index]!) ?? []));
  return tree;
}

function readProcess(pid: number): ProcessFacts | undefined {
  const stat = readProcFile(`/proc/${pid}/stat`);
  if (stat === undefined) return undefined;
  // The command name stands in brackets and may itself hold blanks and brackets; field 3 follows the last one.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const field = (number: number) => Number(fields[number - 3]);
  return { parentPid: field(4), ownTicks: field(14) + field(15), reapedTicks: field(16) + field(17) };
}

function readStatusBytes(pid: number, field: 'VmHWM' | 'VmRSS'): number | undefined {
  const match = new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(readProcFile(`/proc/${pid}/status`) ?? '');
  return match === null ? undefined : Number(match[1]) * 1024;
}

/** `undefined` when the process has ended meanwhile. */
function readProcFile(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}
