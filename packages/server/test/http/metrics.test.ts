import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ManualClock, RawPeer } from '@sluice/testkit';
import { ProtocolFlag } from '@sluice/wire';
import fc from 'fast-check';
import { Histogram, SECONDS_BOUNDS } from '../../../../packages/server/dist/metrics/histogram.js';
import {
  lastingFamilies,
  type MetricFamily,
  mergedFamilies,
} from '../../../../packages/server/dist/metrics/metric-family.js';
import { prometheusText } from '../../../../packages/server/dist/metrics/prometheus-text.js';
import { answer, ask, eventually, login, request, TestServer } from '../support/test-server.js';
import { type AskOptions, askHttp, RawHttp } from './support/http-peer.js';

const HERE = { host: '127.0.0.1', port: 0 } as const;

/** The values that a server tells, by name and labels as they stand there. */
async function metricsOf(server: TestServer, options: AskOptions = {}): Promise<Map<string, number>> {
  const { status, headers, body } = await askHttp(server.server.http!.address.port, '/metrics', options);
  assert.equal(status, 200, body);
  assert.equal(headers['content-type'], 'text/plain; version=0.0.4; charset=utf-8');
  return valuesOf(body);
}

function valuesOf(text: string): Map<string, number> {
  const values = new Map<string, number>();
  const types = new Map<string, string>();
  for (const line of text.trimEnd().split('\n')) {
    const [, typed, type] = /^# TYPE (\w+) (counter|gauge|histogram)$/.exec(line) ?? [];
    if (typed !== undefined && type !== undefined) {
      assert.ok(!types.has(typed), `${typed} is told twice`);
      types.set(typed, type);
    }
    if (line.startsWith('#')) {
      assert.match(line, /^# (?:HELP \w+ .+|TYPE \w+ \w+)$/);
      continue;
    }
    const [, key = '', name = '', value = ''] =
      /^((sluice_\w+)(?:\{(?:\w+="(?:[^"\\\n]|\\[\\"n])*",?)*\})?) (\S+)$/.exec(line) ?? [];
    assert.notEqual(key, '', line);
    const family = name.replace(/_(?:bucket|sum|count)$/, '');
    const type2 = types.get(name) ?? (types.get(family) === 'histogram' ? 'histogram' : undefined);
    assert.ok(type2, `${name} has no type`);
    if (type2 === 'counter') assert.match(name, /_total$/);
    else assert.doesNotMatch(name, /_total$/);
    assert.ok(!values.has(key), `${key} is told twice`);
    values.set(key, Number(value));
  }
  return values;
}

describe('/metrics', () => {
  it('tells what has gone over the connections: frames, bytes, times by command, failures by code, logins', async () => {
    await using server = await TestServer.start({ http: HERE });
    const peer = await server.login(ProtocolFlag.Upload);
    await ask(peer, 'Dir', [['DirName', '']]);
    await ask(peer, 'Nonsense\u0000command');
    const open = await metricsOf(server);
    assert.equal(open.get('sluice_connections{protocol="Upload",state="other"}'), 1);
    assert.equal(open.get('sluice_connections_open'), 1);
    assert.equal(open.get('sluice_received_frames_total{protocol="Upload"}'), 3);
    peer.destroy();
    await eventually('the connection is gone', () => server.server.listener.connections.size === 0);
    const values = await metricsOf(server);
    assert.equal(values.get('sluice_received_frames_total{protocol="Upload"}'), 3);
    assert.equal(values.get('sluice_sent_frames_total{protocol="Upload"}'), 3);
    assert.equal(values.get('sluice_request_seconds_count{protocol="Upload",command="Dir"}'), 1);
    assert.equal(values.get('sluice_request_seconds_count{protocol="Upload",command="other"}'), 1);
    assert.equal(values.get('sluice_request_seconds_bucket{protocol="Upload",command="Login",le="+Inf"}'), 1);
    assert.equal(values.get('sluice_request_failures_total{protocol="Upload",code="1"}'), 1);
    assert.equal(values.get('sluice_logins_total{outcome="accepted"}'), 1);
    assert.equal(values.get('sluice_connections_accepted_total'), 1);
    assert.equal(values.get('sluice_connections_closed_total{reason="peer-closed"}'), 1);
    assert.ok((values.get('sluice_received_bytes_total') ?? 0) > 100);
    assert.ok((values.get('sluice_sent_bytes_total') ?? 0) > 30);
  });

  it('counts requests that are done in the packet they come in by examples of them', async () => {
    await using server = await TestServer.start({ http: HERE });
    const peer = await server.connect();
    await peer.send(Uint8Array.of(ProtocolFlag.Throughput), login());
    await answer(peer);
    for (let at = 0; at < 160; at++) await peer.send(request('CyclePacket', [], new Uint8Array(64)));
    for (let at = 0; at < 160; at++) await peer.nextPacket();
    const values = await metricsOf(server);
    assert.equal(values.get('sluice_request_seconds_count{protocol="Throughput",command="CyclePacket"}'), 160);
    peer.destroy();
  });

  it('tells of HTTP itself', async () => {
    await using server = await TestServer.start({ http: HERE });
    const { port } = server.server.http!.address;
    await askHttp(port, '/healthz');
    await askHttp(port, '/nowhere');
    const values = await metricsOf(server);
    assert.equal(values.get('sluice_http_answers_total{status="2xx"}'), 1);
    assert.equal(values.get('sluice_http_answers_total{status="4xx"}'), 1);
    assert.equal(values.get('sluice_http_request_seconds_count{route="/healthz"}'), 1);
    assert.equal(values.get('sluice_http_connections_accepted_total'), 3);
  });

  it('is for this machine, unless a proxy or a foreign name asks, for admins, and for everybody if the operator says so', async () => {
    await using server = await TestServer.start({ http: HERE });
    const { port } = server.server.http!.address;
    const statusOf = async (headers: Record<string, string>) => (await askHttp(port, '/metrics', { headers })).status;
    assert.equal(await statusOf({}), 200);
    assert.equal(await statusOf({ 'x-forwarded-for': '192.0.2.7' }), 401);
    assert.equal(await statusOf({ host: `foe.example:${port}` }), 401);
    assert.equal(await statusOf({ origin: 'https://foe.example' }), 401);
    const admin = `Basic ${Buffer.from('admin:admin').toString('base64')}`;
    assert.equal(await statusOf({ 'x-forwarded-for': '192.0.2.7', authorization: admin }), 200);
    const away = 'PROXY TCP4 192.0.2.7 192.0.2.1 4711 80\r\n';
    for (const [openMetrics, status] of [
      [false, 401],
      [true, 200],
    ] as const) {
      await using far = await TestServer.start({ http: { ...HERE, openMetrics }, proxyFrom: ['127.0.0.0/8'] });
      await using peer = await RawHttp.connect(far.server.http!.address.port);
      peer.send(`${away}GET /metrics HTTP/1.1\r\nHost: 192.0.2.1\r\n\r\n`);
      assert.match(await peer.until(/\r\n\r\n/), new RegExp(`^HTTP/1.1 ${status} `));
    }
  });

  it('tells how late the event loop is, and what refused newcomers were refused for', async () => {
    const clock = new ManualClock();
    await using server = await TestServer.start({ http: HERE, clock, maxConnections: 1, maxWaiting: 0 });
    const one = await RawPeer.connect(server.port);
    await eventually('one is served', () => server.server.listener.connections.size === 1);
    const other = await RawPeer.connect(server.port);
    await eventually('the other is refused', () => server.server.listener.counters.refused === 1);
    clock.advance(1000);
    const values = await metricsOf(server);
    assert.equal(values.get('sluice_connections_refused_total{reason="full"}'), 1);
    assert.equal(values.get('sluice_event_loop_lag_seconds_count{process="1"}'), 10);
    for (const peer of [one, other]) peer.destroy();
  });
});

describe('a histogram', () => {
  it('has each value in the first bucket that is wide enough, and all in the last', () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: 0, max: 200_000, noNaN: true })), (values) => {
        const histogram = new Histogram();
        for (const value of values) histogram.observe(value);
        const family: MetricFamily = {
          name: 'sluice_x_seconds',
          type: 'histogram',
          help: 'x',
          samples: [{ labels: {}, value: { counts: [...histogram.counts], sum: histogram.sum } }],
        };
        const told = valuesOf(prometheusText([family]));
        for (const bound of SECONDS_BOUNDS) {
          const within = values.filter((value) => value / 1000 <= bound).length;
          assert.equal(told.get(`sluice_x_seconds_bucket{le="${bound}"}`), within);
        }
        assert.equal(told.get('sluice_x_seconds_bucket{le="+Inf"}'), values.length);
        assert.equal(told.get('sluice_x_seconds_count'), values.length);
      }),
    );
  });
});

describe('metrics of several processes', () => {
  const counter = (value: number, labels = {}): MetricFamily => ({
    name: 'sluice_x_total',
    type: 'counter',
    help: 'x',
    samples: [{ labels, value }],
  });

  it('are added where their labels are the same, in whatever order these stand', () => {
    const [family] = mergedFamilies([
      counter(1, { a: 'x', b: 'y' }),
      counter(2, { b: 'y', a: 'x' }),
      counter(4, { a: 'z' }),
    ]);
    assert.deepEqual(
      family?.samples.map(({ value }) => value),
      [3, 4],
    );
  });

  it('leave their counters behind when a process ends, but not what is its own', () => {
    const gauge: MetricFamily = { ...counter(7), name: 'sluice_y', type: 'gauge' };
    const kept = lastingFamilies([counter(1), counter(2, { process: '1' }), gauge]);
    assert.deepEqual(
      kept.map(({ samples }) => samples.length),
      [1, 0],
    );
  });

  it('are written so that no label can end its line', () => {
    const text = prometheusText([counter(1, { reason: 'a"b\\c\nd' })]);
    assert.match(text, /^sluice_x_total\{reason="a\\"b\\\\c\\nd"\} 1$/m);
  });
});
