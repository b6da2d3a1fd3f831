import type { EndedConnection, Listener } from '@sluice/core';
import type { Hub } from '../coordination/hub.js';
import type { PlaceAnswer } from '../http/gateway/adopt-streams.js';

/** What a worker says of a connection that has ended. */
export interface EndedReport extends EndedConnection {
  readonly id: number;
}

/** Whose a connection is, behind a balancer. */
export interface RelocatedReport {
  readonly id: number;
  readonly address: string;
}

/** What the listener needs to know of the connections that workers serve. */
export interface ServedConnections {
  onEnded(id: number, from: number, ended: EndedReport): void;
  /** A worker has accepted it itself, and has got a place for it. @returns whether the worker is there */
  onPlaced(id: number, from: number): boolean;
  /** Ends one for a newcomer. */
  displace(id: number, from: number): void;
}

/** Has workers say what the limits of the listener need to know. */
export function listenToConnections(hub: Hub, listener: Listener, served: ServedConnections): void {
  hub.on('connection.ended', (ended: EndedReport, from) => {
    served.onEnded(ended.id, from, ended);
    listener.ended(ended.id, ended);
  });
  hub.on('connection.established', (id: number) => listener.established(id));
  hub.on('connection.relocated', ({ id, address }: RelocatedReport, from) => {
    if (!listener.relocated(id, address)) hub.tellOne(from, 'connection.destroy', { id, reason: 'network-limit' });
  });
  hub.on('connection.place', (remoteAddress: string, from, signal) => {
    return new Promise<PlaceAnswer>((resolve) => {
      const onAdmitted = (id: number): void => {
        if (served.onPlaced(id, from)) resolve({ id });
        else listener.ended(id, { reason: 'worker-died', receivedBytes: 0, sentBytes: 0 });
      };
      const onRefused = (reason: string, retryAfterMs: number): void => resolve({ reason, retryAfterMs });
      listener.reserve({ remoteAddress, onAdmitted, onRefused, displace: (id) => served.displace(id, from) }, signal);
    });
  });
}
