import { type SimulatedProtocol, simulate } from '@sluice/testkit';

/** Runs seeds 1 to `count`. @returns how often connections ended for each reason */
export async function simulateAll(protocol: SimulatedProtocol, count: number): Promise<Map<string, number>> {
  const closed = new Map<string, number>();
  for (let seed = 1; seed <= count; seed++) {
    const report = await simulate({ protocol, seed });
    for (const [reason, times] of report.closed) closed.set(reason, (closed.get(reason) ?? 0) + times);
  }
  return closed;
}
