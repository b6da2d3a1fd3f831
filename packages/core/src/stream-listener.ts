import type net from 'node:net';
import { OptionsError } from '@sluice/framing';
import { type Cancel, type Clock, systemClock } from './clock.js';
import type { DescriptorBudget } from './descriptor-budget.js';
import { AcceptedConnection } from './handed-sockets.js';
import { isLoopback, networkOf } from './peer-network.js';
import { ProxyHeaderReader } from './proxy-header-reader.js';
import { RefusalDesk } from './refusal-desk.js';
import { type CreateServer, createSystemServer } from './system-server.js';
import { TlsAcceptor, type TlsListenerOptions } from './tls-acceptor.js';

/** A stream that was accepted. Nothing has been taken from it but the header of a balancer and the handshake of TLS. */
export interface AcceptedStream {
  /** Paused; an empty 'error' listener is on it. With TLS it is the one that has what is inside. */
  readonly socket: net.Socket;
  /** Of the client, without the port: where a balancer has told it, not the socket's. */
  readonly remoteAddress: string;
  readonly isSecure: boolean;
}

/** Why a stream was refused. `address`: too many of its network. `opening`: the header of the balancer, or the handshake, was bad or late. */
export type StreamRefusal = 'full' | 'address' | 'descriptors' | 'opening';

export interface StreamListenerOptions {
  readonly host: string;
  /** 0 picks a free one. */
  readonly port: number;
  /** Connections the system may complete before we accept them. @default 511 */
  readonly backlog?: number;
  /** Streams at once. Not lowered to what the process may hold. */
  readonly maxConnections: number;
  /** Of one address, or one /64 of IPv6; those of this machine and of balancers are not counted. 0 for no limit. */
  readonly maxPerAddress: number;
  /** Each stream takes one of these, until its socket is closed. */
  readonly descriptors: DescriptorBudget;
  /** Streams whose first byte begins a TLS handshake become TLS streams. @default none do */
  readonly tls?: TlsListenerOptions;
  /** Whether a peer is a balancer, whose streams begin with a header of the PROXY protocol. @default none is */
  readonly isProxy?: (address: string) => boolean;
  /** Time for the first byte, the header of a balancer included; and again for the handshake. In milliseconds. Up to 1 s late. */
  readonly openingTimeoutMs: number;
  /** Takes a stream. What it throws ends the stream. */
  readonly onStream?: (stream: AcceptedStream) => void;
  /** Has streams served by another process, in place of `onStream`; `ended` gives the place back. */
  readonly handOver?: (connection: AcceptedConnection) => void;
  /** Called when all places are taken: ends a stream that nobody needs now. @returns whether there was one */
  readonly makeRoom?: () => boolean;
  /** What those are told that are refused and do not speak TLS. */
  readonly refusalAnswer?: (reason: StreamRefusal) => Uint8Array;
  /** Called when the place of an accepted socket is free again. */
  readonly onLeft?: (socket: net.Socket) => void;
  readonly onRefused?: (reason: StreamRefusal, address: string) => void;
  readonly onWarning?: (message: string) => void;
  /** @default the machine's */
  readonly clock?: Clock;
  /** @default the system's TCP */
  readonly createServer?: CreateServer;
}

const BACKLOG = 511;
const TLS_HANDSHAKE = 0x16;
const SCAN_PERIOD_MS = 1000;
const MAX_AT_REFUSAL_DESK = 16;

/** A stream that is being opened. */
interface Opening {
  remoteAddress: string;
  deadlineMs: number;
}

/**
 * Accepts streams for a server that is not ours, such as Node's HTTP server: bounded in number and by address, within the descriptors of the
 * process, out of the header of a balancer and out of TLS.
 */
export class StreamListener {
  readonly #options: StreamListenerOptions;
  readonly #clock: Clock;
  readonly #tls: TlsAcceptor | undefined;
  readonly #server: net.Server;
  readonly #desk: RefusalDesk;
  readonly #openings = new Map<net.Socket, Opening>();
  /** By network, without those that are not counted. */
  readonly #ofNetwork = new Map<string, number>();
  /** The networks of streams that have a place, by their accepted socket. */
  readonly #places = new Map<net.Socket, string | undefined>();
  /** The same, of streams that other processes serve. */
  readonly #handedOver = new Map<number, string | undefined>();
  /** Of TLS streams, the accepted ones. */
  readonly #accepted = new WeakMap<net.Socket, net.Socket>();
  /** Streams that were accepted, since the start. */
  accepted = 0;
  /** The same, of those refused. */
  readonly refused = new Map<StreamRefusal, number>();
  #address = { host: '', port: 0 };
  #nextId = 1;
  #stopScan: Cancel | undefined;
  #isClosed = false;

  /** @throws {OptionsError} for a number that makes no sense; the system's error when the address cannot be used */
  static async listen(options: StreamListenerOptions): Promise<StreamListener> {
    const listener = new StreamListener(options);
    await listener.#open();
    return listener;
  }

  private constructor(options: StreamListenerOptions) {
    const { maxConnections, maxPerAddress, openingTimeoutMs } = options;
    if (!(maxConnections >= 1)) throw new OptionsError(`maxConnections is ${maxConnections}; it must be 1 or more`);
    if (!(maxPerAddress >= 0)) throw new OptionsError(`maxPerAddress is ${maxPerAddress}; it must be 0 or more`);
    if (!(openingTimeoutMs > 0)) throw new OptionsError(`openingTimeoutMs is ${openingTimeoutMs}; it must be above 0`);
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#tls = options.tls && new TlsAcceptor(options.tls);
    this.#desk = new RefusalDesk(MAX_AT_REFUSAL_DESK, this.#clock);
    this.#server = (options.createServer ?? createSystemServer)();
    this.#server.on('connection', (socket) => this.#accept(socket));
  }

  /** Where it listens, or did until it was closed. */
  get address(): { readonly host: string; readonly port: number } {
    return this.#address;
  }

  /** Streams that have a place. */
  get size(): number {
    return this.#places.size + this.#handedOver.size;
  }

  /** Gives the place of a stream free before its socket is closed: somebody else counts it now. */
  release(socket: net.Socket): void {
    this.#leave(this.#accepted.get(socket) ?? socket);
  }

  /** A stream that was handed over has ended. May be called twice. */
  ended(id: number): void {
    if (!this.#handedOver.has(id)) return;
    this.#uncount(this.#handedOver.get(id));
    this.#handedOver.delete(id);
  }

  /** Stops accepting, and ends what is not open yet. Open streams are their owner's. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#stopScan?.();
    this.#server.close();
    this.#desk.close();
    for (const socket of [...this.#openings.keys()]) socket.destroy();
  }

  async #open(): Promise<void> {
    const { host, port, backlog = BACKLOG } = this.#options;
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen({ host, port, backlog }, () => {
        this.#server.off('error', reject);
        const { address, port } = this.#server.address() as net.AddressInfo;
        this.#address = { host: address, port };
        resolve();
      });
    });
    this.#server.on('error', (error) => this.#options.onWarning?.(`accepting failed: ${error.message}`));
    this.#stopScan = this.#clock.every(SCAN_PERIOD_MS, () => this.#expire());
  }

  #accept(socket: net.Socket): void {
    this.accepted += 1;
    socket.on('error', ignore);
    const { descriptors, maxConnections, maxPerAddress, makeRoom, handOver } = this.#options;
    const address = socket.remoteAddress ?? '';
    if (this.#isClosed || address === '') {
      socket.destroy(); // or it is gone already
      return;
    }
    const isProxy = this.#options.isProxy?.(address) ?? false;
    const network = isProxy || isLoopback(address) ? undefined : networkOf(address);
    const ofNetwork = network === undefined ? 0 : (this.#ofNetwork.get(network) ?? 0);
    let refusal: StreamRefusal | undefined;
    if (maxPerAddress > 0 && ofNetwork >= maxPerAddress) refusal = 'address';
    else if (this.size >= maxConnections && !makeRoom?.()) refusal = 'full';
    else if (!descriptors.takeConnection()) refusal = 'descriptors';
    if (refusal) {
      this.#refuse(socket, refusal);
      return;
    }
    if (network !== undefined) this.#ofNetwork.set(network, ofNetwork + 1);
    if (handOver) {
      const accepted = new AcceptedConnection(this.#nextId++, socket, () => descriptors.giveConnection(), 'http');
      this.#handedOver.set(accepted.id, network);
      handOver(accepted);
      return;
    }
    this.#places.set(socket, network);
    socket.once('close', () => {
      descriptors.giveConnection();
      this.#openings.delete(socket);
      this.#leave(socket);
    });
    const opening = { remoteAddress: address, deadlineMs: this.#clock.nowMs() + this.#options.openingTimeoutMs };
    this.#openings.set(socket, opening);
    this.#awaitFirstBytes(socket, opening, isProxy ? new ProxyHeaderReader() : undefined);
  }

  #leave(socket: net.Socket): void {
    if (!this.#places.has(socket)) return;
    this.#uncount(this.#places.get(socket));
    this.#places.delete(socket);
    this.#options.onLeft?.(socket);
  }

  #uncount(network: string | undefined): void {
    if (network === undefined) return;
    const left = (this.#ofNetwork.get(network) ?? 0) - 1;
    if (left > 0) this.#ofNetwork.set(network, left);
    else this.#ofNetwork.delete(network);
  }

  /** @param header reads the header of the balancer that comes first */
  #awaitFirstBytes(socket: net.Socket, opening: Opening, header: ProxyHeaderReader | undefined): void {
    const onEnd = (): void => void socket.destroy();
    socket.once('end', onEnd);
    const onData = (bytes: Buffer): void => {
      let at = 0;
      if (header) {
        try {
          const found = header.push(bytes, 0, bytes.length);
          if (!found) return;
          at = found.end;
          header = undefined;
          if (found.header.ends) opening.remoteAddress = found.header.ends.source.address;
        } catch {
          this.#failOpening(socket, opening);
          return;
        }
        if (at === bytes.length) return;
      }
      socket.off('data', onData).off('end', onEnd);
      socket.pause();
      const first = at === 0 ? bytes : bytes.subarray(at);
      if (this.#tls && first[0] === TLS_HANDSHAKE) this.#secure(this.#tls, socket, first, opening);
      else {
        socket.unshift(first);
        this.#handOn(socket, socket, opening, false);
      }
    };
    socket.on('data', onData);
    socket.resume();
  }

  #secure(tls: TlsAcceptor, socket: net.Socket, first: Uint8Array, opening: Opening): void {
    opening.deadlineMs = this.#clock.nowMs() + (tls.handshakeTimeoutMs || Number.POSITIVE_INFINITY);
    tls.accept(socket, first, {
      onSecured: (secured) => {
        this.#accepted.set(secured, socket);
        secured.on('error', ignore);
        this.#handOn(secured, socket, opening, true);
      },
      onFailed: () => this.#count('opening', opening.remoteAddress),
    });
  }

  #handOn(socket: net.Socket, accepted: net.Socket, { remoteAddress }: Opening, isSecure: boolean): void {
    this.#openings.delete(accepted);
    if (this.#isClosed) {
      socket.destroy();
      return;
    }
    try {
      this.#options.onStream?.({ socket, remoteAddress, isSecure });
    } catch (error) {
      this.#options.onWarning?.(`setting a connection up failed: ${String(error)}`);
      socket.destroy();
    }
  }

  #failOpening(socket: net.Socket, { remoteAddress }: Opening): void {
    socket.destroy();
    this.#count('opening', remoteAddress);
  }

  #refuse(socket: net.Socket, reason: StreamRefusal): void {
    this.#count(reason, socket.remoteAddress ?? '');
    const { refusalAnswer } = this.#options;
    this.#desk.receive(
      socket,
      refusalAnswer && ((first) => (first[0] === TLS_HANDSHAKE ? undefined : refusalAnswer(reason))),
    );
  }

  #count(reason: StreamRefusal, address: string): void {
    this.refused.set(reason, (this.refused.get(reason) ?? 0) + 1);
    this.#options.onRefused?.(reason, address);
  }

  #expire(): void {
    const nowMs = this.#clock.nowMs();
    this.#desk.expire();
    for (const [socket, { deadlineMs }] of this.#openings) if (nowMs >= deadlineMs) socket.destroy();
  }
}

function ignore(): void {}
