import { useSignal } from '@preact/signals';
import { useEffect, useMemo, useRef } from 'preact/hooks';
import { useDashboard } from '../app/context.js';
import { Button } from '../components/button.js';
import { Chart, type ChartLine } from '../components/chart.js';
import { EmptyState } from '../components/empty-state.js';
import { ProgressBar } from '../components/meter.js';
import { Card, PageFrame } from '../components/page.js';
import { SelectField } from '../components/search-field.js';
import { Segments } from '../components/segments.js';
import { formatMs, formatRate } from '../model/quantities.js';
import { failureText, type RoundTrips, type SpeedInterval, type SpeedResult } from '../server-api.js';

type Direction = 'up' | 'down' | 'both';

const DIRECTIONS: readonly (readonly [Direction, string])[] = [
  ['down', 'Download'],
  ['up', 'Upload'],
  ['both', 'Both'],
];
const SECONDS = ['3', '5', '10', '30'].map((each) => [each, `${each} s`] as const);
const STREAMS = ['1', '2', '4', '8'].map((each) => [each, each] as const);

const LIMITS: Readonly<Record<SpeedResult['limit'], string>> = {
  'client-cpu': 'This browser was busy all the time: it, and not the link, held the speed down.',
  'server-cpu': 'The server was busy all the time: it held the speed down.',
  'both-cpus': 'This browser and the server were both busy all the time.',
  'server-cap': 'The server holds clients to a rate: --speed-rate.',
  link: 'Both ends have waited for what is between them: the network, or its round trips.',
  unknown: 'What held the speed down cannot be told.',
};

/** How fast the link to the server is. */
export function SpeedPage() {
  const { api } = useDashboard();
  const direction = useSignal<Direction>('down');
  const seconds = useSignal('5');
  const streams = useSignal('2');
  const intervals = useSignal<readonly SpeedInterval[]>([]);
  const result = useSignal<SpeedResult | undefined>(undefined);
  const problem = useSignal('');
  const isRunning = useSignal(false);
  const end = useRef<AbortController | undefined>(undefined);
  useEffect(() => () => end.current?.abort(), []);

  const start = async (): Promise<void> => {
    const running = new AbortController();
    end.current = running;
    isRunning.value = true;
    intervals.value = [];
    result.value = undefined;
    problem.value = '';
    try {
      result.value = await api.measureSpeed({
        direction: direction.value,
        seconds: Number(seconds.value),
        streams: Number(streams.value),
        signal: running.signal,
        onInterval: (interval) => {
          intervals.value = [...intervals.value, interval];
        },
      });
    } catch (error) {
      if (!running.signal.aborted) problem.value = failureText(error);
    } finally {
      isRunning.value = false;
    }
  };

  return (
    <PageFrame title="Speed test" note={`Between this browser and ${location.host}`}>
      <Card class="speed-form">
        <Segments
          label="Direction"
          value={direction.value}
          options={DIRECTIONS}
          onChoose={(value) => {
            direction.value = value;
          }}
        />
        <SelectField
          label="Time"
          value={seconds.value}
          options={SECONDS}
          onChoose={(value) => {
            seconds.value = value;
          }}
        />
        <SelectField
          label="Connections"
          value={streams.value}
          options={STREAMS}
          onChoose={(value) => {
            streams.value = value;
          }}
        />
        {isRunning.value ? (
          <Button icon="close" onClick={() => end.current?.abort()} testId="speed-stop">
            Stop
          </Button>
        ) : (
          <Button kind="primary" icon="play" onClick={() => void start()} testId="speed-start">
            Measure
          </Button>
        )}
      </Card>
      {problem.value && (
        <p class="problem" role="alert">
          {problem.value}
        </p>
      )}
      {isRunning.value || intervals.value.length > 0 ? (
        <Measurement intervals={intervals.value} seconds={Number(seconds.value)} isRunning={isRunning.value} />
      ) : (
        problem.value === '' && (
          <EmptyState icon="speed" title="Not measured yet">
            <p>
              Bytes are made up and thrown away: no file is touched. The measurement takes as much of the link as it
              gets, so others will notice it.
            </p>
          </EmptyState>
        )
      )}
      {result.value && <Result result={result.value} />}
    </PageFrame>
  );
}

interface MeasurementProps {
  readonly intervals: readonly SpeedInterval[];
  readonly seconds: number;
  readonly isRunning: boolean;
}

function Measurement({ intervals, seconds, isRunning }: MeasurementProps) {
  const hasUp = intervals.some(({ up }) => up !== undefined);
  const hasDown = intervals.some(({ down }) => down !== undefined);
  const { lines, data } = useMemo(() => {
    const shown: ChartLine[] = [...(hasDown ? [DOWN] : []), ...(hasUp ? [UP] : [])];
    const columns = [
      intervals.map(({ toSeconds }) => toSeconds),
      ...(hasDown ? [intervals.map(({ down }) => down ?? null)] : []),
      ...(hasUp ? [intervals.map(({ up }) => up ?? null)] : []),
    ];
    return { lines: shown, data: columns };
  }, [intervals, hasUp, hasDown]);
  const last = intervals.at(-1)?.toSeconds ?? 0;
  return (
    <Card class="speed-chart">
      {isRunning && <ProgressBar label="Measuring" done={last} total={seconds} />}
      <Chart
        key={lines.length}
        title="Speed"
        lines={lines}
        data={data}
        span={seconds}
        format={formatRate}
        height={260}
        isBytes
        isRelative
        emptyText="Measuring round trips first …"
      />
    </Card>
  );
}

const DOWN: ChartLine = { name: 'Download', color: 1, isFilled: true };
const UP: ChartLine = { name: 'Upload', color: 2, isFilled: true };

function Result({ result }: { readonly result: SpeedResult }) {
  const { up, down, idle, loaded, limit } = result;
  return (
    <div role="status" data-testid="speed-result">
      <div class="tiles">
        {down !== undefined && <Figure name="Download" value={formatRate(down)} note={bitsText(down)} />}
        {up !== undefined && <Figure name="Upload" value={formatRate(up)} note={bitsText(up)} />}
        <Figure name="Round trip, idle" value={formatMs(idle.medianMs)} note={tripsText(idle)} />
        {loaded && <Figure name="Round trip, under load" value={formatMs(loaded.medianMs)} note={tripsText(loaded)} />}
      </div>
      <p class="notice">{LIMITS[limit]}</p>
    </div>
  );
}

function Figure({ name, value, note }: { readonly name: string; readonly value: string; readonly note: string }) {
  return (
    <div class="tile">
      <p class="tile-name">{name}</p>
      <p class="tile-value">{value}</p>
      <p class="tile-note">{note}</p>
    </div>
  );
}

function bitsText(bytesPerSecond: number): string {
  const megabits = (bytesPerSecond * 8) / 1e6;
  return megabits >= 1000
    ? `${(megabits / 1000).toFixed(2)} Gbit/s`
    : `${megabits.toFixed(megabits < 10 ? 1 : 0)} Mbit/s`;
}

function tripsText({ p95Ms, maxMs }: RoundTrips): string {
  return `95 % below ${formatMs(p95Ms)}, at most ${formatMs(maxMs)}`;
}
