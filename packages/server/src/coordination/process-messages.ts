import type { NameRequest, NameSpace } from './coordinator.js';

/** A name of a space. */
export interface NamedIn {
  readonly space: NameSpace;
  readonly name: string;
}

/** What a worker sends to get a name, or a lock, for itself. */
export interface LeaseRequest {
  /** Of the worker's choice; the lease is given back by it. */
  readonly leaseId: number;
  readonly space: NameSpace | 'locks';
  readonly name: string;
  readonly request: NameRequest | undefined;
}

/** What is passed on to all other workers. */
export interface Passed {
  readonly topic: string;
  readonly body: unknown;
}

/** What is passed on to one of them. */
export interface PassedToOne extends Passed {
  readonly to: number;
}
