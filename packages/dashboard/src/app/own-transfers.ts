import { type Signal, signal } from '@preact/signals';
import { counted } from '../model/quantities.js';
import { RateMeter } from '../model/rate-meter.js';
import { nameOf } from '../model/remote-names.js';
import {
  type FileToSend,
  failureText,
  type IfExists,
  type PendingUpload,
  type ServerApi,
  ServerError,
  type TransferOptions,
  type TransferProgress,
} from '../server-api.js';

/** A file that was not transferred. */
export interface TransferFailure {
  readonly path: string;
  readonly text: string;
}

/** How far a transfer of this page is. */
export interface OwnTransferState {
  readonly kind: 'running' | 'done' | 'failed' | 'canceled';
  readonly doneBytes: number;
  readonly totalBytes: number | undefined;
  readonly resumedBytes: number;
  /** In bytes per second. */
  readonly rate: number;
  readonly filesDone: number;
  readonly filesTotal: number;
  readonly skipped: number;
  readonly failures: readonly TransferFailure[];
  /** Of the whole, when it ended; empty otherwise. */
  readonly problem: string;
}

/** A transfer that this page makes. */
export interface OwnTransfer {
  readonly id: number;
  readonly direction: 'upload' | 'download';
  readonly title: string;
  /** The directory on the server. */
  readonly place: string;
  readonly state: Signal<OwnTransferState>;
  cancel(): void;
}

/** What is left of an upload that ended with the login. */
export interface InterruptedUpload {
  readonly files: readonly FileToSend[];
  readonly place: string;
  readonly ifExists: IfExists;
}

const BEGUN: OwnTransferState = {
  kind: 'running',
  doneBytes: 0,
  totalBytes: undefined,
  resumedBytes: 0,
  rate: 0,
  filesDone: 0,
  filesTotal: 1,
  skipped: 0,
  failures: [],
  problem: '',
};

/** Failures of single files that are kept of a transfer. */
const MAX_FAILURES = 100;

/** A page is told of progress this often at most: thousands of files end in a second. */
const PROGRESS_MS = 100;

/** The uploads and downloads that this page makes, the newest first; and uploads that it can go on with. */
export class OwnTransfers {
  readonly list = signal<readonly OwnTransfer[]>([]);
  readonly pending = signal<readonly PendingUpload[]>([]);
  /** Rises when files on the server have changed by a transfer: lists are read anew. */
  readonly filesVersion = signal(0);
  readonly #api: ServerApi;
  /** What uploads have left to send. */
  readonly #unsent = new Map<OwnTransfer, InterruptedUpload>();
  #nextId = 1;

  constructor(api: ServerApi) {
    this.#api = api;
  }

  upload(files: readonly FileToSend[], place: string, ifExists: IfExists): OwnTransfer {
    const [first] = files;
    const title = files.length === 1 && first ? nameOf(first.path) : counted(files.length, 'file');
    const totalBytes = files.reduce((sum, { file }) => sum + file.size, 0);
    const begun = { ...BEGUN, totalBytes, filesTotal: files.length };
    const unsent = new Set(files);
    const byPath = new Map(files.map((each) => [each.path, each]));
    const transfer = this.#begin('upload', title, place, begun, (change, options) =>
      this.#api.send(files, {
        ...options,
        ifExists,
        onFile: (path, { skipped, error }) => {
          const sent = byPath.get(path);
          if (sent && !error) unsent.delete(sent);
          change((state) => ({
            ...state,
            filesDone: state.filesDone + 1,
            skipped: state.skipped + (skipped ? 1 : 0),
            failures:
              error && state.failures.length < MAX_FAILURES
                ? [...state.failures, { path, text: failureText(error) }]
                : state.failures,
          }));
        },
      }),
    );
    this.#unsent.set(transfer, {
      get files() {
        return [...unsent];
      },
      place,
      ifExists,
    });
    return transfer;
  }

  download(path: string, size: number | undefined, place: string): OwnTransfer {
    const begun = { ...BEGUN, totalBytes: size };
    const target = { name: nameOf(path), ...(size !== undefined && { size }) };
    return this.#begin('download', nameOf(path), place, begun, (_change, options) =>
      this.#api.fetch(path, target, options),
    );
  }

  /** Goes on with an upload of before. @param file picked again, where the browser does not have it any more */
  resume(upload: PendingUpload, file: File | undefined, place: string): OwnTransfer {
    const begun = { ...BEGUN, totalBytes: upload.size, doneBytes: upload.doneBytes };
    this.pending.value = this.pending.value.filter(({ id }) => id !== upload.id);
    const transfer = this.#begin('upload', upload.name, place, begun, (_change, options) =>
      this.#api.resumeUpload(upload.id, file, options),
    );
    if (file) this.#unsent.set(transfer, { files: [{ file, path: upload.path }], place, ifExists: 'replace' });
    return transfer;
  }

  /** Goes on with uploads that ended with the login: the page has their files still. */
  async goOn(interrupted: readonly InterruptedUpload[]): Promise<void> {
    await this.readPending();
    for (const { files, place, ifExists } of interrupted) {
      const others: FileToSend[] = [];
      for (const each of files) {
        const known = this.pending.value.find(({ path, size }) => path === each.path && size === each.file.size);
        if (known) this.resume(known, each.file, place);
        else others.push(each);
      }
      if (others.length > 0) this.upload(others, place, ifExists);
    }
  }

  async forget(id: string): Promise<void> {
    await this.#api.forgetUpload(id);
    await this.readPending();
  }

  async readPending(): Promise<void> {
    try {
      this.pending.value = await this.#api.pendingUploads();
    } catch {
      this.pending.value = []; // a browser that keeps nothing
    }
  }

  /** Takes those off the list that have ended. */
  clearEnded(): void {
    this.list.value = this.list.value.filter(({ state }) => state.value.kind === 'running');
  }

  /** Ends all that goes on. @returns the uploads that were not complete, but for those that the user has stopped */
  interrupt(): InterruptedUpload[] {
    const interrupted = [...this.#unsent.values()].filter(({ files }) => files.length > 0);
    for (const transfer of this.list.value) transfer.cancel();
    this.list.value = [];
    this.pending.value = [];
    return interrupted;
  }

  #begin(
    direction: OwnTransfer['direction'],
    title: string,
    place: string,
    begun: OwnTransferState,
    work: (change: Change, options: TransferOptions) => Promise<void>,
  ): OwnTransfer {
    const end = new AbortController();
    const meter = new RateMeter();
    const board = new Board(begun);
    const onProgress = (progress: TransferProgress): void => {
      meter.add(performance.now(), progress.doneBytes - progress.resumedBytes);
      board.change((state) => ({
        ...state,
        doneBytes: progress.doneBytes,
        totalBytes: progress.totalBytes ?? state.totalBytes,
        resumedBytes: progress.resumedBytes,
        rate: meter.rate,
      }));
    };
    const id = this.#nextId;
    this.#nextId += 1;
    const transfer = { id, direction, title, place, state: board.shown, cancel: () => end.abort() };
    this.list.value = [transfer, ...this.list.value];
    void work((step) => board.change(step), { signal: end.signal, onProgress })
      .then(
        () => {
          board.end((state) => ({ ...state, kind: state.failures.length > 0 ? 'failed' : 'done', rate: 0 }));
          this.#unsent.delete(transfer);
        },
        (error: unknown) => {
          const isCanceled = end.signal.aborted || (error instanceof ServerError && error.kind === 'canceled');
          const ended = isCanceled ? CANCELED : { kind: 'failed' as const, problem: failureText(error) };
          board.end((state) => ({ ...state, ...ended, rate: 0 }));
          // the login has ended, which the page learns as soon: then it goes on after the next one
          if (error instanceof ServerError && error.kind === 'not-logged-in') return;
          this.#unsent.delete(transfer);
        },
      )
      .then(() => {
        if (direction !== 'upload') return;
        this.filesVersion.value += 1;
        return this.readPending();
      });
    return transfer;
  }
}

type Change = (step: (state: OwnTransferState) => OwnTransferState) => void;

const CANCELED = { kind: 'canceled' as const, problem: '' };

/** Shows a state that may change thousands of times a second some times a second. */
class Board {
  readonly shown: Signal<OwnTransferState>;
  #state: OwnTransferState;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(state: OwnTransferState) {
    this.#state = state;
    this.shown = signal(state);
  }

  change(step: (state: OwnTransferState) => OwnTransferState): void {
    if (this.#state.kind !== 'running') return;
    this.#state = step(this.#state);
    this.#timer ??= setTimeout(() => this.#show(), PROGRESS_MS);
  }

  end(step: (state: OwnTransferState) => OwnTransferState): void {
    this.#state = step(this.#state);
    this.#show();
  }

  #show(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.shown.value = this.#state;
  }
}
