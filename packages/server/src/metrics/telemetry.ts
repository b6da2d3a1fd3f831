import type { IncomingHttpHeaders } from 'node:http';
import type { MetricFamily } from './metric-family.js';

/** What is told of work that goes on to whoever traces it. */
export interface TracedRequest {
  /** @param outcome a code, or a status. @param isFailure whether the server has failed */
  end(outcome: number | undefined, isFailure: boolean): void;
}

export interface TracedConnection {
  /** @param command as the protocol spells it */
  request(command: string): TracedRequest;
  end(reason: string): void;
}

/** Where an operator's own collection of traces and metrics is told what goes on. `openTelemetry` is the one there is. */
export interface Telemetry {
  /** @returns `undefined` for one that nobody wants to hear of */
  connection(protocol: string, id: number, remoteAddress: string): TracedConnection | undefined;
  /** @param route the path of the route, not the one that was asked for */
  httpRequest(method: string, route: string, headers: IncomingHttpHeaders): TracedRequest | undefined;
  /** Has `read` asked whenever somebody collects. @returns ends that */
  observe(read: () => readonly MetricFamily[]): () => void;
}
