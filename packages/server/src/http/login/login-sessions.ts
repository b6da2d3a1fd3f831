import type { Clock } from '@sluice/core';
import type { Coordinator } from '../../coordination/coordinator.js';
import { type LoginSession, SessionTokens } from './session-token.js';

export interface LoginSessionOptions {
  /** 32 bytes, the same in all processes of a server. */
  readonly key: Uint8Array;
  /** How long a login lasts, in milliseconds. */
  readonly lastsMs: number;
  /** As `UserStore.stampOf`. */
  readonly stampOf: (userName: string) => string | undefined;
  readonly clock: Clock;
  readonly coordinator: Coordinator;
  /** Milliseconds since 1970. @default the machine's */
  readonly now?: () => number;
}

interface Watched {
  readonly session: LoginSession;
  readonly stamp: string | undefined;
  readonly ended: AbortController;
}

/** Logins are looked at this often, for those that have ended by themselves. */
const SCAN_PERIOD_MS = 10_000;

/** Logouts of one user that are remembered one by one; with more, all that was begun before has ended. */
const MAX_LOGOUTS_OF_USER = 1000;

/** Logins whose end somebody waits for. */
const MAX_WATCHED = 10_000;

/**
 * The logins of browsers. What is known of one is in its token; here is only what ends it before its time: a logout, which all processes hear
 * before it is answered, and a change of the user.
 */
export class LoginSessions {
  readonly #options: LoginSessionOptions;
  readonly #tokens: SessionTokens;
  readonly #now: () => number;
  /** Ids of those that have ended, and when they would have expired; by user. */
  readonly #ended = new Map<string, Map<string, number>>();
  /** What was begun no later than this has ended; by user. */
  readonly #endedBefore = new Map<string, number>();
  /** By id. */
  readonly #watched = new Map<string, Watched>();
  readonly #stop: () => void;

  constructor(options: LoginSessionOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
    this.#tokens = new SessionTokens(options.key, options.stampOf);
    this.#stop = options.clock.every(SCAN_PERIOD_MS, () => this.check());
    options.coordinator.on('http.logged-out', (sessions: readonly LoginSession[]) => {
      for (const session of sessions) this.#end(session);
    });
  }

  /** @returns `undefined` for a user who may not log in any more */
  begin(userName: string): { readonly token: string; readonly session: LoginSession } | undefined {
    return this.#tokens.issue(userName, this.#now(), this.#options.lastsMs);
  }

  /** @returns `undefined` for a token that proves nothing, or not any more */
  find(token: string): LoginSession | undefined {
    const session = this.#tokens.read(token, this.#now());
    if (!session || this.#ended.get(session.userName)?.has(session.id)) return undefined;
    return session.issuedAtMs > (this.#endedBefore.get(session.userName) ?? 0) ? session : undefined;
  }

  /** Ends a login, in all processes. */
  async end(session: LoginSession): Promise<void> {
    this.#end(session);
    if (!this.#options.coordinator.isAlone) await this.#options.coordinator.ask('http.logout', session);
  }

  /** Aborted when the login ends, for whatever reason. */
  endedSignal(session: LoginSession): AbortSignal {
    let watched = this.#watched.get(session.id);
    if (!watched) {
      const [oldest] = this.#watched.values();
      if (oldest && this.#watched.size >= MAX_WATCHED) this.#abort(oldest);
      const stamp = this.#options.stampOf(session.userName);
      watched = { session, stamp, ended: new AbortController() };
      this.#watched.set(session.id, watched);
    }
    return watched.ended.signal;
  }

  /** Ends logins that have expired, and those of users who are not as before. */
  check(): void {
    const nowMs = this.#now();
    for (const watched of this.#watched.values()) {
      const { session, stamp } = watched;
      if (session.expiresAtMs <= nowMs || this.#options.stampOf(session.userName) !== stamp) this.#abort(watched);
    }
    for (const [userName, ended] of this.#ended) {
      for (const [id, expiresAtMs] of ended) if (expiresAtMs <= nowMs) ended.delete(id);
      if (ended.size === 0) this.#ended.delete(userName);
    }
    for (const [userName, beforeMs] of this.#endedBefore)
      if (beforeMs + this.#options.lastsMs <= nowMs) this.#endedBefore.delete(userName);
  }

  close(): void {
    this.#stop();
    for (const watched of this.#watched.values()) this.#abort(watched);
  }

  #end(session: LoginSession): void {
    const { id, userName, issuedAtMs, expiresAtMs } = session;
    const watched = this.#watched.get(id);
    if (watched) this.#abort(watched);
    const ended = this.#ended.get(userName) ?? new Map<string, number>();
    ended.set(id, expiresAtMs);
    this.#ended.set(userName, ended);
    if (ended.size <= MAX_LOGOUTS_OF_USER) return;
    this.#ended.delete(userName);
    this.#endedBefore.set(userName, Math.max(issuedAtMs, this.#now()));
    for (const other of this.#watched.values()) if (other.session.userName === userName) this.#abort(other);
  }

  #abort({ session, ended }: Watched): void {
    this.#watched.delete(session.id);
    ended.abort();
  }
}
