import { ProtocolFlag, ResultCode } from '@sluice/wire';
import { ChunkSender, type ChunkSending } from './chunk-sender.js';
import type { Connection } from './connection.js';
import { ClientError } from './errors.js';
import { arrival, joinUpload } from './staged-requests.js';
import type { TransferContext } from './transfer-context.js';

/** A connection that joins, or has joined. */
interface Lane {
  /** `undefined` when it could not join. */
  readonly sender: Promise<ChunkSender | undefined>;
  /** Settles when the connection is gone. */
  readonly ended: Promise<void>;
  readonly stop: AbortController;
  isJoined: boolean;
}

/**
 * The connections over which the chunks of one upload go: the one that has begun it, and those that have joined. One that cannot join is
 * done without; one that breaks gives its chunks back to the plan. Without the one that has begun, the attempt has failed.
 */
export class UploadLanes {
  readonly #context: TransferContext;
  readonly #sending: ChunkSending;
  readonly #main: ChunkSender;
  readonly #lanes = new Set<Lane>();
  readonly #all: Lane[] = [];
  #hasLost = false;
  #hasBroken = false;

  constructor(context: TransferContext, connection: Connection, sending: ChunkSending) {
    this.#context = context;
    this.#sending = sending;
    this.#main = new ChunkSender(connection, sending);
  }

  /** Adds connections, as far as the pool has them to spare. */
  join(uploadId: string, count: number): void {
    for (let i = 0; i < count && this.#context.pool.hasRoom(ProtocolFlag.Upload); i++) {
      const lane = this.#join(uploadId);
      this.#lanes.add(lane);
      this.#all.push(lane);
    }
  }

  /** Whether a connection broke, since this was asked last, of whose chunks nobody knows whether they have arrived. */
  takeLost(): boolean {
    const hasLost = this.#hasLost;
    this.#hasLost = false;
    return hasLost;
  }

  /**
   * Brings all chunks of the plan to the server: what was sent on connections that have joined has arrived when this settles.
   *
   * @throws {ClientError} when the first connection has broken, or nothing helps
   */
  async sendAll(): Promise<void> {
    do {
      const running = [this.#runMain(), ...[...this.#lanes].map((lane) => this.#run(lane))];
      try {
        await Promise.all(running);
      } catch (error) {
        this.#stopAll(error);
        this.#main.connection.destroy(error);
        await Promise.allSettled(running); // nobody may read the file when this has returned
        throw error;
      }
    } while (!this.#sending.plan.isEmpty);
  }

  /**
   * What a failure means for the attempt. A server that has not noticed yet that a connection has broken refuses what it had begun to others;
   * the next attempt takes all of it over.
   */
  asFailure(error: unknown): unknown {
    const isHeld = error instanceof ClientError && error.resultCode === ResultCode.FileIsInUse;
    if (!isHeld || !this.#hasBroken) return error;
    const text = 'a connection of the upload has broken, and the server has not noticed yet';
    return new ClientError('ERR_CONNECTION_LOST', text, { cause: error, retryable: true });
  }

  /** Ends the connections that have joined. */
  async close(): Promise<void> {
    this.#stopAll(new ClientError('ERR_CONNECTION_LOST', 'the upload has ended', { retryable: true }));
    await Promise.all(this.#all.map(({ ended }) => ended));
  }

  async #runMain(): Promise<void> {
    await this.#main.run();
    this.#stopJoining();
  }

  async #run(lane: Lane): Promise<void> {
    try {
      const sender = await lane.sender;
      if (!sender) {
        this.#lanes.delete(lane);
        return;
      }
      await sender.run();
      this.#stopJoining();
      await arrival(sender.connection);
    } catch (error) {
      if (!(error instanceof ClientError) || !error.retryable) throw error;
      this.#lanes.delete(lane);
      this.#hasLost = true;
      this.#hasBroken = true;
    }
  }

  /** There is nothing to send any more: who has not joined yet is of no use. */
  #stopJoining(): void {
    for (const { isJoined, stop } of this.#lanes) if (!isJoined) stop.abort();
  }

  #join(uploadId: string): Lane {
    const { pool, signal } = this.#context;
    const stop = new AbortController();
    const stopped = new Promise<void>((resolve) => {
      stop.signal.addEventListener('abort', () => resolve(), { once: true });
    });
    let onJoined: (sender: ChunkSender | undefined) => void = () => {};
    const sender = new Promise<ChunkSender | undefined>((resolve) => {
      onJoined = resolve;
    });
    const ended = pool
      .use(ProtocolFlag.Upload, AbortSignal.any([signal, stop.signal]), async (connection) => {
        await joinUpload(connection, uploadId);
        lane.isJoined = true;
        onJoined(new ChunkSender(connection, this.#sending));
        await stopped;
      })
      .catch(() => {}) // the upload goes on without it
      .finally(() => onJoined(undefined));
    const lane: Lane = { sender, ended, stop, isJoined: false };
    return lane;
  }

  #stopAll(reason: unknown): void {
    for (const { stop } of this.#all) stop.abort(reason);
  }
}
