import {
  type Clock,
  type Connection,
  type ConnectionHandler,
  DEFAULT_LISTENER_OPTIONS,
  descriptorLimit,
  fitToDescriptors,
  Listener,
  type ListenerOptions,
  systemClock,
} from '@sluice/core';
import type { Durability } from '@sluice/wire';
import { type Log, withFields } from './log.js';
import type { Principal } from './principal.js';
import type { Protocol } from './protocol.js';
import { downloadProtocol } from './protocols/download-protocol.js';
import { ListingQueue } from './protocols/listing-queue.js';
import { throughputProtocol } from './protocols/throughput-protocol.js';
import { uploadProtocol } from './protocols/upload-protocol.js';
import type { ServerMode } from './server-mode.js';
import { type Authenticator, ServerSession, type SessionContext } from './session.js';
import { DescriptorAccount } from './storage/descriptor-account.js';
import { DirectoryTree } from './storage/directory-tree.js';
import { OpenFiles } from './storage/open-files.js';
import { ServerStreamSession } from './stream-session.js';
import { LoginGuard } from './users/login-guard.js';
import type { UserStore } from './users/user-store.js';

export interface SluiceServerOptions
  extends Pick<
    ListenerOptions,
    | 'host'
    | 'port'
    | 'backlog'
    | 'maxConnections'
    | 'maxWaiting'
    | 'firstByteTimeoutMs'
    | 'idleTimeoutMs'
    | 'receiveMode'
  > {
  /** Directory whose files are served; it must exist. */
  readonly root: string;
  readonly users: UserStore;
  readonly log: Log;
  /** How far an upload has come when it is acknowledged. @default 'durable' */
  readonly durability?: Durability;
  /** @default the machine's */
  readonly clock?: Clock;
}

/** The server: one listener, the protocols, the files and the users. */
export class SluiceServer {
  readonly listener: Listener;
  readonly #tree: DirectoryTree;

  private constructor(listener: Listener, tree: DirectoryTree) {
    this.listener = listener;
    this.#tree = tree;
  }

  /**
   * Opens the root and listens.
   *
   * @throws {StorageError} when the root is missing or no directory
   * @throws the system's error when the address cannot be used
   */
  static async start(options: SluiceServerOptions): Promise<SluiceServer> {
    const { root, users, log, durability = 'durable', clock = systemClock, ...listen } = options;
    const tree = await DirectoryTree.open(root);
    try {
      const files = {
        openFiles: new OpenFiles(),
        descriptors: accountBeside(listen),
        listings: new ListingQueue(),
      };
      const protocols = new Map<number, Protocol>();
      for (const protocol of [uploadProtocol(files, durability), downloadProtocol(files), throughputProtocol()])
        protocols.set(protocol.flag, protocol);
      const mode: ServerMode = { isReadOnly: false };
      const context: SessionContext = {
        authenticator: guardedLogins(users, tree, clock),
        anybody: { userName: undefined, role: 'user', tree },
        mode,
        log,
      };
      const listener = await Listener.listen({
        ...listen,
        clock,
        onWarning: (message) => log.warn(message),
        onConnection: (connection) => new FlagReader(connection, protocols, context),
      });
      return new SluiceServer(listener, tree);
    } catch (error) {
      await tree.close();
      throw error;
    }
  }

  get address(): { readonly host: string; readonly port: number } {
    return this.listener.address;
  }

  /**
   * Stops accepting, ends what is begun, and closes.
   *
   * @param graceMs milliseconds after which what is not done is cut
   * @returns how many connections were cut
   */
  async drain(graceMs: number): Promise<number> {
    const cut = await this.listener.drain(graceMs);
    await this.#tree.close();
    return cut;
  }

  /** Ends everything at once. */
  async close(): Promise<void> {
    await this.listener.close();
    await this.#tree.close();
  }
}

/** A connection that has not chosen its protocol. Specification 1. */
class FlagReader implements ConnectionHandler {
  readonly #connection: Connection;
  readonly #protocols: ReadonlyMap<number, Protocol>;
  readonly #context: SessionContext;
  readonly #log: Log;

  constructor(connection: Connection, protocols: ReadonlyMap<number, Protocol>, context: SessionContext) {
    this.#connection = connection;
    this.#protocols = protocols;
    this.#context = context;
    const remote = `${connection.remoteAddress}:${connection.remotePort}`;
    const local = `${connection.localAddress}:${connection.localPort}`;
    this.#log = withFields(context.log, () => ({ connection: connection.id, remote, local }));
    this.#log.debug('connection accepted');
  }

  onBytes(source: Uint8Array, start: number, end: number): void {
    const flag = source[start]!;
    const protocol = this.#protocols.get(flag);
    if (!protocol) {
      this.#log.info('no such protocol', { flag });
      this.#connection.close('unknown-protocol');
      return;
    }
    const handler =
      protocol.kind === 'packets'
        ? ServerSession.start(this.#connection, protocol, this.#context)
        : new ServerStreamSession(this.#connection, protocol, this.#context.log);
    this.#connection.handler = handler;
    if (end > start + 1) handler.onBytes(source, start + 1, end);
  }

  onClosed(reason: string): void {
    this.#log.debug('connection closed', { reason });
  }
}

/** What the files may take of the descriptors that the listener leaves. */
function accountBeside(listen: Pick<ListenerOptions, 'maxConnections' | 'maxWaiting'>): DescriptorAccount {
  const limit = descriptorLimit();
  const { maxConnections, maxWaiting } = fitToDescriptors({ ...DEFAULT_LISTENER_OPTIONS, ...listen }, limit);
  return DescriptorAccount.of(limit === undefined ? Number.POSITIVE_INFINITY : limit - maxConnections - maxWaiting);
}

function guardedLogins(users: UserStore, tree: DirectoryTree, clock: Clock): Authenticator {
  const guard = new LoginGuard({ clock });
  return {
    async authenticate(userName, passwordDigest, address, gone) {
      const isRight = await guard.attempt(address, () => users.authenticate(userName, passwordDigest), gone);
      if (isRight === undefined) return 'unchecked';
      return isRight ? ({ userName, role: 'admin', tree } satisfies Principal) : 'wrong';
    },
  };
}
