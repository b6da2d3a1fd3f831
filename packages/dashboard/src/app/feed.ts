import { effect, signal } from '@preact/signals';
import { failureText, ServerError } from '../server-api.js';
import type { LinkKeeper } from './link-keeper.js';
import { Pause } from './pause.js';

/** How long a page that nobody sees goes on to be told of changes. */
const HIDDEN_MS = 30_000;

/** Before something is asked for again that has failed. */
const AGAIN_MS = 1500;

/** Something that the server tells as long as a page shows it. It goes on by itself when the link was broken. */
export abstract class Feed {
  /** Why nothing comes that would not be mended by waiting; empty if nothing is wrong. */
  readonly problem = signal('');
  readonly #link: LinkKeeper;
  #users = 0;
  #running: AbortController | undefined;
  #hiddenTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(link: LinkKeeper) {
    this.#link = link;
    document.addEventListener('visibilitychange', this.#onVisibility);
  }

  /** Told of until the returned function is called. */
  retain(): () => void {
    this.#users += 1;
    this.#start();
    let isReleased = false;
    return () => {
      if (isReleased) return;
      isReleased = true;
      this.#users -= 1;
      if (this.#users === 0) this.#stop();
    };
  }

  /** Ends for good, with the login. */
  close(): void {
    document.removeEventListener('visibilitychange', this.#onVisibility);
    clearTimeout(this.#hiddenTimer);
    this.#users = 0;
    this.#stop();
  }

  /** Asks anew, because what is asked for is something else now. */
  protected restart(): void {
    if (!this.#running) return;
    this.#stop();
    this.#start();
  }

  /** Listens until the signal is aborted; may fail. */
  protected abstract listen(signal: AbortSignal): Promise<void>;

  readonly #onVisibility = (): void => {
    clearTimeout(this.#hiddenTimer);
    if (document.hidden) this.#hiddenTimer = setTimeout(() => this.#stop(), HIDDEN_MS);
    else if (this.#users > 0) this.#start();
  };

  #start(): void {
    if (this.#running) return;
    const running = new AbortController();
    this.#running = running;
    void this.#keepListening(running.signal);
  }

  #stop(): void {
    this.#running?.abort(new DOMException('no longer shown', 'AbortError'));
    this.#running = undefined;
  }

  async #keepListening(signal: AbortSignal): Promise<void> {
    const pause = new Pause();
    while (!signal.aborted) {
      try {
        await this.#whenOpen(signal);
        this.problem.value = '';
        await this.listen(signal);
      } catch (error) {
        if (signal.aborted) return;
        const isForGood = error instanceof ServerError && ['forbidden', 'unsupported', 'refused'].includes(error.kind);
        if (isForGood) this.problem.value = failureText(error);
      }
      await pause.for(AGAIN_MS, signal).catch(() => {});
    }
  }

  async #whenOpen(signal: AbortSignal): Promise<void> {
    const { state } = this.#link;
    let endWatching = (): void => {};
    try {
      await new Promise<void>((resolve) => {
        signal.addEventListener('abort', () => resolve(), { once: true });
        endWatching = effect(() => {
          if (state.value.kind === 'open') resolve();
        });
      });
    } finally {
      endWatching();
    }
    signal.throwIfAborted();
  }
}
