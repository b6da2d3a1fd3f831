import type { Clock } from '@sluice/core';
import type { ClientRegistry } from './client-registry.js';
import type { Log } from './log.js';
import type { UserStore } from './users/user-store.js';

/** The users file is looked at this often. */
const FILE_PERIOD_MS = 2000;

/** Standing connections are asked this often whether their user may still be there. */
const EXPIRY_PERIOD_MS = 30_000;

/**
 * Brings changes of the users to a server that runs: the file is read again when it has changed, and connections end whose user is gone,
 * disabled, expired, or has another password or root. A new role holds from the next request on.
 */
export class UserChanges {
  readonly #users: UserStore;
  readonly #clients: ClientRegistry;
  readonly #log: Log;
  readonly #cancel: readonly (() => void)[];
  #isLooking = false;
  /** Readings of the file, one after the other: an older one must not come in behind a newer one. */
  #applied: Promise<void> = Promise.resolve();

  /** @param onFileChanged reads the users anew, by way of `apply`; it throws nothing */
  constructor(
    users: UserStore,
    clients: ClientRegistry,
    clock: Clock,
    log: Log,
    onFileChanged: () => Promise<unknown>,
  ) {
    this.#users = users;
    this.#clients = clients;
    this.#log = log;
    this.#cancel = [
      clock.every(FILE_PERIOD_MS, () => void this.#look(onFileChanged)),
      clock.every(EXPIRY_PERIOD_MS, () => this.#endExpired()),
    ];
  }

  /** @throws {UserError} when the file is bad; then nothing has changed */
  apply(): Promise<void> {
    const applied = this.#applied.catch(() => {}).then(async () => this.#end(new Set(await this.#users.reload())));
    this.#applied = applied;
    return applied;
  }

  close(): void {
    for (const cancel of this.#cancel) cancel();
  }

  async #look(onFileChanged: () => Promise<unknown>): Promise<void> {
    if (this.#isLooking) return;
    this.#isLooking = true;
    try {
      if (await this.#users.hasChanged()) await onFileChanged();
    } finally {
      this.#isLooking = false;
    }
  }

  #endExpired(): void {
    const names = new Set<string>();
    for (const { userName } of this.#clients)
      if (userName !== undefined && !this.#users.isActive(userName)) names.add(userName);
    this.#end(names);
  }

  #end(names: ReadonlySet<string>): void {
    for (const client of this.#clients) {
      if (client.userName === undefined || !names.has(client.userName)) continue;
      this.#log.info('user changed', { connection: client.id, user: client.userName });
      client.destroy('user-changed');
    }
  }
}
