import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createConnection } from 'node:net';
import { endChild, runToEnd, startChild } from '../child-processes.js';
import { TreeUsage } from '../process-usage.js';
import type { Subject } from '../readings.js';
import { freePort } from './free-port.js';

const isInstalled = spawnSync('iperf3', ['--version'], { stdio: 'ignore' }).status === 0;
const STREAMS = 50;
const SECONDS = 3;
const QUICK_SECONDS = 1;
const DEADLINE_MS = 30_000;

/**
 * Bytes in both directions at once by the installed iperf3, told in messages of the given size: what it costs to move such
 * bytes with nobody looking at them. One message is so many bytes there and so many back.
 */
export function iperf3(messageBytes: number): Subject {
  return {
    name: 'iperf3',
    description: `the installed iperf3, ${STREAMS} streams in both directions; no messages, nothing is compared`,
    ...(isInstalled ? {} : { unavailable: 'iperf3 is not installed' }),
    measure: async ({ isQuick }) => {
      const port = String(await freePort());
      const server = await startChild('iperf3', ['-s', '-B', '127.0.0.1', '-p', port]);
      server.process.stdout?.resume();
      try {
        await untilListening(Number(port));
        const usage = new TreeUsage(server.pid);
        const cpuAtStart = usage.cpuSeconds();
        const seconds = isQuick ? QUICK_SECONDS : SECONDS;
        const args = ['-c', '127.0.0.1', '-p', port, '-P', String(STREAMS), '-l', String(messageBytes)];
        const client = await startChild('iperf3', [...args, '--bidir', '-t', String(seconds), '-J']);
        const { there, back, clientCores } = readReport(await runToEnd(client, DEADLINE_MS));
        const messages = (there + back) / 2 / messageBytes;
        const cpuSeconds = usage.cpuSeconds() - cpuAtStart;
        return {
          'messages/s': messages / seconds,
          'server CPU µs': (cpuSeconds * 1e6) / messages,
          'server cores': cpuSeconds / seconds,
          'client cores': clientCores,
        };
      } finally {
        await endChild(server);
      }
    },
  };
}

/** A connection without iperf3's cookie is dropped by the server, which goes on. */
async function untilListening(port: number): Promise<void> {
  for (let attempt = 0; attempt < 100; attempt += 1) {
    const probe = createConnection(port, '127.0.0.1');
    try {
      await once(probe, 'connect');
      return;
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 20));
    } finally {
      probe.destroy();
    }
  }
  throw new Error('iperf3 does not listen');
}

function readReport(text: string): { there: number; back: number; clientCores: number } {
  const { end } = JSON.parse(text);
  const there = end?.sum_received?.bytes;
  const back = end?.sum_received_bidir_reverse?.bytes;
  const clientPercent = end?.cpu_utilization_percent?.host_total;
  if (![there, back, clientPercent].every((value) => typeof value === 'number')) {
    throw new Error(`iperf3 has no sums of both directions: ${text.slice(0, 200)}`);
  }
  return { there, back, clientCores: clientPercent / 100 };
}
