import { Command, encodeCyclePacketRequest } from '@sluice/wire';
import type { Cancel, ClientClock } from '../clock.js';
import type { Connection } from '../connection.js';
import { ClientError } from '../errors.js';
import type { Moved, SpeedStream } from './speed-stream.js';

/** Data of each packet, in bytes. */
const PACKET_DATA_BYTES = 64 << 10;

/** Packets on their way at once: more than one, so that both directions are in use at the same time. */
const PACKETS_AT_ONCE = 4;

export interface CycleStreamInit {
  readonly connection: Connection;
  readonly clock: ClientClock;
  readonly durationMs: number;
  readonly bytes: number;
}

/** A connection on which packets go to the server and come back: all that an original server can do. Specification 9. */
export class CycleStream implements SpeedStream {
  readonly durationMs: number;
  readonly serverCap = 0;
  readonly server = undefined;
  readonly ended: Promise<void>;
  readonly #init: CycleStreamInit;
  #startedMs = 0;
  #bytes = 0;
  #bytesBegun = 0;
  #endedMs: number | undefined;
  #cancelEnd: Cancel = () => {};
  #onEnd: () => void = () => {};
  #onFailure: (error: unknown) => void = () => {};

  constructor(init: CycleStreamInit) {
    this.#init = init;
    this.durationMs = init.durationMs;
    this.ended = new Promise((resolve, reject) => {
      this.#onEnd = resolve;
      this.#onFailure = reject;
    });
    this.ended.catch(() => {});
  }

  get up(): Moved {
    return { bytes: this.#bytes, ms: (this.#endedMs ?? this.#init.clock.nowMs()) - this.#startedMs };
  }

  /** What has come back is what has gone. */
  get down(): Moved {
    return this.up;
  }

  async start(): Promise<void> {
    const { clock, durationMs } = this.#init;
    this.#startedMs = clock.nowMs();
    this.#cancelEnd = clock.after(durationMs, () => this.#end());
    for (let i = 0; i < PACKETS_AT_ONCE; i++) void this.#cycle(new Uint8Array(PACKET_DATA_BYTES).fill(1));
  }

  async #cycle(packet: Uint8Array): Promise<void> {
    const { connection, bytes } = this.#init;
    const text = encodeCyclePacketRequest(0);
    try {
      while (this.#endedMs === undefined && this.#bytesBegun < bytes) {
        const data = packet.subarray(0, Math.min(packet.length, bytes - this.#bytesBegun));
        this.#bytesBegun += data.length;
        const answer = await connection.request(Command.CyclePacket, text, data);
        if (answer.data.length !== data.length)
          throw new ClientError('ERR_PROTOCOL', 'the server has sent back other data than it got');
        if (this.#endedMs === undefined) this.#bytes += data.length;
      }
      if (this.#bytes >= bytes) this.#end();
    } catch (error) {
      if (this.#endedMs === undefined) {
        this.#stop();
        this.#onFailure(connection.asFailure(error));
      }
    }
  }

  #end(): void {
    if (this.#endedMs !== undefined) return;
    this.#stop();
    this.#onEnd();
  }

  #stop(): void {
    this.#endedMs = this.#init.clock.nowMs();
    this.#cancelEnd();
  }
}
