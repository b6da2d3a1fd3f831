import { type MessageJob, runMessages } from '../contenders/message-load.js';
import { startSluiceWith } from '../contenders/message-server.js';
import { unavailable } from '../contenders/sluice.js';
import { TreeUsage } from '../process-usage.js';
import type { Quantity, Readings } from '../quantities.js';
import type { ReadingContext, ReadingsScenario } from '../readings.js';

const RATE: Quantity = { name: 'messages/s', better: 'more', digits: 0, hasRatios: true };
const CPU: Quantity = { name: 'server CPU µs', better: 'less', digits: 2, hasRatios: true };
const BUSIEST: Quantity = { name: 'busiest : mean', better: 'less', digits: 2 };

const JOB: MessageJob = { connections: 500, dataBytes: 64, messages: 200_000 };
const WARM_UP: MessageJob = { connections: 500, dataBytes: 64, messages: 100_000 };
const QUICK_PART = 10;
const ONE = 'one-process';

/** What it costs that several processes share the work. */
export const WORKERS_SCENARIO: ReadingsScenario = {
  kind: 'readings',
  name: 'workers',
  description: `ping-pong of ${JOB.dataBytes} B over ${JOB.connections} connections with one process, and with workers that share them`,
  quantities: [CPU, RATE, BUSIEST],
  plainName: ONE,
  note: `:plain is the ratio to one process. The load program has a core of its own only where there are more cores than workers.`,
  subjects: [subjectOf(ONE, 1), subjectOf('two-workers', 2), subjectOf('four-workers', 4)],
};

function subjectOf(name: string, workers: number) {
  return {
    name,
    description: `sluice serve --workers ${workers}`,
    ...unavailable,
    measure: async ({ isQuick }: ReadingContext): Promise<Readings> => {
      await using server = await startSluiceWith(['--workers', String(workers)]);
      await runMessages(server, WARM_UP, () => {});
      const usage = new TreeUsage(server.pid);
      const messages = isQuick ? JOB.messages / QUICK_PART : JOB.messages;
      let cpuAtStart = 0;
      let eachAtStart: number[] = [];
      const { seconds } = await runMessages(server, { ...JOB, messages }, () => {
        cpuAtStart = usage.cpuSeconds();
        eachAtStart = usage.cpuSecondsOfChildren();
      });
      const cpuSeconds = usage.cpuSeconds() - cpuAtStart;
      const each = usage.cpuSecondsOfChildren().map((now, i) => now - (eachAtStart[i] ?? 0));
      const mean = each.reduce((sum, one) => sum + one, 0) / each.length;
      return {
        [CPU.name]: (cpuSeconds * 1e6) / messages,
        [RATE.name]: messages / seconds,
        ...(workers > 1 && { [BUSIEST.name]: Math.max(...each) / mean }),
      };
    },
  };
}
