import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import {
  type Attributes,
  type Context,
  createContextKey,
  type Meter,
  metrics,
  type ObservableCallback,
  propagation,
  type Span,
  type SpanOptions,
  type TextMapPropagator,
  type Tracer,
  trace,
} from '@opentelemetry/api';
import { ProtocolFlag } from '@sluice/wire';
import { askHttp } from './http/support/http-peer.js';
import { ask, eventually, TestServer } from './support/test-server.js';

const HERE = { host: '127.0.0.1', port: 0 } as const;
const PARENT = createContextKey('parent');

/** A span as a collector would get it. */
interface Collected {
  readonly name: string;
  readonly attributes: Attributes;
  readonly parent: Collected | undefined;
  /** What the headers of the request told of the caller. */
  readonly caller: unknown;
  hasFailed: boolean;
  isEnded: boolean;
}

const spans: Collected[] = [];
const bySpan = new WeakMap<Span, Collected>();
let isRecording = true;
const batches = new Set<(result: BatchResult) => void>();

interface BatchResult {
  observe(instrument: unknown, value: number, attributes?: Attributes): void;
}

/** What an SDK does, as far as the server is concerned. */
const tracer = {
  startSpan(name: string, options: SpanOptions = {}, parentContext?: Context): Span {
    const parent = parentContext && trace.getSpan(parentContext);
    const caller = parentContext?.getValue(PARENT);
    const attributes = { ...options.attributes };
    const collected = {
      name,
      attributes,
      parent: parent && bySpan.get(parent),
      caller,
      hasFailed: false,
      isEnded: false,
    };
    if (isRecording) spans.push(collected);
    const span = {
      isRecording: () => isRecording,
      setAttribute(key: string, value: string | number) {
        collected.attributes[key] = value;
        return span;
      },
      setStatus() {
        collected.hasFailed = true;
        return span;
      },
      end() {
        collected.isEnded = true;
      },
    } as unknown as Span;
    bySpan.set(span, collected);
    return span;
  },
} as unknown as Tracer;

const meter = {
  createObservableCounter: (name: string) => ({ name, kind: 'counter' }),
  createObservableGauge: (name: string) => ({ name, kind: 'gauge' }),
  addBatchObservableCallback: (callback: ObservableCallback) => void batches.add(callback as never),
  removeBatchObservableCallback: (callback: ObservableCallback) => void batches.delete(callback as never),
} as unknown as Meter;

const propagator: TextMapPropagator = {
  inject() {},
  extract: (within, carrier, getter) => within.setValue(PARENT, getter.get(carrier, 'traceparent')),
  fields: () => ['traceparent'],
};

/** What is collected now, by name and labels. */
function collected(): Map<string, number> {
  const values = new Map<string, number>();
  for (const batch of batches) {
    batch({
      observe(instrument, value, attributes) {
        const { name, kind } = instrument as { name: string; kind: string };
        values.set(`${kind} ${name} ${JSON.stringify(attributes)}`, value);
      },
    });
  }
  return values;
}

describe('a server whose operator collects by OpenTelemetry', () => {
  before(() => {
    trace.setGlobalTracerProvider({ getTracer: () => tracer });
    metrics.setGlobalMeterProvider({ getMeter: () => meter });
    propagation.setGlobalPropagator(propagator);
  });

  after(() => {
    trace.disable();
    metrics.disable();
    propagation.disable();
  });

  it('tells of each connection and of the requests on it, and names none that a peer makes up', async () => {
    spans.length = 0;
    await using server = await TestServer.start();
    const peer = await server.login(ProtocolFlag.Upload);
    await ask(peer, 'Dir', [['DirName', '']]);
    await ask(peer, 'Secret');
    peer.destroy();
    await eventually('the connection has ended', () => spans[0]?.isEnded === true);
    assert.deepEqual(
      spans.map(({ name }) => name),
      ['Upload connection', 'Upload Login', 'Upload Dir', 'Upload other'],
    );
    const [connection, ...requests] = spans as [Collected, ...Collected[]];
    assert.ok(requests.every(({ parent, isEnded, hasFailed }) => parent === connection && isEnded && !hasFailed));
    assert.deepEqual(connection.attributes, {
      'sluice.protocol': 'Upload',
      'sluice.connection': 1,
      'client.address': '127.0.0.1',
      'sluice.close_reason': 'peer-closed',
    });
  });

  it('tells of requests by HTTP, as a part of what their caller does', async () => {
    spans.length = 0;
    await using server = await TestServer.start({ http: HERE });
    const headers = { traceparent: '00-a-b-01' };
    await askHttp(server.server.http!.address.port, '/healthz?secret', { headers });
    await eventually('the request has ended', () => spans[0]?.isEnded === true);
    const [span] = spans;
    assert.equal(span?.name, 'GET /healthz');
    assert.equal(span.caller, '00-a-b-01');
    assert.equal(span.hasFailed, false);
    assert.deepEqual(span.attributes, {
      'http.request.method': 'GET',
      'http.route': '/healthz',
      'http.response.status_code': 200,
    });
  });

  it('makes no spans of requests on a connection that is not sampled', async () => {
    spans.length = 0;
    isRecording = false;
    try {
      await using server = await TestServer.start();
      const peer = await server.login(ProtocolFlag.Upload);
      isRecording = true;
      await ask(peer, 'Dir', [['DirName', '']]);
      assert.deepEqual(spans, []);
      peer.destroy();
    } finally {
      isRecording = true;
    }
  });

  it('tells what /metrics tells, for as long as it is there', async () => {
    {
      await using server = await TestServer.start({ http: HERE });
      const peer = await server.login(ProtocolFlag.Upload);
      await ask(peer, 'Dir', [['DirName', '']]);
      const values = collected();
      assert.equal(values.get('gauge sluice_connections_open {}'), 1);
      assert.equal(values.get('counter sluice_connections_accepted_total {}'), 1);
      assert.equal(values.get('counter sluice_request_seconds_count {"protocol":"Upload","command":"Dir"}'), 1);
      const { body } = await askHttp(server.server.http!.address.port, '/metrics');
      const told = [...body.matchAll(/^# TYPE (\w+) (\w+)$/gm)].map(([, name = '', type = '']) => ({ name, type }));
      const names = new Set([...values.keys()].map((key) => key.split(' ')[1]!));
      const withSamples = told.filter(({ name }) => new RegExp(`^${name}(?:_count)?[ {]`, 'm').test(body));
      for (const { name, type } of withSamples)
        assert.ok(name.includes('_http_') || names.has(type === 'histogram' ? `${name}_count` : name), name);
      peer.destroy();
    }
    assert.equal(batches.size, 0);
  });
});
