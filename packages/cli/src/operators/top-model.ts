import type { ListedClient } from '@sluice/client';
import type { Key } from '../terminal/full-screen.js';
import { sortClients } from './client-columns.js';
import { SORT_KEYS, type SortKey } from './sort-keys.js';

/** What a key asks of the one who runs the view. */
export type TopAction =
  | { readonly kind: 'quit' | 'interrupt' | 'suspend' | 'redraw' }
  | { readonly kind: 'kick'; readonly client: ListedClient };

/** What the last line asks for. */
export type TopPrompt = { readonly kind: 'filter' } | { readonly kind: 'kick'; readonly client: ListedClient };

/** A filter longer than this matches nothing that there is. */
const MAX_FILTER_LENGTH = 200;

/** What `sluice top` shows, and what its keys change. Knows no terminal. */
export class TopModel {
  sort: SortKey;
  isReversed = false;
  filter: string;
  prompt: TopPrompt | undefined;
  isHelpShown = false;
  /** When the view was frozen, as Date.now; `undefined` while it follows the server. */
  frozenAtMs: number | undefined;
  /** What came of the last action; gone with the next key. */
  message = '';
  readonly #nowMs: () => number;
  /** As the server told them last. */
  #newest: readonly ListedClient[] = [];
  #all: readonly ListedClient[] = [];
  #rows: readonly ListedClient[] = [];
  #selected = 0;
  #first = 0;
  #height = 1;
  #filterBefore = '';

  /** @param nowMs as Date.now */
  constructor(sort: SortKey, filter: string, nowMs: () => number) {
    this.sort = sort;
    this.filter = filter;
    this.#nowMs = nowMs;
  }

  /** All connections that the view knows. */
  get all(): readonly ListedClient[] {
    return this.#all;
  }

  /** Those that the filter leaves, in order. */
  get rows(): readonly ListedClient[] {
    return this.#rows;
  }

  get selected(): ListedClient | undefined {
    return this.#rows[this.#selected];
  }

  /** The connections are these now. */
  show(clients: readonly ListedClient[]): void {
    this.#newest = clients;
    if (this.frozenAtMs !== undefined) return;
    this.#all = clients;
    this.#arrange();
  }

  /** The rows that fit on `height` lines, the selected one among them. */
  window(height: number): { readonly first: number; readonly rows: readonly ListedClient[] } {
    this.#height = Math.max(1, height);
    const last = Math.max(0, this.#rows.length - this.#height);
    const lowest = Math.min(last, this.#selected);
    this.#first = Math.max(Math.min(this.#first, lowest), this.#selected - this.#height + 1);
    return { first: this.#first, rows: this.#rows.slice(this.#first, this.#first + Math.max(0, height)) };
  }

  press(key: Key): TopAction | undefined {
    this.message = '';
    switch (key.name) {
      case 'ctrl-c':
        return { kind: 'interrupt' };
      case 'ctrl-z':
        return { kind: 'suspend' };
      case 'ctrl-l':
        return { kind: 'redraw' };
    }
    if (this.prompt?.kind === 'filter') return this.#editFilter(key);
    if (this.prompt?.kind === 'kick') return this.#confirmKick(this.prompt.client, key);
    if (this.isHelpShown) {
      this.isHelpShown = false;
      return undefined;
    }
    return this.#command(key);
  }

  #command({ name }: Key): TopAction | undefined {
    switch (name) {
      case 'q':
        return { kind: 'quit' };
      case 'up':
        return this.#select(this.#selected - 1);
      case 'down':
        return this.#select(this.#selected + 1);
      case 'pageup':
        return this.#select(this.#selected - this.#height);
      case 'pagedown':
        return this.#select(this.#selected + this.#height);
      case 'home':
        return this.#select(0);
      case 'end':
        return this.#select(this.#rows.length - 1);
      case 's':
      case 'right':
        return this.#sortBy(1);
      case 'S':
      case 'left':
        return this.#sortBy(-1);
      case 'r':
        this.isReversed = !this.isReversed;
        return this.#arrange();
      case ' ':
        return this.#freeze();
      case '/':
        this.#filterBefore = this.filter;
        this.prompt = { kind: 'filter' };
        return undefined;
      case 'escape':
        this.filter = '';
        return this.#arrange();
      case 'k':
        return this.#askKick();
      case '?':
      case 'h':
        this.isHelpShown = true;
        return undefined;
      default:
        return undefined;
    }
  }

  #editFilter({ name, text }: Key): undefined {
    if (name === 'return' || name === 'enter') {
      this.prompt = undefined;
    } else if (name === 'escape') {
      this.prompt = undefined;
      this.filter = this.#filterBefore;
    } else if (name === 'backspace') {
      this.filter = [...this.filter].slice(0, -1).join('');
    } else if (name === 'ctrl-u') {
      this.filter = '';
    } else if (this.filter.length + text.length <= MAX_FILTER_LENGTH) {
      this.filter += text;
    }
    return this.#arrange();
  }

  #askKick(): undefined {
    const client = this.selected;
    if (client === undefined) this.message = 'no connection to end';
    else if (client.id === undefined) this.message = 'this server cannot end connections: it is an original';
    else this.prompt = { kind: 'kick', client };
    return undefined;
  }

  #confirmKick(client: ListedClient, { name }: Key): TopAction | undefined {
    this.prompt = undefined;
    if (name === 'y' || name === 'Y') return { kind: 'kick', client };
    this.message = 'not ended';
    return undefined;
  }

  #freeze(): undefined {
    this.frozenAtMs = this.frozenAtMs === undefined ? this.#nowMs() : undefined;
    this.show(this.#newest);
  }

  #sortBy(step: 1 | -1): undefined {
    const index = SORT_KEYS.indexOf(this.sort) + step;
    this.sort = SORT_KEYS.at(index % SORT_KEYS.length) ?? this.sort;
    return this.#arrange();
  }

  #select(index: number): undefined {
    this.#selected = Math.max(0, Math.min(index, this.#rows.length - 1));
  }

  /** The selection stays on its connection, wherever that moves; when it is gone, on its place. */
  #arrange(): undefined {
    const selected = this.selected;
    const text = this.filter.toLowerCase();
    const rows = sortClients(text === '' ? this.#all : this.#all.filter((client) => matches(client, text)), this.sort);
    this.#rows = this.isReversed ? rows.reverse() : rows;
    const index = selected === undefined ? -1 : this.#rows.findIndex((client) => isSame(client, selected));
    this.#select(index < 0 ? this.#selected : index);
  }
}

function matches({ id, user, protocol, remoteAddress, transfer }: ListedClient, text: string): boolean {
  return [String(id ?? ''), user ?? '', protocol, remoteAddress, transfer?.name ?? ''].some((each) =>
    each.toLowerCase().includes(text),
  );
}

/** An original server gives no ids; two connections from one address and port are not there at the same time. */
function isSame(a: ListedClient, b: ListedClient): boolean {
  return a.id === b.id && a.remoteAddress === b.remoteAddress;
}
