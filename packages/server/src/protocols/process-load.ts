/** How hard this process has worked since the object was made. */
export class ProcessLoad {
  readonly #cpu = process.cpuUsage();
  readonly #loop = performance.eventLoopUtilization();

  /** CPU time of all threads, and time for which the event loop did not wait; in milliseconds. */
  read(): { readonly cpuMs: number; readonly busyMs: number } {
    const { user, system } = process.cpuUsage(this.#cpu);
    return { cpuMs: (user + system) / 1000, busyMs: performance.eventLoopUtilization(this.#loop).active };
  }
}
