import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import type { Address } from '../../options/option-table.js';
import { SeededRandom } from '../seeded-random.js';
import { BufferAccount } from './buffer-account.js';
import type { FaultKind, FaultRule, PlayedFault } from './fault.js';
import { planConnection } from './fault-plan.js';
import { ProxiedConnection } from './proxied-connection.js';
import { ReorderGate } from './reorder-gate.js';

/** What all connections of a proxy hold together, beyond one chunk for each direction. */
const MAX_HELD_BYTES = 64 << 20;

export interface ChaosProxyOptions {
  readonly listen: Address;
  readonly target: Address;
  readonly rules: readonly FaultRule[];
  /** Of all that is left to chance. */
  readonly seed: number;
  /** Connections that are held, to be let through in another order; below 2 for none. */
  readonly reorder: number;
  /** How long the first of them waits for others at most, in milliseconds. */
  readonly reorderWaitMs: number;
  /** Connections at once; those beyond are closed. */
  readonly maxConnections: number;
  readonly onFault?: (connection: number, fault: PlayedFault) => void;
  readonly onUnreachable?: (connection: number, error: Error) => void;
  /** A connection beyond `maxConnections`. */
  readonly onRefused?: () => void;
}

/** What a proxy has done so far. */
export interface ProxyFigures {
  readonly connections: number;
  readonly open: number;
  readonly unreachable: number;
  readonly refused: number;
  readonly bytesUp: number;
  readonly bytesDown: number;
  /** How often each fault was played; those that never were are missing. */
  readonly faults: Partial<Record<FaultKind, number>>;
}

/** Stands between clients and any TCP server, and does to their connections what its rules say. */
export class ChaosProxy implements AsyncDisposable {
  readonly #options: ChaosProxyOptions;
  readonly #server: Server;
  readonly #open = new Set<ProxiedConnection>();
  readonly #account = new BufferAccount(MAX_HELD_BYTES);
  readonly #gate: ReorderGate<ProxiedConnection> | undefined;
  readonly #faults: Partial<Record<FaultKind, number>> = {};
  #connections = 0;
  #unreachable = 0;
  #refused = 0;
  #bytesUp = 0;
  #bytesDown = 0;

  private constructor(options: ChaosProxyOptions) {
    this.#options = options;
    const { reorder, reorderWaitMs, seed } = options;
    if (reorder >= 2) {
      this.#gate = new ReorderGate(reorder, reorderWaitMs, new SeededRandom(seed, 3), (connection) => {
        this.#onFault(connection.number, { fault: 'reorder' });
        return connection.open(options.target);
      });
    }
    this.#server = createServer({ allowHalfOpen: true, pauseOnConnect: true, noDelay: true }, (client) =>
      this.#accept(client),
    );
    this.#server.maxConnections = options.maxConnections;
    this.#server.on('drop', () => {
      this.#refused += 1;
      options.onRefused?.();
    });
  }

  /** @throws what the system says when it cannot listen */
  static async start(options: ChaosProxyOptions): Promise<ChaosProxy> {
    const proxy = new ChaosProxy(options);
    await new Promise<void>((resolve, reject) => {
      proxy.#server.once('error', reject);
      proxy.#server.listen(options.listen, resolve);
    });
    proxy.#server.on('error', () => {}); // of accepting: the client sees a reset
    return proxy;
  }

  get address(): Address {
    const { address, port } = this.#server.address() as AddressInfo;
    return { host: address, port };
  }

  get figures(): ProxyFigures {
    let [bytesUp, bytesDown] = [this.#bytesUp, this.#bytesDown];
    for (const connection of this.#open) {
      bytesUp += connection.bytesUp;
      bytesDown += connection.bytesDown;
    }
    return {
      connections: this.#connections,
      open: this.#open.size,
      unreachable: this.#unreachable,
      refused: this.#refused,
      bytesUp,
      bytesDown,
      faults: { ...this.#faults },
    };
  }

  /** Bytes that are held now, over all connections. */
  get heldBytes(): number {
    return this.#account.bytes;
  }

  /** Ends all connections. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#gate?.close();
    const closed = new Promise((resolve) => this.#server.close(resolve));
    for (const connection of [...this.#open]) connection.destroy();
    await closed;
  }

  #accept(client: Socket): void {
    this.#connections += 1;
    const number = this.#connections;
    const { rules, seed, target } = this.#options;
    const plan = planConnection(rules, new SeededRandom(seed, number * 4));
    const connection = new ProxiedConnection(number, client, plan, {
      seed,
      account: this.#account,
      events: this.#events,
    });
    this.#open.add(connection);
    if (this.#gate) this.#gate.add(connection);
    else void connection.open(target);
  }

  readonly #events = {
    onFault: (connection: number, fault: PlayedFault) => this.#onFault(connection, fault),
    onUnreachable: (connection: number, error: Error) => {
      this.#unreachable += 1;
      this.#options.onUnreachable?.(connection, error);
    },
    onClosed: (connection: ProxiedConnection) => {
      this.#open.delete(connection);
      this.#bytesUp += connection.bytesUp;
      this.#bytesDown += connection.bytesDown;
    },
  };

  #onFault(connection: number, fault: PlayedFault): void {
    this.#faults[fault.fault] = (this.#faults[fault.fault] ?? 0) + 1;
    this.#options.onFault?.(connection, fault);
  }
}
