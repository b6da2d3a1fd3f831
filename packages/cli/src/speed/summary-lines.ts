import type { LatencySummary, ProcessUse, SpeedFlow, SpeedResult } from '@sluice/client';
import { formatBytes, formatRate, formatSeconds } from '../options/quantities.js';
import { type TableColumn, tableLines } from '../terminal/table.js';
import { wrapColumns } from '../terminal/terminal-text.js';
import { bold, dim, directionNames, formatMs, painted, type SpeedLayout } from './speed-layout.js';

interface FlowRow {
  readonly name: string;
  readonly flow: SpeedFlow;
}

interface LatencyRow {
  readonly name: string;
  readonly latency: LatencySummary;
}

interface UseRow {
  readonly name: string;
  readonly client: ProcessUse | undefined;
  readonly server: ProcessUse | undefined;
}

const flowColumns: readonly TableColumn<FlowRow>[] = [
  { heading: 'SPEED', text: ({ name }) => name, giveWay: 0 },
  { heading: 'RATE', text: ({ flow }) => formatRate(flow.bytesPerSecond), align: 'right', giveWay: 0 },
  { heading: 'BYTES', text: ({ flow }) => formatBytes(flow.bytes), align: 'right', giveWay: 1 },
  { heading: 'TIME', text: ({ flow }) => timeText(flow.seconds), align: 'right', giveWay: 2 },
];

const latencyColumns: readonly TableColumn<LatencyRow>[] = [
  { heading: 'ROUND TRIP', text: ({ name }) => name, giveWay: 0 },
  { heading: 'MEDIAN', text: ({ latency }) => formatMs(latency.medianMs), align: 'right', giveWay: 0 },
  { heading: 'P95', text: ({ latency }) => formatMs(latency.p95Ms), align: 'right', giveWay: 1 },
  { heading: 'P99', text: ({ latency }) => formatMs(latency.p99Ms), align: 'right', giveWay: 2 },
  { heading: 'MIN', text: ({ latency }) => formatMs(latency.minMs), align: 'right', giveWay: 4 },
  { heading: 'MAX', text: ({ latency }) => formatMs(latency.maxMs), align: 'right', giveWay: 3 },
];

/** How busy both ends were. CPU is of all threads, at work is the one that moves the bytes. */
const useColumns: readonly TableColumn<UseRow>[] = [
  { heading: 'AT WORK', text: ({ name }) => name, giveWay: 0 },
  { heading: 'CLIENT', text: ({ client }) => percent(client?.busyShare), align: 'right', giveWay: 0 },
  { heading: 'SERVER', text: ({ server }) => percent(server?.busyShare), align: 'right', giveWay: 0 },
  { heading: 'CLIENT CPU', text: ({ client }) => percent(client?.cpuShare), align: 'right', giveWay: 1 },
  { heading: 'SERVER CPU', text: ({ server }) => percent(server?.cpuShare), align: 'right', giveWay: 1 },
];

/** From this width on, CPU time is shown: of both ends or of none. */
const ALL_USE_COLUMNS = 50;

/** What was measured, and what limits it. @param results one for each measurement, in order */
export function summaryLines(results: readonly SpeedResult[], layout: SpeedLayout): string[] {
  const [first] = results;
  if (!first) return [];
  const flows = results.flatMap(({ up, down }) => [
    ...(down ? [{ name: directionNames.down, flow: down }] : []),
    ...(up ? [{ name: directionNames.up, flow: up }] : []),
  ]);
  const latencies = [
    { name: 'idle', latency: first.idleLatency },
    ...results.flatMap((result) =>
      result.loadedLatency ? [{ name: loadName(result), latency: result.loadedLatency }] : [],
    ),
  ];
  const uses = results.map((result) => ({ name: loadName(result), client: result.client, server: result.server }));
  const tables = [
    tableLines(flowColumns, flows, { width: layout.columns }),
    tableLines(latencyColumns, latencies, { width: layout.columns }),
    tableLines(layout.columns < ALL_USE_COLUMNS ? useColumns.slice(0, 3) : useColumns, uses, { width: layout.columns }),
  ];
  const lines = tables.flatMap(([head = '', ...rows]) => [painted(head, dim, layout), ...rows, '']);
  for (const result of results)
    lines.push(...wrapColumns(limitText(result), layout.columns).map((line) => painted(line, bold, layout)));
  return lines;
}

/** A sentence about what holds the speed down. */
export function limitText(result: SpeedResult): string {
  const { limit, serverCap = 0, server } = result;
  const texts: Record<SpeedResult['limit'], string> = {
    'client-cpu': 'limited by the CPU of the client, whose thread that moves the bytes was hardly ever idle',
    'server-cpu': 'limited by the CPU of the server, whose thread that moves the bytes was hardly ever idle',
    'both-cpus': 'limited by the CPUs of both ends, whose threads that move the bytes were hardly ever idle',
    'server-cap': `limited by the server, which allows a client ${formatRate(serverCap)}`,
    link: 'limited by the link, both ends have waited for it',
    unknown: server
      ? 'no clear limit, the ends were neither always at work nor only waiting for the link'
      : 'no known limit, this server does not tell how busy it is',
  };
  const name = loadName(result);
  return `${name[0]?.toUpperCase()}${name.slice(1)}: ${texts[limit]}.`;
}

/** Packets that come back use both directions, whichever was asked for. */
function loadName({ method, direction }: SpeedResult): string {
  return method === 'cycle-packet' ? 'exchange' : directionNames[direction];
}

/** With a digit behind the point, as long as that says something. */
function timeText(seconds: number): string {
  return seconds < 59.95 ? `${seconds.toFixed(1)} s` : formatSeconds(seconds);
}

function percent(share: number | undefined): string {
  return share === undefined ? '-' : `${Math.round(share * 100)}%`;
}
