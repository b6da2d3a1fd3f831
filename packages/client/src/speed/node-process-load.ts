import { type ProcessLoad, processUse } from './process-load.js';
import type { ProcessUse } from './speed-result.js';

/** This process, as Node tells of it. */
export class NodeProcessLoad implements ProcessLoad {
  readonly #cpu = process.cpuUsage();
  readonly #loop = performance.eventLoopUtilization();

  read(): ProcessUse {
    const { user, system } = process.cpuUsage(this.#cpu);
    const { active, idle } = performance.eventLoopUtilization(this.#loop);
    return processUse((user + system) / 1000, active, active + idle);
  }
}
