import { runToEnd, startChild } from '../child-processes.js';
import { endedChildrenCpuSeconds } from '../process-usage.js';
import type { ClientRun } from './contender.js';

/** Runs a client command from its start to its end; its start-up and login are part of what is measured. */
export async function runCommandClient(
  command: string,
  args: readonly string[],
  deadlineMs: number,
  onStart: () => void,
): Promise<ClientRun> {
  onStart();
  const cpuBefore = endedChildrenCpuSeconds();
  const startMs = performance.now();
  await runToEnd(await startChild(command, args), deadlineMs);
  const seconds = (performance.now() - startMs) / 1000;
  return { seconds, cpuSeconds: endedChildrenCpuSeconds() - cpuBefore };
}
