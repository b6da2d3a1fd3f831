import type { Observable, Span } from '@opentelemetry/api';
import type { MetricFamily, MetricLabels } from './metric-family.js';
import type { Telemetry, TracedRequest } from './telemetry.js';

type Api = typeof import('@opentelemetry/api');

const NAME = '@sluice/server';

/**
 * Traces and metrics by OpenTelemetry: where `@opentelemetry/api` is installed, and nowhere else. Who collects them, and where they go, is the
 * matter of the SDK that the operator loads before the server (`node --import`).
 *
 * @returns `undefined` where it is not installed
 */
export async function openTelemetry(): Promise<Telemetry | undefined> {
  try {
    return telemetryOf(await import('@opentelemetry/api'));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_MODULE_NOT_FOUND') return undefined;
    throw error;
  }
}

function telemetryOf({ context, metrics, propagation, SpanKind, SpanStatusCode, trace }: Api): Telemetry {
  const tracer = trace.getTracer(NAME);

  const traced = (span: Span, attribute: string): TracedRequest => ({
    end(outcome, isFailure) {
      if (outcome !== undefined) span.setAttribute(attribute, outcome);
      if (isFailure) span.setStatus({ code: SpanStatusCode.ERROR });
      span.end();
    },
  });

  return {
    connection(protocol, id, remoteAddress) {
      const attributes = { 'sluice.protocol': protocol, 'sluice.connection': id, 'client.address': remoteAddress };
      const span = tracer.startSpan(`${protocol} connection`, { kind: SpanKind.SERVER, attributes, root: true });
      if (!span.isRecording()) return undefined;
      const within = trace.setSpan(context.active(), span);
      return {
        request: (command) => {
          const about = { 'sluice.protocol': protocol, 'sluice.command': command };
          const name = `${protocol} ${command}`;
          return traced(tracer.startSpan(name, { kind: SpanKind.SERVER, attributes: about }, within), 'sluice.code');
        },
        end(reason) {
          span.setAttribute('sluice.close_reason', reason);
          span.end();
        },
      };
    },

    httpRequest(method, route, headers) {
      const parent = propagation.extract(context.active(), headers);
      const attributes = { 'http.request.method': method, 'http.route': route };
      const span = tracer.startSpan(`${method} ${route}`, { kind: SpanKind.SERVER, attributes }, parent);
      return span.isRecording() ? traced(span, 'http.response.status_code') : undefined;
    },

    observe(read) {
      const meter = metrics.getMeter(NAME);
      const instruments = new Map<string, Observable>();
      for (const { name, help, isCounter } of read().flatMap(seriesOf)) {
        const options = { description: help, unit: unitOf(name) };
        instruments.set(
          name,
          isCounter ? meter.createObservableCounter(name, options) : meter.createObservableGauge(name, options),
        );
      }
      const all = [...instruments.values()];
      const tell: Parameters<typeof meter.addBatchObservableCallback>[0] = (result) => {
        for (const { name, samples } of read().flatMap(seriesOf)) {
          const instrument = instruments.get(name);
          if (instrument) for (const [labels, value] of samples) result.observe(instrument, value, labels);
        }
      };
      meter.addBatchObservableCallback(tell, all);
      return () => meter.removeBatchObservableCallback(tell, all);
    },
  };
}

interface Series {
  readonly name: string;
  readonly help: string;
  readonly isCounter: boolean;
  readonly samples: readonly (readonly [MetricLabels, number])[];
}

/** OpenTelemetry has no histograms that are read: their sums and counts are. */
function seriesOf({ name, type, help, samples }: MetricFamily): Series[] {
  if (type !== 'histogram') {
    const values = samples.map(({ labels, value }) => [labels, value as number] as const);
    return [{ name, help, isCounter: type === 'counter', samples: values }];
  }
  const of = (suffix: string, figure: (counts: readonly number[], sum: number) => number): Series => ({
    name: `${name}_${suffix}`,
    help,
    isCounter: true,
    samples: samples.map(({ labels, value }) => {
      const { counts, sum } = value as Exclude<typeof value, number>;
      return [labels, figure(counts, sum)] as const;
    }),
  });
  return [of('sum', (_, sum) => sum), of('count', (counts) => counts.reduce((total, count) => total + count, 0))];
}

/** By the name, as UCUM writes it. */
function unitOf(name: string): string {
  const plain = name.replace(/_(?:total|sum)$/, '');
  if (plain.endsWith('_bytes')) return 'By';
  return plain.endsWith('_seconds') ? 's' : '1';
}
