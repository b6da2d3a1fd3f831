import {
  type ClientChanges,
  type ClientRecord,
  type ClosedConnection,
  Command,
  type ConnectionExplanation,
  decodeClientChanges,
  decodeClientRecords,
  decodeClosedConnections,
  decodeExplanation,
  decodeGetClientsResponse,
  decodeJsonData,
  decodeListUsersResponse,
  decodeLogLines,
  encodeDrainRequest,
  encodeExplainRequest,
  encodeFollowLogRequest,
  encodeGetClientsRequest,
  encodeKickRequest,
  encodeListClientsRequest,
  encodeListUsersRequest,
  encodeLogLevelRequest,
  encodeReadOnlyRequest,
  encodeRemoveUserRequest,
  encodeSetUserRequest,
  encodeWatchClientsRequest,
  Feature,
  type FollowLogRequest,
  Key,
  type KickRequest,
  MAX_LISTED_CLIENTS,
  MAX_LISTED_USERS,
  MAX_WATCH_INTERVAL_MS,
  MIN_WATCH_INTERVAL_MS,
  ProtocolError,
  ProtocolFlag,
  type Response,
  requestText,
  responseInteger,
  type SetUserRequest,
  type UserRecord,
  type UserRole,
  type UsersSource,
} from '@sluice/wire';
import { Cancellation } from './cancellation.js';
import type { Connection } from './connection.js';
import { ConnectionPool } from './connection-pool.js';
import type { Endpoint } from './endpoint.js';
import { ClientError, OptionsError } from './errors.js';
import type { ResolvedConnectOptions } from './options.js';
import { pause, whileBusy, withRetries } from './retry.js';
import type { CallOptions } from './transfer.js';
import { userVerifierOf } from './user-verifier.js';

export type {
  ClosedConnection,
  ConnectionEnd,
  ConnectionEvent,
  ConnectionExplanation,
  UserRecord,
  UserRole,
  UsersSource,
} from '@sluice/wire';
export { CLOSE_REASONS, CONNECTION_EVENT_TEXTS } from '@sluice/wire';

/**
 * A connection of a server, as {@link ControlClient.list} tells it. An original server tells addresses, protocol, user and times only, and
 * its times are in whatever form its machine writes them.
 */
export type ListedClient = Partial<ClientRecord> &
  Pick<ClientRecord, 'localAddress' | 'remoteAddress' | 'protocol' | 'connectedAt' | 'lastActivityAt'>;

/** What became of a part of the server that was read anew. */
export interface ReloadResult {
  readonly name: string;
  readonly isOk: boolean;
  /** What is wrong; empty when nothing is. */
  readonly message: string;
}

/** A line of the log. Its fields stand beside these. */
export interface LogRecord {
  /** Rises by one with each line, over restarts of the server. */
  readonly seq: number;
  /** ISO 8601, UTC. */
  readonly time: string;
  readonly level: string;
  readonly event: string;
  readonly [field: string]: unknown;
}

/** Lines of {@link ControlClient.followLog}. */
export interface LogBatch {
  readonly records: readonly LogRecord[];
  /** Where to go on behind these. */
  readonly cursor: string;
  /** Lines before the last of these that are lost for this reader; -1 when nobody can know how many. */
  readonly missed: number;
  readonly isEnd: boolean;
}

/** What {@link ControlClient.followLog} is to bring. */
export interface FollowLogOptions extends CallOptions {
  /** Goes on behind this place. */
  readonly cursor?: string;
  /** Without a cursor: begins so many lines back, 0 to 1,000,000. @default 0 */
  readonly lines?: number;
  /** The least important level. @default 'debug' */
  readonly level?: 'error' | 'warn' | 'info' | 'debug';
  /** Fields that a line must have, as `key=value`. */
  readonly conditions?: readonly string[];
  /** Whether to wait for lines that are still to come. @default true */
  readonly follows?: boolean;
}

/** Which connections {@link ControlClient.kick} ends: those for which all that is given holds. */
export type KickSelection = KickRequest;

/** The users of a server, as {@link ControlClient.listUsers} tells them. */
export interface ServerUsers {
  /** In the order of their names. */
  readonly users: readonly UserRecord[];
  /** Users from the command line of the server cannot be changed while it runs. */
  readonly source: UsersSource;
}

/** What {@link ControlClient.setUser} makes of a user. What is missing stays as it is; `null` takes a setting back. */
export interface UserChange {
  /** At most 64 characters, none of them a control character; compared with case. */
  readonly name: string;
  /** Whether the user is new, and must not be there; it needs a password. Else it must be there. @default false */
  readonly isNew?: boolean;
  /** @default 'user' of a new one */
  readonly role?: UserRole;
  /** Directory below the server's root, as `home/ada`; empty for the server's root itself. */
  readonly root?: string;
  /** How much the files below that root may have together, in bytes. */
  readonly quotaBytes?: number | null;
  readonly isDisabled?: boolean;
  /** ISO 8601, with a time zone, or a day: from then on the user cannot log in. */
  readonly expires?: string | null;
  /** A new password. It does not leave this machine. With it the user logs in by SCRAM, and no more by digest, as old clients do. */
  readonly password?: string;
}

/**
 * The operator's side of a server. Made by `connectControl`. What acts on others, or on the server, needs a user with the role
 * `admin`: others get `ERR_REMOTE` with `resultCode` 13.
 */
export class ControlClient implements AsyncDisposable {
  readonly #options: ResolvedConnectOptions;
  readonly #pool: ConnectionPool;
  readonly #calls = new Cancellation();

  /** @internal Use `connectControl`. */
  constructor(endpoint: Endpoint, options: ResolvedConnectOptions) {
    this.#options = options;
    this.#pool = new ConnectionPool(endpoint, options);
  }

  /** @internal As `ping`, but waits while the server says that it is busy. */
  async firstPing(options: CallOptions): Promise<void> {
    await this.#calls.run(options.signal, (signal) => whileBusy(this.#options, signal, () => this.ping({ signal })));
  }

  /** Makes sure that the server is there and lets this user in: once, without retries. */
  async ping(options: CallOptions = {}): Promise<void> {
    await this.#calls.run(options.signal, (signal) =>
      this.#pool.use(ProtocolFlag.Control, signal, (connection) =>
        connection.request(Command.Active, requestText(Command.Active)),
      ),
    );
  }

  /** The connections of the server, this one included, in the order of their acceptance: for an admin all, for others those of the same user. */
  async list(options: CallOptions = {}): Promise<ListedClient[]> {
    return this.#ask(options, listClients);
  }

  /**
   * The connections of the server, again and again: all of them at first, then whenever something has changed, at most once an interval. A
   * reader that is slower sees the newest state only. Goes on after a broken link.
   *
   * @param intervalMs 200 to 60,000. @default 1000
   * @throws {OptionsError} `ERR_OPTION_RANGE`
   */
  async *watch(options: CallOptions & { readonly intervalMs?: number } = {}): AsyncGenerator<readonly ListedClient[]> {
    const { intervalMs = 1000 } = options;
    if (!(intervalMs >= MIN_WATCH_INTERVAL_MS && intervalMs <= MAX_WATCH_INTERVAL_MS)) {
      const range = `${MIN_WATCH_INTERVAL_MS} to ${MAX_WATCH_INTERVAL_MS}`;
      throw new OptionsError(`intervalMs is ${intervalMs}; it must be ${range}`);
    }
    const latest = new LatestValue<readonly ListedClient[]>();
    const end = new AbortController();
    const onAbort = (): void => end.abort(options.signal?.reason);
    options.signal?.throwIfAborted();
    options.signal?.addEventListener('abort', onAbort, { once: true });
    const watching = this.#calls
      .run(end.signal, (signal) =>
        withRetries(this.#options, signal, (attempt) =>
          this.#pool.use(ProtocolFlag.Control, signal, (connection) =>
            this.#watchOn(connection, intervalMs, signal, (clients) => {
              attempt.progressed();
              latest.put(clients);
            }),
          ),
        ),
      )
      .catch((error: unknown) => latest.fail(error));
    try {
      for (;;) yield await latest.take();
    } finally {
      end.abort(new ClientError('ERR_CLOSED', 'no longer watched'));
      options.signal?.removeEventListener('abort', onAbort);
      await watching;
    }
  }

  /**
   * Lines of the log, as they come. Goes on after a broken link, also when the server has started again meanwhile: no line comes twice, and
   * `missed` tells how many are lost. Ends when `follows` is false and the last line has come.
   *
   * @throws {ClientError} `ERR_UNSUPPORTED` by a server that keeps no log
   */
  async *followLog(options: FollowLogOptions = {}): AsyncGenerator<LogBatch> {
    const { signal: given, ...wanted } = options;
    const batches = new BoundedQueue<LogBatch>();
    const end = new AbortController();
    const onAbort = (): void => end.abort(given?.reason);
    given?.throwIfAborted();
    given?.addEventListener('abort', onAbort, { once: true });
    let request: FollowLogRequest = wanted;
    const following = this.#calls
      .run(end.signal, (signal) =>
        withRetries(this.#options, signal, (attempt) =>
          this.#pool.use(ProtocolFlag.Control, signal, (connection) => {
            requireFeature(connection, Feature.Logs);
            return connection.watch(
              Command.LogLines,
              () => connection.request(Command.FollowLog, encodeFollowLogRequest(request)),
              (response, data) => {
                const lines = decodeLogLines(response, new TextDecoder().decode(data));
                attempt.progressed();
                request = { ...wanted, cursor: lines.cursor };
                return batches.put({ ...lines, records: lines.lines.map(decodeLogRecord) });
              },
            );
          }),
        ),
      )
      .catch((error: unknown) => batches.fail(error));
    try {
      for (;;) {
        const batch = await batches.take();
        yield batch;
        if (batch.isEnd) return;
      }
    } finally {
      end.abort(new ClientError('ERR_CLOSED', 'no longer followed'));
      given?.removeEventListener('abort', onAbort);
      await following;
    }
  }

  /**
   * Ends connections at once; never the one that asks, unless by its own id.
   *
   * @returns how many
   * @throws {ClientError} `ERR_UNSUPPORTED` by a server without extensions
   */
  async kick(selection: KickSelection, options: CallOptions = {}): Promise<number> {
    return this.#once(options, Feature.Clients, async (connection) => {
      const { response } = await connection.request(Command.Kick, encodeKickRequest(selection));
      return Number(responseInteger(response, Key.Count));
    });
  }

  /** What the server has done and holds: an object whose fields docs/protocol.md names; a newer server may have more. */
  async stats(options: CallOptions = {}): Promise<Readonly<Record<string, unknown>>> {
    return this.#once(options, Feature.ServerControl, async (connection) => {
      const { data } = await connection.request(Command.Stats, requestText(Command.Stats));
      const stats = decodeJsonData(data);
      if (typeof stats !== 'object' || stats === null || Array.isArray(stats))
        throw new ProtocolError('ERR_RESPONSE_INVALID', 'statistics that are no object');
      return stats as Record<string, unknown>;
    });
  }

  /** Lets the server end as at a SIGTERM. @param graceMs time for what is begun, in milliseconds; the server's own time without it */
  async drain(options: CallOptions & { readonly graceMs?: number } = {}): Promise<void> {
    await this.#once(options, Feature.ServerControl, (connection) =>
      connection.request(Command.Drain, encodeDrainRequest(options.graceMs)),
    );
  }

  /** Whether nobody may change files; with `value`, from now on. @returns what holds now */
  async readOnly(value?: boolean, options: CallOptions = {}): Promise<boolean> {
    return this.#once(options, Feature.ServerControl, async (connection) => {
      const { response } = await connection.request(Command.ReadOnly, encodeReadOnlyRequest(value));
      return requiredValue(response) === 'on';
    });
  }

  /** The least important level that is logged; with `level`, from now on. @returns what holds now */
  async logLevel(level?: string, options: CallOptions = {}): Promise<string> {
    return this.#once(options, Feature.ServerControl, async (connection) => {
      const { response } = await connection.request(Command.LogLevel, encodeLogLevelRequest(level));
      return requiredValue(response);
    });
  }

  /** Lets the server read anew what it can while it runs: users, certificates. What is bad leaves its part as it was. */
  async reload(options: CallOptions = {}): Promise<readonly ReloadResult[]> {
    return this.#once(options, Feature.ServerControl, async (connection) => {
      const { data } = await connection.request(Command.Reload, requestText(Command.Reload));
      const results = decodeJsonData(data);
      if (!Array.isArray(results)) throw new ProtocolError('ERR_RESPONSE_INVALID', 'results that are no list');
      return (results as Record<string, unknown>[]).map((result) => ({
        name: String(result?.['name']),
        isOk: result?.['isOk'] === true,
        message: String(result?.['message'] ?? ''),
      }));
    });
  }

  /** What has happened on a connection, one that is open or one that has ended lately; `ERR_REMOTE` with `resultCode` 6 for others. */
  async explain(id: number, options: CallOptions = {}): Promise<ConnectionExplanation> {
    return this.#once(options, Feature.Explain, async (connection) => {
      const { data } = await connection.request(Command.Explain, encodeExplainRequest(id));
      return decodeExplanation(data);
    });
  }

  /** The connections that have ended lately, as far as the server remembers them, oldest first. */
  async recentlyClosed(options: CallOptions = {}): Promise<ClosedConnection[]> {
    return this.#once(options, Feature.Explain, async (connection) => {
      const { data } = await connection.request(Command.Explain, encodeExplainRequest(undefined));
      return decodeClosedConnections(data);
    });
  }

  /** All users of the server, also those who are not connected; for admins. */
  async listUsers(options: CallOptions = {}): Promise<ServerUsers> {
    return this.#ask(options, listUsers);
  }

  /**
   * Makes or changes a user. When it settles, that is on the server's disk, and holds: connections of a user who may not log in any more, or has
   * another password or root, have ended. A change of the user who asks ends this client's own connections.
   *
   * @throws {ClientError} `ERR_REMOTE` with `resultCode` 13 where users come from the command line of the server, and for an admin who would lock
   * out himself; 6 for a new user who is there already, one who is not there, and settings that cannot be. `ERR_UNSUPPORTED`
   * @throws {OptionsError} `ERR_OPTION_RANGE` for a password that no user can have
   */
  async setUser(change: UserChange, options: CallOptions = {}): Promise<void> {
    const { password, isNew = false, ...settings } = change;
    const { crypto } = this.#options.platform;
    const verifier = password === undefined ? undefined : await userVerifierOf(crypto, password);
    const request: SetUserRequest = { ...settings, isNew, ...(verifier && { verifier }) };
    await this.#once(options, Feature.Users, (connection) =>
      connection.request(Command.SetUser, encodeSetUserRequest(request)),
    );
  }

  /** Removes a user, and ends the connections; the files stay. @throws as {@link setUser} */
  async removeUser(name: string, options: CallOptions = {}): Promise<void> {
    await this.#once(options, Feature.Users, (connection) =>
      connection.request(Command.RemoveUser, encodeRemoveUserRequest(name)),
    );
  }

  /** Ends every connection; calls that are going on reject with `ERR_CLOSED`. May be called twice. */
  async close(): Promise<void> {
    await this.#calls.abortAll(new ClientError('ERR_CLOSED', 'the client is closed'));
    this.#pool.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #watchOn(
    connection: Connection,
    intervalMs: number,
    signal: AbortSignal,
    onClients: (clients: readonly ListedClient[]) => void,
  ): Promise<never> {
    if (!connection.supports(Feature.Clients)) {
      for (;;) {
        onClients(await listClients(connection));
        await pause(this.#options.clock, signal, intervalMs);
      }
    }
    const clients = new Map<number, ClientRecord>();
    return await connection.watch(
      Command.ClientChanges,
      () => connection.request(Command.WatchClients, encodeWatchClientsRequest(intervalMs)),
      (_response, data) => {
        const { changed, removed, more }: ClientChanges = decodeClientChanges(data);
        for (const id of removed) clients.delete(id);
        for (const record of changed) clients.set(record.id, record);
        if (!more) onClients([...clients.values()].sort((a, b) => a.id - b.id));
      },
    );
  }

  /** A question that may be asked twice. */
  #ask<T>(options: CallOptions, work: (connection: Connection) => Promise<T>): Promise<T> {
    return this.#calls.run(options.signal, (signal) =>
      withRetries(this.#options, signal, () => this.#pool.use(ProtocolFlag.Control, signal, work)),
    );
  }

  /** An action: after a broken link nobody knows whether it was done, so it is not repeated. */
  #once<T>(options: CallOptions, feature: string, work: (connection: Connection) => Promise<T>): Promise<T> {
    return this.#calls.run(options.signal, (signal) =>
      this.#pool.use(ProtocolFlag.Control, signal, (connection) => {
        requireFeature(connection, feature);
        return work(connection);
      }),
    );
  }
}

async function listClients(connection: Connection): Promise<ListedClient[]> {
  if (!connection.supports(Feature.Clients)) {
    const { response } = await connection.request(Command.GetClients, encodeGetClientsRequest());
    return decodeGetClientsResponse(response).map(({ userName, boundAt, ...item }) => ({
      ...item,
      connectedAt: boundAt,
      ...(userName !== '' && { user: userName }),
    }));
  }
  const records: ClientRecord[] = [];
  for (;;) {
    const page = { after: records.at(-1)?.id ?? 0, limit: MAX_LISTED_CLIENTS };
    const { response, data } = await connection.request(Command.ListClients, encodeListClientsRequest(page));
    const found = decodeClientRecords(data).filter(({ id }) => id > page.after);
    records.push(...found);
    if (found.length === 0 || response.text.first(Key.More) !== 'yes') return records;
  }
}

async function listUsers(connection: Connection): Promise<ServerUsers> {
  requireFeature(connection, Feature.Users);
  const users: UserRecord[] = [];
  for (;;) {
    const after = users.at(-1)?.name;
    const page = { ...(after !== undefined && { after }), limit: MAX_LISTED_USERS };
    const { response, data } = await connection.request(Command.ListUsers, encodeListUsersRequest(page));
    const listed = decodeListUsersResponse(response, data);
    const found = after === undefined ? listed.users : listed.users.filter(({ name }) => name > after);
    users.push(...found);
    if (found.length === 0 || !listed.more) return { users, source: listed.source };
  }
}

function requiredValue(response: Response): string {
  const value = response.text.first(Key.Value);
  if (value === undefined)
    throw new ProtocolError('ERR_RESPONSE_INVALID', `${response.command} without a ${Key.Value}`);
  return value;
}

function requireFeature(connection: Connection, feature: string): void {
  if (connection.supports(feature)) return;
  const text = 'this server has no such command: it is an original, or an older one';
  throw new ClientError('ERR_UNSUPPORTED', text);
}

/** @throws {ProtocolError} `ERR_RESPONSE_INVALID` */
function decodeLogRecord(line: string): LogRecord {
  const value = parseJson(line);
  const record = value as Partial<LogRecord> | null;
  if (typeof record?.seq !== 'number' || typeof record.time !== 'string' || typeof record.event !== 'string')
    throw new ProtocolError('ERR_RESPONSE_INVALID', 'a log line that is none');
  return record as LogRecord;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

/** Lets one side put things in as fast as the other takes them. */
class BoundedQueue<T> {
  readonly #values: T[] = [];
  #failure: { readonly error: unknown } | undefined;
  #onPut: () => void = () => {};
  #onTaken: () => void = () => {};

  /** @returns a promise to wait for, when some wait already */
  put(value: T): void | Promise<void> {
    this.#values.push(value);
    this.#onPut();
    if (this.#values.length < 4) return;
    return new Promise((resolve) => {
      this.#onTaken = resolve;
    });
  }

  fail(error: unknown): void {
    this.#failure = { error };
    this.#onPut();
  }

  /** @throws what `fail` was given, once all that was put in has been taken */
  async take(): Promise<T> {
    for (;;) {
      const value = this.#values.shift();
      if (value !== undefined) {
        this.#onTaken();
        return value;
      }
      if (this.#failure) throw this.#failure.error;
      await new Promise<void>((resolve) => {
        this.#onPut = resolve;
      });
    }
  }
}

/** Keeps the newest of what one side puts in until the other side takes it. */
class LatestValue<T> {
  #value: T | undefined;
  #failure: { readonly error: unknown } | undefined;
  #wake: () => void = () => {};

  put(value: T): void {
    this.#value = value;
    this.#wake();
  }

  fail(error: unknown): void {
    this.#failure = { error };
    this.#wake();
  }

  /** @throws what `fail` was given, once all that was put in has been taken */
  async take(): Promise<T> {
    while (this.#value === undefined) {
      if (this.#failure) throw this.#failure.error;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    const value = this.#value;
    this.#value = undefined;
    return value;
  }
}
