import type { ProcessUse } from './speed-result.js';

/** How hard this process has worked since the object was made. */
export class ProcessLoad {
  readonly #cpu = process.cpuUsage();
  readonly #loop = performance.eventLoopUtilization();

  read(): ProcessUse {
    const { user, system } = process.cpuUsage(this.#cpu);
    const { active, idle } = performance.eventLoopUtilization(this.#loop);
    return processUse((user + system) / 1000, active, active + idle);
  }
}

/** @param elapsedMs in which the rest was used */
export function processUse(cpuMs: number, busyMs: number, elapsedMs: number): ProcessUse {
  const shareOf = (ms: number): number => (elapsedMs > 0 ? ms / elapsedMs : 0);
  return { cpuSeconds: cpuMs / 1000, cpuShare: shareOf(cpuMs), busyShare: Math.min(1, shareOf(busyMs)) };
}
