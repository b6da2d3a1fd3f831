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
import { DemoConnections } from './demo-connections.js';
import { DemoFiles } from './demo-files.js';
import { DemoLog } from './demo-log.js';
import { demoExplanation, demoStats } from './demo-stats.js';
import { DemoTimings } from './demo-timings.js';
import { DemoUsers } from './demo-users.js';

/** How the demonstration is to be: `?demo&connections=10000&role=admin&login&empty&slow`. */
export interface DemoOptions {
  readonly connections: number;
  readonly role: LoginSession['role'];
  /** Whether nobody has logged in yet; any name with the password `demo` may. */
  readonly needsLogin: boolean;
  /** Whether there are no files, and nothing that was begun before. */
  readonly isEmpty: boolean;
}

/** How long an answer takes. */
const ANSWER_MS = 4;
/** What uploads, downloads and measurements seem to move. */
const BYTES_PER_SECOND = 180e6;

/** A server that is none: for `vite dev` with `?demo`, and to look at the page with thousands of connections. `demo.lose()` in the console cuts the link. */
export class DemoServer implements ServerApi {
  readonly #options: DemoOptions;
  readonly #connections: DemoConnections;
  readonly #files: DemoFiles;
  readonly #log = new DemoLog();
  readonly #users = new DemoUsers();
  readonly #timings = new DemoTimings();
  readonly #startedMs = Date.now() - 93_784_000;
  readonly #closed: ClosedConnection[] = [];
  #session: LoginSession | undefined;
  #isLost = false;
  #received = 0;
  #sent = 0;
  #stepMs = performance.now();
  #partials: ServerPartial[];
  #pending: PendingUpload[];

  constructor(options: DemoOptions) {
    this.#options = options;
    this.#connections = new DemoConnections(options.connections);
    this.#files = new DemoFiles(options.isEmpty);
    this.#partials = options.isEmpty ? [] : PARTIALS;
    this.#pending = options.isEmpty ? [] : PENDING;
    if (!options.needsLogin) this.#session = this.#sessionOf('admin');
    for (const each of this.#connections.list.slice(0, 12).toReversed()) this.#close(each, REASONS[each.id % 4]!);
  }

  lose(): void {
    this.#isLost = true;
  }

  find(): void {
    this.#isLost = false;
  }

  async session(): Promise<LoginSession | undefined> {
    await this.#answer();
    return this.#session;
  }

  async logIn(user: string, password: string): Promise<LoginSession> {
    await this.#answer(300);
    if (password !== 'demo') throw new ServerError('wrong-password', 'wrong user name or password');
    this.#session = this.#sessionOf(user);
    return this.#session;
  }

  async logOut(): Promise<void> {
    await this.#answer();
    this.#session = undefined;
  }

  async ping(signal?: AbortSignal): Promise<number> {
    await this.#answer(ANSWER_MS, signal);
    return ANSWER_MS;
  }

  async stats(signal?: AbortSignal): Promise<Readonly<Record<string, unknown>>> {
    await this.#answer(ANSWER_MS + Math.random() * 3, signal);
    this.#step();
    const bytes = { receivedBytes: this.#received, sentBytes: this.#sent };
    return demoStats(this.#connections.list, this.#startedMs, bytes, this.#partials, this.#timings);
  }

  async *watchConnections(intervalMs: number, signal: AbortSignal): AsyncGenerator<readonly ConnectionRecord[]> {
    for (;;) {
      this.#step();
      yield this.#connections.list;
      await this.#answer(intervalMs, signal);
    }
  }

  async recentlyClosed(signal?: AbortSignal): Promise<readonly ClosedConnection[]> {
    await this.#answer(ANSWER_MS, signal);
    return this.#closed;
  }

  async explain(id: number, signal?: AbortSignal): Promise<ConnectionExplanation> {
    await this.#answer(ANSWER_MS, signal);
    const connection = this.#connections.find(id) ?? this.#closed.find((each) => each.id === id);
    if (!connection) throw new ServerError('refused', 'this connection is not open, and not remembered');
    return demoExplanation(connection);
  }

  async kick({ id, user, isDryRun }: Kick): Promise<number> {
    await this.#answer();
    const isMeant = (each: ConnectionRecord): boolean => (id === undefined ? each.user === user : each.id === id);
    const meant = this.#connections.list.filter(isMeant);
    if (isDryRun) return meant.length;
    for (const each of meant) this.#close(each, 'kicked');
    return this.#connections.remove(isMeant);
  }

  async users(signal?: AbortSignal): Promise<ServerUsers> {
    await this.#answer(ANSWER_MS, signal);
    return { users: this.#users.list, source: 'file' };
  }

  async setUser(change: UserChange): Promise<void> {
    await this.#answer(200);
    this.#users.set(change);
  }

  async removeUser(name: string): Promise<void> {
    await this.#answer();
    this.#users.remove(name);
  }

  async *followLog({ cursor, lines, level, signal }: FollowOptions): AsyncGenerator<LogBatch> {
    yield* this.#log.follow(cursor, lines, level, (ms) => this.#answer(ms, signal));
  }

  async list(path: string, signal?: AbortSignal): Promise<readonly FileEntry[]> {
    await this.#answer(20, signal);
    const entries = this.#files.list(path);
    if (!entries) throw new ServerError('refused', 'directory does not exist');
    return entries;
  }

  async status(path: string, signal?: AbortSignal): Promise<FileStatus> {
    await this.#answer(ANSWER_MS, signal);
    const size = this.#files.sizeOf(path);
    if (size === undefined) return { kind: 'directory', size: 0, modifiedMs: this.#startedMs, mode: 0o755 };
    return { kind: 'file', size, modifiedMs: this.#startedMs, mode: 0o644, contentDigest: '9f86d081884c7d65' };
  }

  async makeDirectory(path: string): Promise<void> {
    await this.#answer();
    this.#files.makeDirectory(path);
  }

  async rename(path: string, newPath: string): Promise<void> {
    await this.#answer();
    if (!this.#files.rename(path, newPath)) throw new ServerError('refused', 'a file of this name exists');
  }

  async removeFile(path: string): Promise<void> {
    await this.#answer();
    this.#files.remove(path);
  }

  async removeDirectory(path: string): Promise<void> {
    await this.removeFile(path);
  }

  async verify(path: string, options: TransferOptions): Promise<Verification> {
    const bytes = this.#files.sizeOf(path) ?? 0;
    await this.#move(bytes, 0, options);
    const isDamaged = path.endsWith('.qcow2');
    return {
      bytes,
      state: isDamaged ? 'damaged' : 'intact',
      contentDigest: '9f86d081884c7d65',
      chunkBytes: 4_194_304,
      damagedChunks: isDamaged ? [17, 18, 402] : [],
    };
  }

  async send(files: readonly FileToSend[], options: SendOptions): Promise<void> {
    const totalBytes = files.reduce((sum, { file }) => sum + file.size, 0);
    let before = 0;
    for (const { file, path } of files) {
      await this.#move(file.size, 0, {
        ...options,
        onProgress: ({ doneBytes }) =>
          options.onProgress?.({ doneBytes: before + doneBytes, totalBytes, resumedBytes: 0 }),
      });
      before += file.size;
      this.#files.put(path, file.size);
      options.onFile?.(path, { bytes: file.size });
    }
  }

  async fetch(_path: string, { size = 0 }: DownloadTarget, options: TransferOptions): Promise<void> {
    await this.#move(size, 0, options);
  }

  async pendingUploads(): Promise<readonly PendingUpload[]> {
    return this.#pending;
  }

  async resumeUpload(id: string, _file: File | undefined, options: TransferOptions): Promise<void> {
    const upload = this.#pending.find((each) => each.id === id);
    if (!upload) throw new ServerError('refused', 'there is no such upload');
    await this.#move(upload.size, upload.doneBytes, options);
    this.#files.put(upload.path, upload.size);
    await this.forgetUpload(id);
  }

  async forgetUpload(id: string): Promise<void> {
    this.#pending = this.#pending.filter((each) => each.id !== id);
  }

  async partials(signal?: AbortSignal): Promise<readonly ServerPartial[]> {
    await this.#answer(ANSWER_MS, signal);
    return this.#partials;
  }

  async dropPartial(id: string): Promise<void> {
    await this.#answer();
    this.#partials = this.#partials.filter((each) => each.id !== id);
  }

  async measureSpeed({ direction, seconds, onInterval, signal }: SpeedTest): Promise<SpeedResult> {
    const speed = (): number => BYTES_PER_SECOND * 5 * (0.9 + Math.random() * 0.2);
    for (let passed = 0.25; passed <= seconds; passed += 0.25) {
      await this.#answer(250, signal);
      onInterval({
        toSeconds: passed,
        ...(direction !== 'down' && { up: speed() }),
        ...(direction !== 'up' && { down: speed() * 1.4 }),
        medianMs: 0.4 + Math.random() * 0.5,
      });
    }
    return {
      seconds,
      ...(direction !== 'down' && { up: BYTES_PER_SECOND * 5 }),
      ...(direction !== 'up' && { down: BYTES_PER_SECOND * 7 }),
      idle: { medianMs: 0.21, p95Ms: 0.34, maxMs: 0.6 },
      loaded: { medianMs: 0.62, p95Ms: 2.1, maxMs: 5.4 },
      limit: 'client-cpu',
    };
  }

  #sessionOf(user: string): LoginSession {
    return { user, role: this.#options.role, expiresAtMs: Date.now() + 43_200_000 };
  }

  #close(connection: ConnectionRecord, reason: string): void {
    const { transfer: _, ...record } = connection;
    const durationMs = Date.now() - Date.parse(connection.connectedAt);
    this.#closed.push({ ...record, closedAt: new Date().toISOString(), durationMs, reason });
  }

  #step(): void {
    const nowMs = performance.now();
    const seconds = (nowMs - this.#stepMs) / 1000;
    if (seconds < 0.5) return;
    this.#stepMs = nowMs;
    for (const { receiveRate, sendRate } of this.#connections.list) {
      this.#received += receiveRate * seconds;
      this.#sent += sendRate * seconds;
    }
    this.#connections.step(seconds);
  }

  async #move(bytes: number, from: number, { signal, onProgress }: TransferOptions): Promise<void> {
    for (let doneBytes = from; doneBytes < bytes; ) {
      await this.#answer(100, signal);
      doneBytes = Math.min(bytes, doneBytes + BYTES_PER_SECOND / 10);
      onProgress?.({ doneBytes, totalBytes: bytes, resumedBytes: from });
    }
  }

  async #answer(ms: number = ANSWER_MS, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    await new Promise((resolve) => setTimeout(resolve, ms));
    signal?.throwIfAborted();
    if (this.#isLost) throw new ServerError('lost', 'the server is not reached');
  }
}

const REASONS = ['peer-closed', 'idle-timeout', 'peer-reset', 'login-timeout'];

const PARTIALS: ServerPartial[] = [
  {
    id: '0123456789abcdef0123456789abcdef',
    name: 'backups/2026-02-01/postgres.dump',
    user: 'grace',
    size: 18_511_222_784,
    stagedBytes: 11_106_733_670,
    createdAt: '2026-02-01T02:00:00.000Z',
    changedAt: '2026-02-01T02:11:40.000Z',
    isHeld: false,
  },
  {
    id: '1123456789abcdef0123456789abcdef',
    name: 'media/raw/A001_C016_0131.mov',
    user: 'ada',
    size: 5_261_334_937,
    stagedBytes: 4_261_334_937,
    createdAt: '2026-02-01T08:00:00.000Z',
    changedAt: '2026-02-01T08:02:40.000Z',
    isHeld: true,
  },
];

const PENDING: PendingUpload[] = [
  {
    id: 'p1',
    path: 'vm/debian-13-amd64.qcow2',
    name: 'debian-13-amd64.qcow2',
    size: 3_221_225_472,
    doneBytes: 2_021_225_472,
    changedAtMs: Date.now() - 50_000_000,
    hasFile: false,
  },
];
