import type { HttpListener } from '../http/http-listener.js';
import { labelled } from './listener-metrics.js';
import type { MetricList } from './metric-family.js';

/** @param accepts whether the process accepts the connections itself */
export function addHttpMetrics(list: MetricList, http: HttpListener, accepts: boolean): void {
  const { counters } = http;
  list.gauge('sluice_http_connections', 'Connections of HTTP, without those of the gateway.', http.connections);
  if (accepts) addHttpAdmission(list, http);
  list.counter(
    'sluice_http_answers_total',
    'Answers, by the first digit of their status.',
    labelled('status', counters.answers),
  );
  list.counter('sluice_http_upgrades_total', 'Connections that went on as WebSockets.', counters.upgrades);
  list.histogram(
    'sluice_http_request_seconds',
    'Time from a request to the end of its answer, by the path of its route.',
    [...counters.times].map(([route, times]) => [{ route }, times] as const),
  );
}

/** Who came for HTTP, and who was refused. */
export function addHttpAdmission(
  list: MetricList,
  { accepted, refused }: { readonly accepted: number; readonly refused: Iterable<readonly [string, number]> },
): void {
  list.counter('sluice_http_connections_accepted_total', 'Connections of HTTP that have come.', accepted);
  list.counter(
    'sluice_http_connections_refused_total',
    'The same that were refused, by reason.',
    labelled('reason', refused),
  );
}
