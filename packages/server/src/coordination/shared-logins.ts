import type { Clock } from '@sluice/core';
import { type LoginGate, LoginGuard } from '../users/login-guard.js';
import type { Coordinator } from './coordinator.js';
import type { Hub } from './hub.js';

interface AttemptRequest {
  readonly id: number;
  readonly address: string;
  readonly userName: string;
}

/** The login guard of a process that is one of several: attempts are counted, and held back, by the supervisor. */
export class SharedLoginGate implements LoginGate {
  readonly #coordinator: Coordinator;
  readonly #verifiers = new Map<number, () => Promise<boolean>>();
  #nextId = 1;

  constructor(coordinator: Coordinator) {
    this.#coordinator = coordinator;
    coordinator.on('login.verify', (id: number) => this.#verifiers.get(id)?.());
  }

  async attempt(
    address: string,
    userName: string,
    verify: () => Promise<boolean>,
    signal?: AbortSignal,
  ): Promise<boolean | undefined> {
    const id = this.#nextId++;
    let failure: { readonly error: unknown } | undefined;
    this.#verifiers.set(id, async () => {
      try {
        return await verify();
      } catch (error) {
        failure = { error };
        throw error;
      }
    });
    try {
      const request: AttemptRequest = { id, address, userName };
      return await this.#coordinator.ask<boolean | undefined>('login.attempt', request, signal);
    } catch (error) {
      throw failure ? failure.error : error;
    } finally {
      this.#verifiers.delete(id);
    }
  }
}

/** Guards the logins of all workers. */
export function serveLogins(hub: Hub, clock: Clock): void {
  const guard = new LoginGuard({ clock });
  hub.on('login.attempt', ({ id, address, userName }: AttemptRequest, from, signal) =>
    guard.attempt(address, userName, () => hub.ask<boolean>(from, 'login.verify', id), signal),
  );
}
