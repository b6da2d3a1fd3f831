import { signal } from '@preact/signals';

export interface Toast {
  readonly id: number;
  readonly kind: 'done' | 'failed';
  readonly text: string;
}

const SHOWN_MS = 6000;
const MAX_TOASTS = 4;

/** Short messages of what has been done; those of failures stay until they are closed. */
export class Toasts {
  readonly shown = signal<readonly Toast[]>([]);
  #nextId = 1;

  done(text: string): void {
    const id = this.#add('done', text);
    setTimeout(() => this.close(id), SHOWN_MS);
  }

  failed(text: string): void {
    this.#add('failed', text);
  }

  close(id: number): void {
    this.shown.value = this.shown.value.filter((toast) => toast.id !== id);
  }

  #add(kind: Toast['kind'], text: string): number {
    const id = this.#nextId;
    this.#nextId += 1;
    this.shown.value = [...this.shown.value, { id, kind, text }].slice(-MAX_TOASTS);
    return id;
  }
}
