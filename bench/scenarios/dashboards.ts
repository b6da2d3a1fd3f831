import { type ControlClient, connectControl } from '@sluice/client';
import type { RunningServer } from '../contenders/contender.js';
import { startSluiceWith } from '../contenders/message-server.js';
import { password, unavailable, user } from '../contenders/sluice.js';
import type { Quantity, Readings } from '../quantities.js';
import type { ReadingContext, ReadingsScenario } from '../readings.js';
import { measureMessages, messageJob } from './messages.js';

const CPU: Quantity = { name: 'server CPU µs', better: 'less', digits: 2, hasRatios: true };
const RATE: Quantity = { name: 'messages/s', better: 'more', digits: 0, hasRatios: true };

const DASHBOARDS = 10;
/** As often as the page asks. docs/dashboard.md, "What it costs the server". */
const STATS_MS = 1000;
const QUICK_PART = 10;
const NONE = 'no-dashboards';

/** What those feel of operators who look on that have nothing to do with them. */
export const DASHBOARDS_SCENARIO: ReadingsScenario = {
  kind: 'readings',
  name: 'dashboards',
  description: `ping-pong, while ${DASHBOARDS} pages of the dashboard ask for statistics each second, or follow all connections, too`,
  quantities: [CPU, RATE],
  plainName: NONE,
  note: ':plain is the ratio to the same without dashboards. They are played by the SDK, which asks for what the pages ask for.',
  subjects: [
    subjectOf(NONE, 'nobody looks on', () => {}),
    subjectOf('on-overview', 'each asks for statistics', (client) => askForStatistics(client)),
    subjectOf('on-connections', 'each asks for statistics, and follows the connections', (client) => {
      askForStatistics(client);
      void followConnections(client);
    }),
  ],
};

function subjectOf(name: string, description: string, look: (client: ControlClient) => void) {
  return {
    name,
    description,
    ...unavailable,
    measure: async ({ isQuick }: ReadingContext): Promise<Readings> => {
      await using server = await startSluiceWith([]);
      const clients = await Promise.all(Array.from({ length: DASHBOARDS }, () => connectTo(server)));
      try {
        for (const client of clients) look(client);
        const job = messageJob('ping-pong')!;
        const readings = await measureMessages(server, isQuick ? { ...job, messages: job.messages / QUICK_PART } : job);
        return { [CPU.name]: readings[CPU.name]!, [RATE.name]: readings[RATE.name]! };
      } finally {
        for (const client of clients) await client.close();
      }
    },
  };
}

function connectTo({ port }: RunningServer): Promise<ControlClient> {
  return connectControl(`sluice://${user}:${password}@127.0.0.1:${port}/`);
}

/** Until the client is closed. */
function askForStatistics(client: ControlClient): void {
  const timer = setInterval(() => {
    client.stats().catch(() => clearInterval(timer));
  }, STATS_MS);
}

async function followConnections(client: ControlClient): Promise<void> {
  try {
    for await (const _ of client.watch({ intervalMs: STATS_MS })) {
      // what has changed is of no use here
    }
  } catch {
    // the client was closed
  }
}
