import { computed, signal } from '@preact/signals';
import { parseRoute, type Route, routeHash } from '../model/routes.js';
import { type LoginSession, type ServerApi, ServerError } from '../server-api.js';
import { ConnectionsFeed } from './connections-feed.js';
import { LinkKeeper } from './link-keeper.js';
import { LogFeed } from './log-feed.js';
import { type InterruptedUpload, OwnTransfers } from './own-transfers.js';
import { Questions } from './questions.js';
import { Toasts } from './toasts.js';

/** What the page knows, from the login on. */
export interface Visit {
  readonly session: LoginSession;
  readonly link: LinkKeeper;
  readonly connections: ConnectionsFeed;
  readonly log: LogFeed;
  readonly transfers: OwnTransfers;
}

/** The page as a whole: who is logged in, and where they are. */
export class Dashboard {
  readonly api: ServerApi;
  readonly toasts = new Toasts();
  readonly questions = new Questions();
  /** `undefined` as long as it is not known, `null` for nobody. */
  readonly visit = signal<Visit | null | undefined>(undefined);
  /** Why the server cannot be asked who has logged in; empty otherwise. */
  readonly startProblem = signal('');
  /** What the login page says. */
  readonly notice = signal('');
  readonly #hash = signal(location.hash);
  readonly route = computed<Route>(() => parseRoute(this.#hash.value, this.visit.value?.session.role ?? ''));
  #end = new AbortController();
  /** Uploads that ended with the login of a user, and go on with the next one. */
  #interrupted: { readonly user: string; readonly uploads: readonly InterruptedUpload[] } | undefined;

  constructor(api: ServerApi) {
    this.api = api;
    window.addEventListener('hashchange', () => {
      this.#hash.value = location.hash;
    });
  }

  /** Finds out who has logged in. Goes on until the server says so. */
  async start(): Promise<void> {
    for (;;) {
      try {
        const session = await this.api.session();
        this.startProblem.value = '';
        if (session) this.#begin(session);
        else this.visit.value = null;
        return;
      } catch (error) {
        this.startProblem.value = error instanceof Error ? error.message : String(error);
        await new Promise((resolve) => setTimeout(resolve, 2000));
      }
    }
  }

  async logIn(user: string, password: string): Promise<void> {
    const session = await this.api.logIn(user, password);
    this.notice.value = '';
    this.#begin(session);
  }

  async logOut(): Promise<void> {
    try {
      await this.api.logOut();
    } catch (error) {
      // without the server there is no login that could be used
      if (!(error instanceof ServerError)) throw error;
    }
    this.#leave('');
  }

  go(route: Route): void {
    location.hash = routeHash(route);
  }

  /** Does something for the user, and says so when it fails. @returns whether it was done */
  async attempt(work: () => Promise<void>, failure: (text: string) => string): Promise<boolean> {
    try {
      await work();
      return true;
    } catch (error) {
      this.toasts.failed(failure(error instanceof Error ? error.message : String(error)));
      return false;
    }
  }

  #begin(session: LoginSession): void {
    this.#end = new AbortController();
    const link = new LinkKeeper(this.api, () => this.#onLoginEnded());
    const transfers = new OwnTransfers(this.api);
    this.visit.value = {
      session,
      link,
      connections: new ConnectionsFeed(this.api, link),
      log: new LogFeed(this.api, link),
      transfers,
    };
    const interrupted = this.#interrupted;
    this.#interrupted = undefined;
    if (interrupted?.user === session.user) void transfers.goOn(interrupted.uploads);
    else void transfers.readPending();
    void link.run(session, this.#end.signal);
  }

  #onLoginEnded(): void {
    const visit = this.visit.value;
    if (!visit) return;
    const uploads = visit.transfers.interrupt();
    this.#interrupted = { user: visit.session.user, uploads };
    const andUploads = uploads.length > 0 ? ', also with what was being sent' : '';
    this.#leave(`Your login has ended. Log in again to go on${andUploads}.`);
  }

  #leave(notice: string): void {
    this.#end.abort(new DOMException('logged out', 'AbortError'));
    const visit = this.visit.value;
    visit?.connections.close();
    visit?.log.close();
    visit?.transfers.interrupt();
    this.notice.value = notice;
    this.visit.value = null;
  }
}
