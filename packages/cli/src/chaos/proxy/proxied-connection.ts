import { connect, type Socket } from 'node:net';
import type { Address } from '../../options/option-table.js';
import { SeededRandom } from '../seeded-random.js';
import type { BufferAccount } from './buffer-account.js';
import type { PlayedFault } from './fault.js';
import { FaultLane, type LaneOwner } from './fault-lane.js';
import type { ConnectionPlan } from './fault-plan.js';

export interface ConnectionEvents {
  onFault(connection: number, fault: PlayedFault): void;
  /** The target did not accept it. */
  onUnreachable(connection: number, error: Error): void;
  onClosed(connection: ProxiedConnection): void;
}

/** A client's connection and its own one to the target. They close together; a reset of one is passed on as a reset. */
export class ProxiedConnection implements LaneOwner {
  readonly number: number;
  readonly #client: Socket;
  readonly #plan: ConnectionPlan;
  readonly #seed: number;
  readonly #account: BufferAccount;
  readonly #events: ConnectionEvents;
  #target: Socket | undefined;
  #lanes: readonly FaultLane[] = [];
  #isOver = false;

  /** @param client paused */
  constructor(
    number: number,
    client: Socket,
    plan: ConnectionPlan,
    shared: { readonly seed: number; readonly account: BufferAccount; readonly events: ConnectionEvents },
  ) {
    this.number = number;
    this.#client = client;
    this.#plan = plan;
    this.#seed = shared.seed;
    this.#account = shared.account;
    this.#events = shared.events;
    client.on('error', () => this.onReset());
    client.on('close', () => this.#onSocketClosed());
  }

  /** Bytes delivered to the target. */
  get bytesUp(): number {
    return this.#lanes[0]?.delivered ?? 0;
  }

  /** Bytes delivered to the client. */
  get bytesDown(): number {
    return this.#lanes[1]?.delivered ?? 0;
  }

  /** Connects to the target, and lets bytes through. @returns when that has come to something */
  open({ host, port }: Address): Promise<void> {
    if (this.#isOver) return Promise.resolve();
    return new Promise((resolve) => {
      const target = connect({ host, port, noDelay: true, allowHalfOpen: true });
      this.#target = target;
      let isConnected = false;
      target.on('error', (error) => {
        if (!isConnected && !this.#isOver) this.#events.onUnreachable(this.number, error);
        this.onReset();
      });
      target.on('close', () => {
        this.#onSocketClosed();
        resolve();
      });
      target.once('connect', () => {
        isConnected = true;
        this.#pass(target);
        resolve();
      });
    });
  }

  onFault(fault: PlayedFault): void {
    this.#events.onFault(this.number, fault);
  }

  onReset(): void {
    for (const socket of [this.#client, this.#target]) if (socket) reset(socket);
    this.#end();
  }

  destroy(): void {
    this.#client.destroy();
    this.#target?.destroy();
    this.#end();
  }

  #pass(target: Socket): void {
    if (this.#isOver) return void target.destroy();
    const laneOf = (direction: 'up' | 'down', source: Socket, to: Socket) =>
      new FaultLane(direction, { source, target: to }, this.#plan[direction], {
        random: new SeededRandom(this.#seed, this.number * 4 + (direction === 'up' ? 1 : 2)),
        account: this.#account,
        owner: this,
      });
    this.#lanes = [laneOf('up', this.#client, target), laneOf('down', target, this.#client)];
    for (const lane of this.#lanes) if (!this.#isOver) lane.start();
  }

  #onSocketClosed(): void {
    // of two sockets that have both ended, the first to close has nothing left to say; otherwise it has been lost
    const { destroyed: clientIsClosed } = this.#client;
    const targetIsClosed = this.#target?.destroyed ?? true;
    if (clientIsClosed && targetIsClosed) this.#end();
    else if (clientIsClosed && !this.#client.readableEnded) this.destroy();
    else if (targetIsClosed && !this.#target?.readableEnded) this.destroy();
  }

  #end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    for (const lane of this.#lanes) lane.stop();
    this.#events.onClosed(this);
  }
}

/** Node 20 never finishes resetting a socket that is being shut down. */
function reset(socket: Socket): void {
  if (socket.destroyed) return;
  if (socket.writableEnded || socket.connecting) socket.destroy();
  else socket.resetAndDestroy();
}
