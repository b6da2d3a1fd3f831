import { signal } from '@preact/signals';
import { retryDelayMs, statsIntervalMs } from '../model/retry-delay.js';
import { figuresOf, type ServerFigures } from '../model/server-figures.js';
import { ServerHistory } from '../model/server-history.js';
import { type LoginSession, type ServerApi, ServerError } from '../server-api.js';
import { Pause } from './pause.js';

/** Whether the server is reached. */
export type LinkState =
  | { readonly kind: 'connecting' }
  | { readonly kind: 'open' }
  | {
      readonly kind: 'lost';
      /** As Date.now. */
      readonly nextTryAtMs: number;
      readonly reason: string;
    };

/** Asks the server again and again how it is: so it knows whether the server is reached, and has what the overview shows. */
export class LinkKeeper {
  readonly state = signal<LinkState>({ kind: 'connecting' });
  readonly figures = signal<ServerFigures | undefined>(undefined);
  readonly roundTripMs = signal<number | undefined>(undefined);
  readonly history = new ServerHistory();
  /** Rises with each value of `history`. */
  readonly historyVersion = signal(0);
  readonly #api: ServerApi;
  readonly #onLoginEnded: () => void;
  readonly #pause = new Pause();

  constructor(api: ServerApi, onLoginEnded: () => void) {
    this.#api = api;
    this.#onLoginEnded = onLoginEnded;
  }

  /** Does not wait for the next attempt. */
  tryNow(): void {
    this.#pause.wake();
  }

  /** Goes on until the signal is aborted, or the login has ended. */
  async run(session: LoginSession, signal: AbortSignal): Promise<void> {
    const wake = (): void => {
      if (!document.hidden) this.#pause.wake();
    };
    document.addEventListener('visibilitychange', wake);
    window.addEventListener('online', wake);
    try {
      await this.#keepAsking(session.role === 'admin', signal);
    } catch (error) {
      if (!signal.aborted) throw error;
    } finally {
      document.removeEventListener('visibilitychange', wake);
      window.removeEventListener('online', wake);
    }
  }

  async #keepAsking(isAdmin: boolean, signal: AbortSignal): Promise<void> {
    let attempt = 0;
    for (;;) {
      try {
        await (isAdmin ? this.#askStats(signal) : this.#ping(signal));
        attempt = 0;
        this.state.value = OPEN;
        await this.#pause.for(statsIntervalMs(this.figures.value?.connections ?? 0, document.hidden), signal);
      } catch (error) {
        signal.throwIfAborted();
        if (await this.#hasLoginEnded(error, signal)) return this.#onLoginEnded();
        attempt += 1;
        const delayMs = retryDelayMs(attempt, Math.random());
        const reason = error instanceof Error ? error.message : String(error);
        this.state.value = { kind: 'lost', nextTryAtMs: Date.now() + delayMs, reason };
        this.history.addGap(Date.now() / 1000);
        await this.#pause.for(delayMs, signal);
      }
    }
  }

  async #askStats(signal: AbortSignal): Promise<void> {
    const begunMs = performance.now();
    const stats = await this.#api.stats(signal);
    const roundTripMs = performance.now() - begunMs;
    this.history.add(Date.now() / 1000, stats, roundTripMs);
    this.figures.value = figuresOf(stats);
    this.roundTripMs.value = roundTripMs;
    this.historyVersion.value += 1;
  }

  async #ping(signal: AbortSignal): Promise<void> {
    this.roundTripMs.value = await this.#api.ping(signal);
  }

  /** A broken link may be a login that has ended: the server is asked, if it can be. */
  async #hasLoginEnded(error: unknown, signal: AbortSignal): Promise<boolean> {
    if (error instanceof ServerError && error.kind === 'not-logged-in') return true;
    try {
      return (await this.#api.session(signal)) === undefined;
    } catch {
      signal.throwIfAborted();
      return false;
    }
  }
}

const OPEN: LinkState = { kind: 'open' };
