import type { Coordinator, NameLease } from './coordinator.js';

const LEASE: NameLease = { release() {} };

/** The coordinator of a server that is one process: there is nobody to be asked. */
export class SingleProcess implements Coordinator {
  readonly number = 1;
  readonly isAlone = true;

  join(): void {}

  acquire(): NameLease {
    return LEASE;
  }

  isElsewhere(): boolean {
    return false;
  }

  async settled(): Promise<void> {}

  async freed(): Promise<void> {}

  lock(): NameLease {
    return LEASE;
  }

  on(): void {}

  /** Whoever is alone decides by itself, and does not ask. */
  ask(topic: string): Promise<never> {
    return Promise.reject(new Error(`nobody answers ${topic}`));
  }

  askOne(_process: number, topic: string): Promise<never> {
    return this.ask(topic);
  }

  report(): void {}

  async gather<T>(): Promise<T[]> {
    return [];
  }

  tell(): void {}
}

export const SINGLE_PROCESS: Coordinator = new SingleProcess();
