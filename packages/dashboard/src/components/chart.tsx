import { useEffect, useRef, useState } from 'preact/hooks';
import uPlot from 'uplot';
import { colorsVersion } from '../app/theme.js';

export interface ChartLine {
  readonly name: string;
  /** Which of the colours of charts, 1 to 3. */
  readonly color: 1 | 2 | 3;
  readonly isFilled?: boolean;
}

interface ChartProps {
  readonly title: string;
  readonly lines: readonly ChartLine[];
  /** Seconds since 1970, or since the beginning if `isRelative`; then the values of each line. */
  readonly data: readonly (readonly (number | null)[])[];
  readonly format: (value: number) => string;
  /** Charts of the same group show the same moment. */
  readonly group?: string;
  readonly isRelative?: boolean;
  /** Whether the values are bytes: steps are powers of two. @default false */
  readonly isBytes?: boolean;
  /** Seconds that the chart spans at most; it begins with fewer. */
  readonly span: number;
  /** In pixels. @default 180 */
  readonly height?: number;
  /** What stands in it while there is nothing to draw. */
  readonly emptyText?: string;
}

/** Lines over time. For those who do not see it, the newest values stand beside it as text. */
export function Chart(props: ChartProps) {
  const { title, lines, data, format, height = 180, emptyText = 'The first values come in a moment.' } = props;
  const place = useRef<HTMLDivElement>(null);
  const chart = useRef<uPlot | undefined>(undefined);
  const [pointed, setPointed] = useState<number | undefined>(undefined);
  const version = colorsVersion.value;
  const length = data[0]?.length ?? 0;
  const shown = pointed !== undefined && pointed < length ? pointed : length - 1;

  useEffect(() => {
    const element = place.current!;
    const made = new uPlot(
      chartOptions(props, element, (index) => setPointed(index)),
      data as unknown as uPlot.AlignedData,
      element,
    );
    chart.current = made;
    const observer = new ResizeObserver(() => made.setSize({ width: element.clientWidth, height }));
    observer.observe(element);
    return () => {
      observer.disconnect();
      made.destroy();
    };
  }, [version, height, props.span, props.isRelative]);

  useEffect(() => {
    chart.current?.setData(data as unknown as uPlot.AlignedData);
  }, [data]);

  return (
    <figure class="chart" aria-label={title}>
      <figcaption class="chart-head">
        <span class="chart-title">{title}</span>
        <span class="chart-legend">
          {lines.map(({ name, color }, index) => {
            const value = data[index + 1]?.[shown];
            return (
              <span key={name} class="chart-key">
                <span class={`swatch series-${color}`} aria-hidden="true" />
                {name} <strong>{typeof value === 'number' ? format(value) : '–'}</strong>
              </span>
            );
          })}
        </span>
      </figcaption>
      <div class="chart-plot" ref={place} aria-hidden="true" style={{ height: `${height}px` }}>
        {length === 0 && <p class="chart-empty">{emptyText}</p>}
      </div>
    </figure>
  );
}

function chartOptions(
  { lines, format, group, span, height = 180, isRelative = false, isBytes = false }: ChartProps,
  element: HTMLElement,
  onPointed: (index: number | undefined) => void,
): uPlot.Options {
  const colors = colorsOf(element);
  const axis = {
    stroke: colors.muted,
    font: '11px system-ui, sans-serif',
    grid: { stroke: colors.grid, width: 1 },
    ticks: { show: false },
  };
  return {
    width: Math.max(120, element.clientWidth),
    height,
    legend: { show: false },
    padding: [8, 8, 0, 0],
    cursor: {
      y: false,
      points: { size: 7 },
      drag: { x: false, y: false, setScale: false },
      ...(group !== undefined && { sync: { key: group } }),
    },
    scales: {
      x: {
        time: !isRelative,
        range: (_chart, min, max) => (isRelative ? [0, Math.max(span, max ?? 0)] : timeRange(min ?? 0, max ?? 0, span)),
      },
      y: { range: (_chart, _min, max) => [0, niceMax(max ?? 0)] },
    },
    axes: [
      {
        ...axis,
        size: 22,
        gap: 4,
        space: 70,
        ...(isRelative && { values: (_chart: uPlot, values: number[]) => values.map((value) => `${value} s`) }),
        ...(!isRelative && { values: (_chart: uPlot, values: number[]) => values.map(timeText) }),
      },
      {
        ...axis,
        size: 74,
        gap: 6,
        space: 36,
        ...(isBytes && { incrs: BYTE_STEPS }),
        values: (_chart: uPlot, values: number[]) => values.map((value) => format(value)),
      },
    ],
    series: [
      {},
      ...lines.map(({ name, color, isFilled = false }): uPlot.Series => {
        const stroke = colors.series[color - 1]!;
        return {
          label: name,
          stroke,
          width: 1.75,
          points: { show: false },
          ...(isFilled && { fill: `color-mix(in srgb, ${stroke} 14%, transparent)` }),
        };
      }),
    ],
    hooks: { setCursor: [(chart) => onPointed(chart.cursor.idx ?? undefined)] },
  };
}

/** Colours as the page has them now: a canvas knows no variables. */
function colorsOf(element: HTMLElement): {
  readonly muted: string;
  readonly grid: string;
  readonly series: readonly string[];
} {
  const probe = document.createElement('span');
  element.append(probe);
  const colorOf = (name: string): string => {
    probe.style.color = `var(${name})`;
    return getComputedStyle(probe).color;
  };
  const series = ['--series-1', '--series-2', '--series-3'].map(colorOf);
  const colors = { muted: colorOf('--muted'), grid: colorOf('--grid'), series };
  probe.remove();
  return colors;
}

/** A chart that has just begun is not all empty. */
const MIN_SPAN_SECONDS = 30;

function timeRange(min: number, max: number, span: number): [number, number] {
  return [max - Math.min(span, Math.max(MIN_SPAN_SECONDS, max - min)), max];
}

/** 1, 2, 4 ... 512 of each unit. */
const BYTE_STEPS = Array.from({ length: 50 }, (_, power) => 2 ** power);

/** A little above the largest value, so that no line touches the top. */
function niceMax(max: number): number {
  return max <= 0 ? 1 : max * 1.12;
}

function timeText(seconds: number): string {
  const time = new Date(seconds * 1000);
  const parts = [time.getHours(), time.getMinutes(), time.getSeconds()].map((part) => String(part).padStart(2, '0'));
  return parts[2] === '00' ? parts.slice(0, 2).join(':') : parts.join(':');
}
