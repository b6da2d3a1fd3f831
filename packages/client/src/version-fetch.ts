import type { ChunkHash } from '@sluice/files/digests';
import { DIGEST_CHUNK_BYTES, Feature, ProtocolFlag, ResultCode } from '@sluice/wire';
import { Bell } from './bell.js';
import { digestOf } from './chunk-digest.js';
import { ChunkLedger, type ChunkRun } from './chunk-ledger.js';
import type { ChunkStore } from './chunk-store.js';
import type { Connection } from './connection.js';
import { ClientError, type ClientErrorCode } from './errors.js';
import { RangeReceiver } from './range-receiver.js';
import { askRange, askVersion, type RemoteState } from './range-requests.js';
import type { RemotePath } from './remote-path.js';
import { withRetries } from './retry.js';
import type { TransferContext } from './transfer-context.js';

/** Chunks that one request asks for at most, unless the target says otherwise: 32 MiB. */
const MAX_RUN_CHUNKS = 8;
/** Requests that a connection has going at once, so that the next data follows the last without a round trip. */
const RUNS_AT_ONCE = 2;
/** Chunks whose digests are asked for first, and where nothing is here yet, whose bytes: 16 MiB. */
const FIRST_CHUNKS = 4;
/** Chunks whose digests are asked for at once, 128 MiB: a disk of 3 MB/s still answers within the response timeout of 60 s. */
const DIGESTS_AT_ONCE = 32;
/** Missing chunks for which a further connection is worth it. */
const CHUNKS_PER_LANE = 4;

/** What the fetching of a version works with, and whom it tells. */
export interface VersionFetchInit {
  readonly context: TransferContext;
  readonly remote: RemotePath;
  readonly partial: ChunkStore;
  /** Reads a file that may have chunks of the one on the server, at the same places: fills the buffer, and says how many bytes there were. */
  readonly readBase: ((buffer: Uint8Array, position: number) => Promise<number>) | undefined;
  /** Chunks that one request asks for at most. @default 8 */
  readonly chunksAtOnce?: number;
  readonly newHash: () => ChunkHash;
  /** Connections at once. */
  readonly streams: number;
  /** Whether the file is to be fetched, once it is known which it is; `undefined`: in any case. */
  readonly isWanted: ((state: RemoteState) => boolean) | undefined;
  onReceived(bytes: number): void;
  onFetched(chunk: number): void;
  /** The chunk was here. */
  onKept(chunk: number, bytes: number): void;
  /** Something has moved. */
  onProgress(bytesDone: number, size: number): void;
}

/** A connection that takes part. */
interface Lane {
  readonly stop: AbortController;
  /** Whether it is at work: then it finds out by itself that there is nothing to do any more. */
  isServing: boolean;
  /** Settles when its connection is back in the pool. */
  done: Promise<void>;
}

/** Brings the partial to what the server's file is now, over one connection or several. Fails when the file becomes another meanwhile. */
export class VersionFetch {
  readonly #init: VersionFetchInit;
  readonly #bell = new Bell();
  readonly #lanes = new Set<Lane>();
  readonly #receivers = new Set<RangeReceiver>();
  #state: RemoteState | undefined;
  #ledger: ChunkLedger | undefined;
  #isUnwanted = false;
  #isAsking = false;
  /** For chunks of the base. */
  #buffer: Uint8Array | undefined;
  #deciding: Promise<void> = Promise.resolve();
  #failure: { readonly error: unknown } | undefined;

  constructor(init: VersionFetchInit) {
    this.#init = init;
    init.partial.onRoom = () => this.#bell.ring();
  }

  /**
   * @returns the state that the partial is in now; `undefined`: it was not wanted
   * @throws {ClientError} `ERR_SOURCE_CHANGED` when the file has changed; or another, or the signal's reason
   */
  async run(): Promise<RemoteState | undefined> {
    const { signal } = this.#init.context;
    const onAbort = () => this.#fail(signal.reason);
    signal.addEventListener('abort', onAbort);
    const main = this.#openLane(true);
    try {
      await Promise.race([main.done, this.#settled()]);
      if (this.#failure) throw this.#failure.error;
      return this.#isUnwanted ? undefined : this.#state;
    } catch (error) {
      this.#fail(error);
      throw error;
    } finally {
      signal.removeEventListener('abort', onAbort);
      await this.#end();
    }
  }

  /** Settles when everything is here, or something has failed for all. */
  async #settled(): Promise<void> {
    while (!this.#ledger?.isComplete && !this.#failure) await this.#bell.heard();
  }

  async #end(): Promise<void> {
    const reason = this.#failure?.error ?? new ClientError('ERR_CLOSED', 'the download is complete');
    for (const { stop, isServing } of this.#lanes) if (this.#failure || !isServing) stop.abort(reason);
    this.#bell.ring();
    await Promise.allSettled([...this.#lanes].map(({ done }) => done));
    await this.#deciding;
  }

  #fail(error: unknown): void {
    this.#failure ??= { error };
    this.#bell.ring();
  }

  #openLane(isMain: boolean): Lane {
    const { context } = this.#init;
    const stop = new AbortController();
    const signal = AbortSignal.any([context.signal, stop.signal]);
    const lane: Lane = { stop, isServing: false, done: Promise.resolve() };
    lane.done = withRetries(context.options, signal, async (attempt) => {
      if (this.#ledger?.isComplete) return;
      const before = this.#ledger?.doneBytes ?? 0;
      try {
        await context.pool.use(ProtocolFlag.Download, signal, (connection) => this.#serve(connection, lane, isMain));
      } catch (error) {
        // whoever has brought it forward
        if ((this.#ledger?.doneBytes ?? 0) > before) attempt.progressed();
        throw error;
      }
    });
    lane.done.catch((error: unknown) => {
      if (isMain || concernsAll(error)) this.#fail(error);
    });
    this.#lanes.add(lane);
    return lane;
  }

  /** Adds connections while there is enough for them to do, as far as the pool has them to spare. */
  #addLanes(): void {
    const { context, streams } = this.#init;
    const worthwhile = 1 + Math.floor((this.#ledger?.missing ?? 0) / CHUNKS_PER_LANE);
    while (this.#lanes.size < Math.min(streams, worthwhile) && context.pool.hasRoom(ProtocolFlag.Download)) {
      this.#openLane(false);
    }
  }

  /** The work of one connection. */
  async #serve(connection: Connection, lane: Lane, isMain: boolean): Promise<void> {
    if (!connection.supports(Feature.Ranges)) {
      throw new ClientError('ERR_UNSUPPORTED', 'the server does not know ranges of a download any more');
    }
    let failure: { readonly error: unknown } | undefined;
    let requests = 0;
    const fail = (error: unknown) => {
      failure ??= { error };
      this.#bell.ring();
    };
    const track = (request: Promise<unknown>) => {
      requests += 1;
      request.catch(fail).finally(() => {
        requests -= 1;
      });
    };
    const receiver = new RangeReceiver(this.#init.partial, this.#init.newHash, {
      onBytes: (bytes) => this.#onBytes(bytes),
      onChunk: (chunk, digest) => this.#onChunk(chunk, digest),
      onRun: () => this.#bell.ring(),
      onFailure: fail,
    });
    this.#receivers.add(receiver);
    lane.isServing = true;
    try {
      const ledger = this.#ledger ?? (await this.#begin(connection, receiver));
      while (ledger && !ledger.isComplete) {
        if (failure ?? this.#failure) throw (failure ?? this.#failure)?.error;
        while (receiver.runs < RUNS_AT_ONCE) {
          const run = ledger.take(this.#runChunks(ledger), this.#init.partial.endChunk);
          if (!run) break;
          connection.receive(receiver);
          track(this.#ask(connection, receiver, run, ledger));
        }
        if (receiver.runs === 0) connection.receive(undefined); // nothing is awaited
        if (this.#shouldAskDigests(ledger)) track(this.#askDigests(connection, ledger));
        this.#addLanes();
        if (!isMain && requests === 0 && receiver.runs === 0 && ledger.isHandedOut) break;
        await this.#bell.heard();
      }
    } catch (error) {
      if (requests > 0 || receiver.runs > 0) connection.destroy(error); // what comes yet is for nobody
      throw error;
    } finally {
      lane.isServing = false;
      connection.receive(undefined);
      await receiver.settle();
      this.#receivers.delete(receiver);
      for (const run of receiver.takeUnfinished()) this.#ledger?.giveBack(run);
      this.#bell.ring();
    }
  }

  /** Finds out which file there is to be fetched. @returns `undefined` if it is not wanted */
  async #begin(connection: Connection, receiver: RangeReceiver): Promise<ChunkLedger | undefined> {
    const { partial, readBase, remote, isWanted } = this.#init;
    const isBare = partial.isFresh && !readBase && !isWanted;
    let onReady: () => void = () => {};
    const ready = new Promise<void>((resolve) => {
      onReady = resolve;
    });
    const asking = askVersion(connection, remote, 0, partial.version === undefined ? FIRST_CHUNKS : 0);
    let begun: Promise<unknown> | undefined;
    if (isBare) {
      // Sent along, to save a round trip: the server sends what it has digested.
      receiver.expectFirst(FIRST_CHUNKS, ready);
      connection.receive(receiver);
      begun = askRange(connection, remote, { position: 0, count: FIRST_CHUNKS * DIGEST_CHUNK_BYTES });
      begun.catch(() => {}); // seen when it is awaited
    }
    try {
      const { state, digests } = await asking;
      if (isWanted && !isWanted(state)) {
        this.#isUnwanted = true;
        return undefined;
      }
      const isKnown = state.version === partial.version;
      await partial.begin(remotePathText(remote), state.version, state.size);
      const ledger = new ChunkLedger(state.size);
      this.#learn(ledger, isKnown ? this.#recordedDigests(ledger) : digests, !isKnown);
      if (begun)
        for (let chunk = 0; chunk < Math.min(FIRST_CHUNKS, ledger.chunks); chunk++) ledger.decide(chunk, false);
      if (begun) ledger.take(FIRST_CHUNKS);
      this.#state = state;
      this.#ledger = ledger;
      this.#deciding = this.#decideAll(ledger, begun ? Math.min(FIRST_CHUNKS, ledger.chunks) : 0).catch((error) =>
        this.#fail(error),
      );
      onReady();
      await begun;
      return ledger;
    } catch (error) {
      if (!this.#ledger) {
        receiver.abandon();
        onReady();
        await begun?.catch(() => {}); // when it fails for the same reason, the connection can serve others
      }
      throw error;
    }
  }

  #recordedDigests(ledger: ChunkLedger): bigint[] {
    const digests: bigint[] = [];
    while (digests.length < ledger.chunks) {
      const digest = this.#init.partial.serverDigest(digests.length);
      if (digest === undefined) break;
      digests.push(digest);
    }
    return digests;
  }

  #learn(ledger: ChunkLedger, digests: readonly bigint[], areNew = true): void {
    if (areNew) this.#locally(() => this.#init.partial.addServerDigests(ledger.known, digests));
    ledger.learn(digests);
  }

  #shouldAskDigests(ledger: ChunkLedger): boolean {
    return !this.#isAsking && ledger.known < ledger.chunks && ledger.missing + ledger.undecided < DIGESTS_AT_ONCE;
  }

  async #askDigests(connection: Connection, ledger: ChunkLedger): Promise<void> {
    this.#isAsking = true;
    try {
      const { state, digests } = await askVersion(connection, this.#init.remote, ledger.known, DIGESTS_AT_ONCE);
      if (state.version !== this.#state?.version) throw this.#changed();
      this.#learn(ledger, digests);
    } finally {
      this.#isAsking = false;
      this.#bell.ring();
    }
  }

  /** As much as keeps all connections busy to the end. */
  #runChunks(ledger: ChunkLedger): number {
    const share = Math.ceil(ledger.missing / (RUNS_AT_ONCE * this.#lanes.size));
    return Math.max(1, Math.min(this.#init.chunksAtOnce ?? MAX_RUN_CHUNKS, share));
  }

  async #ask(connection: Connection, receiver: RangeReceiver, run: ChunkRun, ledger: ChunkLedger): Promise<void> {
    const end = Math.min(ledger.size, run.end * DIGEST_CHUNK_BYTES);
    const position = receiver.expect(run, end);
    const version = this.#state?.version;
    try {
      await askRange(connection, this.#init.remote, { position, count: end - position, version });
    } catch (error) {
      throw error instanceof ClientError && error.resultCode === ResultCode.FileChanged ? this.#changed() : error;
    }
  }

  /** Finds out, chunk by chunk, what is here already. */
  async #decideAll(ledger: ChunkLedger, first: number): Promise<void> {
    const { partial } = this.#init;
    for (let chunk = first; chunk < ledger.chunks; ) {
      while (chunk >= ledger.known && !this.#failure) await this.#bell.heard();
      if (this.#failure) return;
      const missing: number[] = [];
      for (; chunk < ledger.known && missing.length < MAX_RUN_CHUNKS; chunk++) {
        if (this.#failure) return;
        if (await this.#isHere(ledger, chunk)) {
          ledger.decide(chunk, true);
          this.#init.onKept(chunk, ledger.bytesOf(chunk));
          this.#report();
        } else {
          partial.drop(chunk);
          missing.push(chunk);
        }
      }
      await partial.dropsAreSafe();
      for (const each of missing) ledger.decide(each, false);
      this.#bell.ring();
    }
    this.#locally(() => partial.allKnown());
  }

  async #isHere(ledger: ChunkLedger, chunk: number): Promise<boolean> {
    const { partial, readBase, newHash } = this.#init;
    const bytes = ledger.bytesOf(chunk);
    const digest = ledger.digestOf(chunk);
    if ((await partial.digestOf(chunk, bytes)) === digest) {
      partial.keep(chunk, bytes, digest);
      return true;
    }
    if (!readBase) return false;
    const position = chunk * DIGEST_CHUNK_BYTES;
    this.#buffer ??= new Uint8Array(DIGEST_CHUNK_BYTES);
    const content = this.#buffer.subarray(0, bytes);
    const got = await readBase(content, position).catch(() => 0); // then it is fetched
    if (got < bytes || digestOf(newHash, content) !== digest) return false;
    partial.drop(chunk);
    await partial.dropsAreSafe();
    await partial.write(position, content);
    partial.keep(chunk, bytes, digest);
    return true;
  }

  #onBytes(bytes: number): void {
    this.#init.onReceived(bytes);
    this.#report();
  }

  #onChunk(chunk: number, digest: bigint): void {
    const ledger = this.#ledger;
    if (!ledger) return;
    const fate = ledger.arrived(chunk, digest);
    if (fate === 'done') {
      this.#locally(() => this.#init.partial.keep(chunk, ledger.bytesOf(chunk), digest));
      this.#init.onFetched(chunk);
    } else if (fate === 'hopeless') {
      throw this.#damaged(chunk);
    }
    this.#report();
    if (ledger.isComplete || fate !== 'done') this.#bell.ring();
  }

  #report(): void {
    const ledger = this.#ledger;
    if (!ledger) return;
    let bytes = ledger.doneBytes + ledger.begunBytes;
    for (const receiver of this.#receivers) bytes += receiver.begunBytes;
    this.#init.onProgress(bytes, ledger.size);
  }

  #locally(work: () => void): void {
    try {
      work();
    } catch (error) {
      throw this.#init.partial.unwritable(error);
    }
  }

  /** The version is still the same: it is not that somebody has written to the file. */
  #damaged(chunk: number): ClientError {
    const place = `the ${DIGEST_CHUNK_BYTES >> 20} MiB at byte ${chunk * DIGEST_CHUNK_BYTES} of ${this.#init.remote.fileName}`;
    return new ClientError(
      'ERR_DAMAGED',
      `${place} do not come as the server says that they are: its disk has damaged them, or the link does`,
    );
  }

  #changed(): ClientError {
    const text = `${this.#init.remote.fileName} changed on the server while it was being downloaded`;
    return new ClientError('ERR_SOURCE_CHANGED', text);
  }
}

const ENDS_ALL = new Set<ClientErrorCode>(['ERR_SOURCE_CHANGED', 'ERR_DAMAGED', 'ERR_LOCAL_FILE']);

/** Whether what has ended one of several connections would end all: not a connection that broke or was refused. */
function concernsAll(error: unknown): boolean {
  return !(error instanceof ClientError) || ENDS_ALL.has(error.code);
}

function remotePathText({ dirName, fileName }: RemotePath): string {
  return dirName === '' ? fileName : `${dirName}/${fileName}`;
}
