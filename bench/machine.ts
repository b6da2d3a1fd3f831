import os from 'node:os';

/** What a reader must know to place the figures. */
export interface MachineFacts {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryBytes: number;
  readonly kernel: string;
  readonly node: string;
  readonly date: string;
}

export function readMachineFacts(): MachineFacts {
  const cpus = os.cpus();
  return {
    cpu: cpus[0]?.model.trim() || os.arch(),
    cores: os.availableParallelism(),
    memoryBytes: os.totalmem(),
    kernel: `${os.type()} ${os.release()}`,
    node: process.version,
    date: new Date().toISOString(),
  };
}

export function machineLine(facts: MachineFacts): string {
  const memoryGib = Math.round(facts.memoryBytes / 1024 ** 3);
  return [facts.cpu, `${facts.cores} cores`, `${memoryGib} GiB`, facts.kernel, `Node ${facts.node}`, facts.date].join(
    ', ',
  );
}
