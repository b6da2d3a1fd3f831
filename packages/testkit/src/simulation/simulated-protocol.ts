import type { Connection, ConnectionHandler, CreateServer, Listener, ListenerOptions } from '@sluice/core';
import type { RandomSource } from './random-source.js';
import type { SimulatedClock } from './simulated-clock.js';
import type { PeerEnding } from './simulated-peer.js';

/** A client of the protocol, as far as a simulation needs one. */
export interface PeerModel {
  /** The next bytes it sends: whole messages, parts of them, or nonsense. `random` decides everything. */
  next(random: RandomSource): Uint8Array;
  /** Bytes have come, in any pieces. Throws when they are not what they should be. */
  onBytes(bytes: Uint8Array): void;
  /** The connection has ended. */
  onEnding?(ending: PeerEnding): void;
  /**
   * Called when the peer has read all that came for a while and nothing stood in the way: throws when an answer is missing. `hasEnded`: the
   * server has ended the connection after the peer's own end.
   */
  checkAnswered?(hasEnded: boolean): void;
}

/** What a listener in the simulated network is opened with. */
export interface SimulatedPlace extends Pick<ListenerOptions, 'host' | 'port'> {
  readonly clock: SimulatedClock;
  readonly createServer: CreateServer;
  readonly onWarning: (message: string) => void;
}

/** Something that listens, if it is more than a `Listener`. */
export interface SimulatedServerUnderTest {
  readonly listener: Listener;
  drain(graceMs: number): Promise<number>;
  close(): Promise<void>;
}

/** One run of a protocol: server and peers, made anew for each run. */
export interface SimulatedScene {
  /** What `Listener.listen` is given beside the network and the clock. @default {} */
  readonly listener?: Partial<Omit<ListenerOptions, keyof SimulatedPlace | 'onConnection'>>;
  /** Serves a connection; needed unless `listen` is there. */
  serve?(connection: Connection): ConnectionHandler;
  /** Opens a server that has its own listener. */
  listen?(place: SimulatedPlace): Promise<SimulatedServerUnderTest>;
  peer(index: number, random: RandomSource): PeerModel;
  /** What can happen beside the peers, by name. */
  readonly actions?: Readonly<Record<string, (random: RandomSource) => void>>;
  /** Called when the steps are over: obstacles of the scene's own go away. */
  rest?(): void;
  /** Called when everything is over. Throws when something is not as it should be. */
  check?(): void;
}

/** What a scene is made of. */
export interface SimulatedWorld {
  readonly clock: SimulatedClock;
  /** For the server's side; the same for the same seed. */
  readonly random: RandomSource;
}

export interface SimulatedProtocol {
  readonly name: string;
  begin(world: SimulatedWorld): SimulatedScene;
}
