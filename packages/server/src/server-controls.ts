import type {
  ClientRecord,
  ClosedConnection,
  ConnectionExplanation,
  SetUserRequest,
  UserRecord,
  UsersSource,
} from '@sluice/wire';
import type { Answer } from './coordination/coordinator.js';

/** A connection that has chosen its protocol, as others see it. */
export interface ConnectedClient {
  readonly id: number;
  readonly protocol: string;
  readonly userName: string | undefined;
  /** Without the port. */
  readonly remoteAddress: string;
  /** Whether a transfer goes on: cheaper than a whole record. */
  readonly hasTransfer: boolean;
  readonly boundAt: Date;
  readonly lastActivityAt: Date;
  /** Milliseconds without a receive or completed send. */
  readonly idleMs: number;
  record(): ClientRecord;
  /** Ends it at once. */
  destroy(reason: string): void;
}

/** All connections that have chosen their protocol, in the order of their acceptance. */
export interface ConnectedClients extends Iterable<ConnectedClient> {
  readonly size: number;
}

/** What has happened on connections, open ones and those that have ended lately. */
export interface Flights {
  /** Those that have ended, oldest first. */
  closed(): Answer<ClosedConnection[]>;
  explain(id: number): Answer<ConnectionExplanation | undefined>;
  /** What is kept of those that have ended. */
  readonly remembered: { readonly connections: number; readonly bytes: number };
}

/** What became of a part of the server that was to be read anew. */
export interface ReloadResult {
  readonly name: string;
  readonly isOk: boolean;
  /** For the operator; empty when it is as it should be. */
  readonly message: string;
}

/** The users of the server, for admins. */
export interface ManagedUsers {
  readonly source: UsersSource;
  /** All, in the order of their names. @throws {RequestError} */
  list(): Promise<readonly UserRecord[]>;
  /** Durable when it settles; holds from `apply` on. @param actor who does it @throws {RequestError} */
  set(actor: string, change: SetUserRequest): Promise<void>;
  /** As `set`. */
  remove(actor: string, name: string): Promise<void>;
  /** Lets all processes of the server read the users anew, as far as they can. */
  apply(): Promise<void>;
}

/** What the Control protocol needs of the server. */
export interface ServerControls {
  /** Of all processes of the server, in the order of their acceptance. */
  clients(): Answer<readonly ConnectedClient[]>;
  readonly flights: Flights;
  /** Calls `tick` every so many milliseconds until the returned function is called. */
  every(intervalMs: number, tick: () => void): () => void;
  /** Anything JSON can tell. */
  stats(): Answer<object>;
  /** @param graceMs the server's own time without it */
  drain(graceMs: number | undefined): void;
  readonly isReadOnly: boolean;
  /** Settles when nobody may change files any more, or all may again. */
  setReadOnly(value: boolean): Answer<void>;
  readonly logLevels: readonly string[];
  readonly logLevel: string;
  setLogLevel(level: string): Answer<void>;
  reload(): Promise<readonly ReloadResult[]>;
  readonly users: ManagedUsers;
}
