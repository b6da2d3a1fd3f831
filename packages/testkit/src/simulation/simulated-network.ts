import { EventEmitter } from 'node:events';
import type net from 'node:net';
import type { CreateServer } from '@sluice/core';
import type { RandomSource } from './random-source.js';
import type { SimulatedClock } from './simulated-clock.js';
import { type LinkConditions, SimulatedEnd, SimulatedLink } from './simulated-end.js';
import { type PeerEnding, SimulatedPeer } from './simulated-peer.js';
import { SimulatedSocket } from './simulated-socket.js';

export interface PeerInit {
  /** Which of the scenario's peers it is. */
  readonly index: number;
  readonly address: string;
  readonly conditions: LinkConditions;
  /** Of its link: other links do not change what it gives. */
  readonly random: RandomSource;
  readonly onBytes: (bytes: Buffer) => void;
  readonly onEnding: (ending: PeerEnding) => void;
}

const SERVER_ADDRESS = '192.0.2.1';
const SERVER_PORT = 4000;
const FIRST_PEER_PORT = 20_000;

/** A network of one server and its peers. Connections that are made wait in the system's queue until the server has accepted them. */
export class SimulatedNetwork {
  readonly #clock: SimulatedClock;
  #server: SimulatedServer | undefined;
  #openDescriptors = 0;
  #maxDescriptors = Number.POSITIVE_INFINITY;
  #droppedConnections = 0;

  constructor(clock: SimulatedClock) {
    this.#clock = clock;
  }

  /** Whose connection it is, by its port. */
  static peerOf(remotePort: number): number {
    return remotePort - FIRST_PEER_PORT;
  }

  /** Gives a listener its place in this network. */
  readonly createServer: CreateServer = () => {
    this.#server = new SimulatedServer();
    return this.#server as unknown as net.Server;
  };

  /** Sockets the server holds. */
  get openDescriptors(): number {
    return this.#openDescriptors;
  }

  /** Connections that were closed without a word because no descriptor was free, as Node does it. */
  get droppedConnections(): number {
    return this.#droppedConnections;
  }

  /** How many sockets the server's process may hold from now on; further ones are accepted and closed by Node itself. */
  set maxDescriptors(count: number) {
    this.#maxDescriptors = count;
  }

  /** @returns a peer whose connection is being made, or is refused soon when nobody listens */
  connect({ index, address, conditions, random, onBytes, onEnding }: PeerInit): SimulatedPeer {
    const link = new SimulatedLink(this.#clock, random, conditions);
    const [near, far] = SimulatedEnd.pair(link);
    const peer = new SimulatedPeer(index, address, near, onBytes, onEnding);
    this.#clock.happen(link.delayMs, () => this.#arrive(link, far, address, FIRST_PEER_PORT + index));
    return peer;
  }

  #arrive(link: SimulatedLink, end: SimulatedEnd, remoteAddress: string, remotePort: number): void {
    if (link.isDead) return;
    const server = this.#server;
    if (!server?.listening) {
      end.reset();
    } else if (this.#openDescriptors >= this.#maxDescriptors) {
      this.#droppedConnections += 1;
      end.close();
    } else {
      this.#openDescriptors += 1;
      const addresses = { remoteAddress, remotePort, localAddress: SERVER_ADDRESS, localPort: SERVER_PORT };
      const socket = new SimulatedSocket(end, addresses, () => {
        this.#openDescriptors -= 1;
      });
      server.emit('connection', socket);
    }
  }
}

/** What a listener uses of a `net.Server`. */
class SimulatedServer extends EventEmitter {
  listening = false;

  listen(_options: net.ListenOptions, onListening: () => void): this {
    this.listening = true;
    queueMicrotask(onListening);
    return this;
  }

  close(onClosed?: () => void): this {
    this.listening = false;
    if (onClosed) queueMicrotask(onClosed);
    return this;
  }

  address(): net.AddressInfo {
    return { address: SERVER_ADDRESS, family: 'IPv4', port: SERVER_PORT };
  }
}
