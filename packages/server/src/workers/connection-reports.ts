import type { EndedConnection, Listener } from '@sluice/core';
import type { Hub } from '../coordination/hub.js';

/** What a worker says of a connection that has ended. */
export interface EndedReport extends EndedConnection {
  readonly id: number;
}

/** Whose a connection is, behind a balancer. */
export interface RelocatedReport {
  readonly id: number;
  readonly address: string;
}

/** Has workers say what the limits of the listener need to know. */
export function listenToConnections(
  hub: Hub,
  listener: Listener,
  onEnded: (id: number, from: number, ended: EndedReport) => void,
): void {
  hub.on('connection.ended', (ended: EndedReport, from) => {
    onEnded(ended.id, from, ended);
    listener.ended(ended.id, ended);
  });
  hub.on('connection.established', (id: number) => listener.established(id));
  hub.on('connection.relocated', ({ id, address }: RelocatedReport, from) => {
    if (!listener.relocated(id, address)) hub.tellOne(from, 'connection.destroy', { id, reason: 'network-limit' });
  });
}
