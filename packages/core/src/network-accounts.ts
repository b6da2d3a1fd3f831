import type { AdmissionLimits } from './admission-options.js';
import { TokenBucket } from './token-bucket.js';

/** What holds for each network. */
export type NetworkLimits = Pick<AdmissionLimits, 'maxPerAddress' | 'connectionRatePerAddress'>;

/** Networks that have no connection and are remembered for their rate, at most. One that is forgotten starts anew. */
const MAX_REMEMBERED = 10_000;

interface Account {
  connections: number;
  readonly bucket: TokenBucket | undefined;
}

/** What the connections of each network, an address or the first 64 bits of one, have used of its limits. Bounded, however many networks there are. */
export class NetworkAccounts {
  readonly #limits: NetworkLimits;
  readonly #accounts = new Map<string, Account>();
  /** Of these, those without connections, the one whose last connection ended longest ago first. */
  readonly #idle = new Set<string>();

  constructor(limits: NetworkLimits) {
    this.#limits = limits;
  }

  /** Networks that are remembered. */
  get size(): number {
    return this.#accounts.size;
  }

  /** Counts a connection of `network`, if it may have another one; then give it back with `remove`. @returns why it may not */
  add(network: string, nowMs: number): 'network-full' | 'network-rate' | undefined {
    const { maxPerAddress, connectionRatePerAddress } = this.#limits;
    const known = this.#accounts.get(network);
    if (maxPerAddress > 0 && known && known.connections >= maxPerAddress) return 'network-full';
    const account = known ?? {
      connections: 0,
      bucket:
        connectionRatePerAddress > 0
          ? new TokenBucket(connectionRatePerAddress, 2 * connectionRatePerAddress, nowMs)
          : undefined,
    };
    if (account.bucket && !account.bucket.take(nowMs)) return 'network-rate';
    account.connections += 1;
    if (known) this.#idle.delete(network);
    else this.#accounts.set(network, account);
    return undefined;
  }

  remove(network: string, nowMs: number): void {
    const account = this.#accounts.get(network);
    if (!account) return;
    account.connections -= 1;
    if (account.connections > 0) return;
    if (account.bucket) this.#idle.add(network);
    else this.#accounts.delete(network);
    this.#forget(nowMs);
  }

  /** Those that are idle for so long that they have all their tokens again, and the oldest above the bound. */
  #forget(nowMs: number): void {
    for (const network of this.#idle) {
      const isOver = this.#idle.size > MAX_REMEMBERED;
      if (!isOver && !this.#accounts.get(network)?.bucket?.isFull(nowMs)) return;
      this.#idle.delete(network);
      this.#accounts.delete(network);
    }
  }
}
