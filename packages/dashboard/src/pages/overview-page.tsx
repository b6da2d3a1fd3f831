import { useSignal } from '@preact/signals';
import { useMemo } from 'preact/hooks';
import { useVisit } from '../app/context.js';
import { Chart, type ChartLine } from '../components/chart.js';
import { Loading } from '../components/empty-state.js';
import { Icon, type IconName } from '../components/icon.js';
import { Meter } from '../components/meter.js';
import { Card, PageFrame } from '../components/page.js';
import { Segments } from '../components/segments.js';
import { formatBytes, formatCount, formatMs, formatRate, formatSeconds } from '../model/quantities.js';
import type { RollingSeries } from '../model/rolling-series.js';
import type { ServerFigures } from '../model/server-figures.js';
import { CountTable } from './count-table.js';

const SPANS = [
  ['120', '2 min'],
  ['600', '10 min'],
  ['3600', '1 h'],
] as const;

/** How the server is: what moves, how fast, and how near it is to its limits. */
export function OverviewPage() {
  const { link } = useVisit();
  const span = useSignal<(typeof SPANS)[number][0]>('120');
  const figures = link.figures.value;
  return (
    <PageFrame
      title="Overview"
      note={figures && `Up ${formatSeconds(Math.floor(figures.uptimeMs / 1000))}, Node ${figures.node}`}
      actions={
        <Segments
          label="Time that the charts span"
          value={span.value}
          options={SPANS}
          onChoose={(value) => {
            span.value = value;
          }}
        />
      }
    >
      {figures?.isReadOnly && (
        <p class="notice">
          <Icon name="lock" /> The server is read-only: nobody may change files. <code>sluice read-only off</code> ends
          it.
        </p>
      )}
      {figures ? (
        <>
          <Tiles figures={figures} />
          <Charts span={Number(span.value)} />
          <Budgets figures={figures} />
          <Counts figures={figures} />
        </>
      ) : (
        <Loading what="Asking the server how it is …" />
      )}
    </PageFrame>
  );
}

function Tiles({ figures }: { readonly figures: ServerFigures }) {
  const { link } = useVisit();
  const { receiveRate, sendRate } = link.history;
  return (
    <div class="tiles" data-testid="tiles">
      <Tile icon="down" name="Receiving" value={formatRate(receiveRate)} note="from clients" />
      <Tile icon="up" name="Sending" value={formatRate(sendRate)} note="to clients" />
      <Tile
        icon="connections"
        name="Connections"
        value={formatCount(figures.connections)}
        note={figures.maxConnections === undefined ? '' : `of ${formatCount(figures.maxConnections)}`}
        testId="tile-connections"
      />
      <Tile
        icon="transfers"
        name="Transfers"
        value={formatCount(figures.transfers)}
        note={figures.partials > 0 ? `${formatCount(figures.partials)} broken off` : 'under way'}
      />
      <Tile
        icon="speed"
        name="Round trip"
        value={link.roundTripMs.value === undefined ? '–' : formatMs(link.roundTripMs.value)}
        note="from this page"
      />
      <Tile
        icon="system"
        name="Memory"
        value={figures.rss === undefined ? '–' : formatBytes(figures.rss)}
        note={figures.memoryLimit === undefined ? 'no limit' : `limit ${formatBytes(figures.memoryLimit)}`}
      />
    </div>
  );
}

interface TileProps {
  readonly icon: IconName;
  readonly name: string;
  readonly value: string;
  readonly note: string;
  readonly testId?: string;
}

function Tile({ icon, name, value, note, testId }: TileProps) {
  return (
    <div class="tile" data-testid={testId}>
      <p class="tile-name">
        <Icon name={icon} />
        {name}
      </p>
      <p class="tile-value">{value}</p>
      <p class="tile-note">{note}</p>
    </div>
  );
}

function Charts({ span }: { readonly span: number }) {
  const { link } = useVisit();
  const { history } = link;
  return (
    <div class="charts">
      <TimeChart
        title="Throughput"
        series={history.throughput}
        span={span}
        format={formatRate}
        isBytes
        lines={THROUGHPUT}
      />
      <TimeChart
        title="Connections"
        series={history.connections}
        span={span}
        format={formatCount}
        lines={CONNECTIONS}
      />
      <TimeChart title="Handling time" series={history.latency} span={span} format={formatMs} lines={LATENCY} />
      <TimeChart title="Event-loop delay" series={history.loopDelay} span={span} format={formatMs} lines={LOOP_DELAY} />
    </div>
  );
}

const THROUGHPUT: readonly ChartLine[] = [
  { name: 'In', color: 1, isFilled: true },
  { name: 'Out', color: 2, isFilled: true },
];
const CONNECTIONS: readonly ChartLine[] = [
  { name: 'Served', color: 1, isFilled: true },
  { name: 'Waiting', color: 2 },
];
const LATENCY: readonly ChartLine[] = [
  { name: 'Mean', color: 1, isFilled: true },
  { name: '99 %', color: 2 },
  { name: 'Round trip', color: 3 },
];
const LOOP_DELAY: readonly ChartLine[] = [
  { name: 'Mean', color: 1, isFilled: true },
  { name: '99 %', color: 2 },
];

interface TimeChartProps {
  readonly title: string;
  readonly series: RollingSeries;
  readonly span: number;
  readonly format: (value: number) => string;
  readonly isBytes?: boolean;
  readonly lines: readonly ChartLine[];
}

function TimeChart({ title, series, span, format, isBytes = false, lines }: TimeChartProps) {
  const { link } = useVisit();
  const version = link.historyVersion.value;
  const data = useMemo(() => series.last(span), [series, span, version]);
  // a line of which the server tells nothing is left out
  const known = lines.filter((_line, index) => data[index + 1]!.some((value) => value !== null));
  const shown = known.length === 0 ? lines : known;
  const columns = data.filter((_column, index) => index === 0 || shown.includes(lines[index - 1]!));
  return (
    <div class="card chart-card">
      <Chart
        key={shown.length}
        title={title}
        lines={shown}
        data={columns}
        span={span}
        format={format}
        isBytes={isBytes}
        group="overview"
      />
    </div>
  );
}

function Budgets({ figures }: { readonly figures: ServerFigures }) {
  const { admission, memory, memoryLimit } = figures;
  return (
    <div class="columns">
      <Card title="Admission" testId="admission">
        {admission.map((budget) => (
          <Meter key={budget.name} budget={budget} />
        ))}
      </Card>
      <Card title="Memory budgets" testId="memory">
        {memory.length === 0 ? (
          <p class="muted">
            The server runs without a memory limit. <code>--memory-limit</code> bounds what clients can make it hold.
          </p>
        ) : (
          memory.map((budget) => <Meter key={budget.name} budget={budget} />)
        )}
        {memoryLimit !== undefined && figures.rss !== undefined && (
          <Meter
            budget={{
              name: 'Process',
              used: figures.rss,
              limit: memoryLimit,
              unit: 'bytes',
              hint: 'all that the process takes; --memory-limit',
            }}
          />
        )}
      </Card>
    </div>
  );
}

function Counts({ figures }: { readonly figures: ServerFigures }) {
  return (
    <div class="columns columns-3">
      <CountTable title="Protocols" rows={figures.protocols} emptyText="Nobody is connected." />
      <CountTable title="Connections ended" rows={figures.closed} emptyText="None has ended yet." hasReasons />
      <CountTable title="Newcomers refused" rows={figures.refusedBy} emptyText="Nobody has been refused." />
    </div>
  );
}
