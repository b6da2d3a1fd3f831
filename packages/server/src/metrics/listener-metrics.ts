import type { Listener } from '@sluice/core';
import type { MetricList } from './metric-family.js';

/** Who came, who was let in, and how connections ended: of the process that accepts. @param open connections that are served */
export function addListenerMetrics(list: MetricList, listener: Listener, open: number): void {
  const { counters } = listener;
  list.gauge('sluice_connections_open', 'Connections that are served.', open);
  list.gauge('sluice_connections_limit', 'Connections that may be served at once.', listener.maxConnections);
  list.gauge('sluice_connections_waiting', 'Connections that wait for a place.', listener.waiting);
  list.gauge('sluice_connections_waiting_limit', 'Connections that may wait for a place.', listener.maxWaiting);
  list.gauge(
    'sluice_connections_unestablished',
    'Connections whose peer has not shown yet that it is a client.',
    listener.unestablished,
  );
  list.counter('sluice_connections_accepted_total', 'Connections that have come.', counters.accepted);
  list.counter(
    'sluice_connections_refused_total',
    'Connections that were refused, by reason.',
    labelled('reason', counters.refusedBy),
  );
  list.counter('sluice_connections_told_total', 'Refused connections that were told so.', listener.toldRefusals);
  list.counter(
    'sluice_connections_closed_total',
    'Connections that have ended, by reason.',
    labelled('reason', counters.closed),
  );
}

/** Values by one label. */
export function* labelled(
  label: string,
  values: Iterable<readonly [string | number, number]>,
): Generator<[Record<string, string>, number]> {
  for (const [key, value] of values) yield [{ [label]: String(key) }, value];
}
