import {
  type BrowserClient,
  type ConnectOptions,
  type ControlClient,
  connect,
  connectControl,
  measureSpeed,
} from '@sluice/client/browser';
import { nameOf } from '../model/remote-names.js';
import {
  type ClosedConnection,
  type ConnectionExplanation,
  type ConnectionRecord,
  type DownloadTarget,
  type FileEntry,
  type FileStatus,
  type FileToSend,
  type FollowOptions,
  type Kick,
  type LogBatch,
  type LoginSession,
  type PendingUpload,
  type SendOptions,
  type ServerApi,
  ServerError,
  type ServerPartial,
  type ServerUsers,
  type SpeedResult,
  type SpeedTest,
  type TransferOptions,
  type UserChange,
  type Verification,
} from '../server-api.js';
import { postLogin, postLogout, readSession } from './http-login.js';
import { saveFile } from './saved-file.js';
import { SentFiles } from './sent-files.js';
import { told, toldEach } from './server-errors.js';

/** Questions fail soon: the page itself asks again, and says that the server is not reached. */
const ASKING: ConnectOptions = { connectTimeoutMs: 5000, responseTimeoutMs: 15_000, retries: 0 };

/** Transfers wait for a server that is started again, or for a laptop that is opened again: a quarter of an hour, at the least, without any byte. */
const TRANSFERRING: ConnectOptions = { retries: 120, maxConnections: 16 };

/** Of a file whose digests the server reads from its disk, answers take their time. */
const VERIFYING: ConnectOptions = { retries: 5 };

/** How often a measurement tells how fast it is. */
const SPEED_INTERVAL_MS = 250;

/** The server that the page comes from, by the SDK. */
export class SdkServer implements ServerApi {
  readonly #control = new Kept<ControlClient>(() => connectControl(ASKING));
  readonly #files = new Kept<BrowserClient>(() => connect(ASKING));
  readonly #transfers = new Kept<BrowserClient>(() => connect(TRANSFERRING));
  readonly #verifier = new Kept<BrowserClient>(() => connect(VERIFYING));

  session(signal?: AbortSignal): Promise<LoginSession | undefined> {
    return readSession(signal);
  }

  async logIn(user: string, password: string): Promise<LoginSession> {
    await postLogin(user, password);
    // what was connected with another login, or with none, must not be used with this one
    await this.#close();
    const session = await readSession();
    if (!session) throw new Error('the browser has not kept the login: it must allow cookies');
    return session;
  }

  async logOut(): Promise<void> {
    await this.#close();
    await postLogout();
  }

  async ping(signal?: AbortSignal): Promise<number> {
    const roundTripMs = await told(
      this.#files.use(async (client) => {
        const begunMs = performance.now();
        await client.ping(forSignal(signal));
        return performance.now() - begunMs;
      }),
    );
    // the gateway answers a ping also without a login, as the port of TCP does
    if (!(await readSession(signal))) throw new ServerError('not-logged-in', 'the login has ended');
    return roundTripMs;
  }

  stats(signal?: AbortSignal): Promise<Readonly<Record<string, unknown>>> {
    return told(this.#control.use((control) => control.stats(forSignal(signal))));
  }

  async *watchConnections(intervalMs: number, signal: AbortSignal): AsyncGenerator<readonly ConnectionRecord[]> {
    const control = await told(this.#control.open());
    // our servers tell all of each connection; what the page is served by is one of them
    const watched = control.watch({ intervalMs, signal }) as AsyncIterable<readonly ConnectionRecord[]>;
    yield* toldEach(watched);
  }

  recentlyClosed(signal?: AbortSignal): Promise<readonly ClosedConnection[]> {
    return told(this.#control.use((control) => control.recentlyClosed(forSignal(signal))));
  }

  explain(id: number, signal?: AbortSignal): Promise<ConnectionExplanation> {
    return told(this.#control.use((control) => control.explain(id, forSignal(signal))));
  }

  kick(kick: Kick): Promise<number> {
    return told(this.#control.use((control) => control.kick(kick)));
  }

  users(signal?: AbortSignal): Promise<ServerUsers> {
    return told(this.#control.use((control) => control.listUsers(forSignal(signal))));
  }

  setUser(change: UserChange): Promise<void> {
    return told(this.#control.use((control) => control.setUser(change)));
  }

  removeUser(name: string): Promise<void> {
    return told(this.#control.use((control) => control.removeUser(name)));
  }

  async *followLog(options: FollowOptions): AsyncGenerator<LogBatch> {
    const control = await told(this.#control.open());
    const { cursor, lines, level, signal } = options;
    yield* toldEach(control.followLog({ lines, level, signal, ...(cursor !== undefined && { cursor }) }));
  }

  list(path: string, signal?: AbortSignal): Promise<readonly FileEntry[]> {
    return told(this.#files.use((client) => client.list(path, forSignal(signal))));
  }

  async status(path: string, signal?: AbortSignal): Promise<FileStatus> {
    const status = await told(this.#files.use((client) => client.stat(path, forSignal(signal))));
    const { kind, size, modifiedNs, mode, contentDigest } = status;
    return {
      kind,
      size,
      ...(modifiedNs !== undefined && { modifiedMs: Number(modifiedNs / 1_000_000n) }),
      ...(mode !== undefined && { mode }),
      ...(contentDigest !== undefined && { contentDigest }),
    };
  }

  makeDirectory(path: string): Promise<void> {
    return told(this.#files.use((client) => client.makeDirectory(path)));
  }

  rename(path: string, newPath: string): Promise<void> {
    return told(this.#files.use((client) => client.rename(path, newPath)));
  }

  removeFile(path: string): Promise<void> {
    return told(this.#files.use((client) => client.removeFile(path)));
  }

  removeDirectory(path: string): Promise<void> {
    return told(this.#files.use((client) => client.removeDirectory(path)));
  }

  verify(path: string, { signal, onProgress }: TransferOptions): Promise<Verification> {
    return told(
      this.#verifier.use((client) =>
        client.verify(path, {
          ...forSignal(signal),
          onProgress: ({ bytesDone, bytesTotal }) =>
            onProgress?.({
              doneBytes: bytesDone,
              resumedBytes: 0,
              ...(bytesTotal !== undefined && { totalBytes: bytesTotal }),
            }),
        }),
      ),
    );
  }

  send(files: readonly FileToSend[], options: SendOptions): Promise<void> {
    return told(this.#transfers.use((client) => new SentFiles(client, files, options).run(files)));
  }

  fetch(path: string, target: DownloadTarget, options: TransferOptions): Promise<void> {
    return told(saveFile(() => this.#transfers.open(), path, target, options));
  }

  async pendingUploads(): Promise<readonly PendingUpload[]> {
    const found = await told(this.#transfers.use((client) => client.listPendingUploads()));
    return found
      .filter(({ isRunning }) => !isRunning)
      .map(({ id, target, name, size, bytesDone, changedAt, needsFile }) => ({
        id,
        path: target,
        name: name || nameOf(target),
        size,
        doneBytes: bytesDone,
        changedAtMs: changedAt.getTime(),
        hasFile: !needsFile,
      }));
  }

  async resumeUpload(id: string, file: File | undefined, { signal, onProgress }: TransferOptions): Promise<void> {
    await told(
      this.#transfers.use((client) =>
        client.resumeUpload(id, file, {
          ...forSignal(signal),
          onProgress: ({ bytesDone, bytesTotal, bytesResumed }) =>
            onProgress?.({
              doneBytes: bytesDone,
              resumedBytes: bytesResumed,
              ...(bytesTotal !== undefined && { totalBytes: bytesTotal }),
            }),
        }),
      ),
    );
  }

  forgetUpload(id: string): Promise<void> {
    return told(this.#transfers.use((client) => client.dropPendingUpload(id)));
  }

  partials(signal?: AbortSignal): Promise<readonly ServerPartial[]> {
    return told(this.#files.use((client) => client.listPartials(forSignal(signal))));
  }

  dropPartial(id: string): Promise<void> {
    return told(this.#files.use((client) => client.dropPartial(id)));
  }

  async measureSpeed({ direction, streams, seconds, onInterval, signal }: SpeedTest): Promise<SpeedResult> {
    const result = await told(
      measureSpeed({
        direction,
        streams,
        seconds,
        signal,
        intervalMs: SPEED_INTERVAL_MS,
        onInterval: ({ toSeconds, up, down, latency }) =>
          onInterval({
            toSeconds,
            ...(up && { up: up.bytesPerSecond }),
            ...(down && { down: down.bytesPerSecond }),
            ...(latency && { medianMs: latency.medianMs }),
          }),
      }),
    );
    const { up, down, idleLatency, loadedLatency, limit } = result;
    return {
      seconds: result.seconds,
      ...(up && { up: up.bytesPerSecond }),
      ...(down && { down: down.bytesPerSecond }),
      idle: idleLatency,
      ...(loadedLatency && { loaded: loadedLatency }),
      limit,
    };
  }

  async #close(): Promise<void> {
    await Promise.all([this.#control.close(), this.#files.close(), this.#transfers.close(), this.#verifier.close()]);
  }
}

function forSignal(signal: AbortSignal | undefined): { readonly signal?: AbortSignal } {
  return signal ? { signal } : {};
}

/** A client that is connected when it is needed, and then kept: it mends its connections by itself. */
class Kept<T extends { close(): Promise<void> }> {
  readonly #connect: () => Promise<T>;
  #opening: Promise<T> | undefined;

  constructor(connect: () => Promise<T>) {
    this.#connect = connect;
  }

  open(): Promise<T> {
    this.#opening ??= this.#connect().catch((error: unknown) => {
      this.#opening = undefined;
      throw error;
    });
    return this.#opening;
  }

  async use<R>(work: (client: T) => Promise<R>): Promise<R> {
    return work(await this.open());
  }

  async close(): Promise<void> {
    const opening = this.#opening;
    this.#opening = undefined;
    const client = await opening?.catch(() => undefined);
    await client?.close();
  }
}
