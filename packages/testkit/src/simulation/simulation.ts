import { setTimeout as pause, setImmediate as turn } from 'node:timers/promises';
import { type Connection, type ConnectionHandler, Listener } from '@sluice/core';
import { ConnectionMonitor } from './connection-monitor.js';
import { linkConditions, peerAddress } from './link-kinds.js';
import { RandomSource } from './random-source.js';
import { SimulatedClock } from './simulated-clock.js';
import { SimulatedNetwork } from './simulated-network.js';
import type { PeerEnding, SimulatedPeer } from './simulated-peer.js';
import type { PeerModel, SimulatedProtocol, SimulatedScene, SimulatedServerUnderTest } from './simulated-protocol.js';
import type { Step } from './step.js';
import { Trace } from './trace.js';
import { Violation } from './violation.js';

/** Time in which the server answers what it has received, when nothing stands in the way. */
const SETTLE_MS = 5000;
/** Longest time in which bytes that are on their way arrive. */
const MAX_TRAVEL_MS = 120_000;
/** Time after which every connection has ended, whatever its peer does: TCP's keep-alive, and some. */
const MAX_LIFE_MS = 9_000_000;
/** Time for which those who are refused are still listened to. */
const REFUSED_STAY_MS = 10_000;
const CLOSE_PAUSE_MS = 2;
const MAX_CLOSE_PAUSES = 5000;
/** A server to which more happens in one run is busy with itself. */
const MAX_EVENTS = 2_000_000;

/** Purposes that the seed is divided for. */
const CLOCK = 1;
const SERVER = 2;
const FIRST_PEER = 1000;

/** What a run has seen. */
export interface RunCounts {
  /** Connections that were served. */
  connections: number;
  /** Events of the clock and the network. */
  events: number;
  /** By close reason. */
  readonly closed: ReadonlyMap<string, number>;
}

interface Participant {
  readonly peer: SimulatedPeer;
  readonly model: PeerModel;
  monitor: ConnectionMonitor | undefined;
}

/** One run: a server, its network, its peers, and what happens to them. */
export class Simulation {
  readonly trace = new Trace();
  readonly #seed: number;
  readonly #random: RandomSource;
  readonly #clock: SimulatedClock;
  readonly #network: SimulatedNetwork;
  readonly #scene: SimulatedScene;
  readonly #participants = new Map<number, Participant>();
  readonly #monitors: ConnectionMonitor[] = [];
  readonly #monitored = new WeakSet<Connection>();
  readonly #warnings: string[] = [];
  #server!: SimulatedServerUnderTest;
  #violation: Violation | undefined;
  #events = 0;
  #drained: { readonly untilMs: number; isDone: boolean } | undefined;

  constructor(protocol: SimulatedProtocol, seed: number) {
    this.#seed = seed;
    this.#random = new RandomSource(seed);
    this.#clock = new SimulatedClock(this.#random.fork(CLOCK));
    this.#network = new SimulatedNetwork(this.#clock);
    this.#scene = protocol.begin({ clock: this.#clock, random: this.#random.fork(SERVER) });
  }

  /** What the protocol can do by itself. */
  get actions(): readonly string[] {
    return Object.keys(this.#scene.actions ?? {});
  }

  /** Lets all steps happen, brings everything to its end, and checks what must hold. @throws {Violation} */
  async run(steps: readonly Step[]): Promise<RunCounts> {
    const onError = (error: unknown): void => this.#caught(error);
    process.on('unhandledRejection', onError);
    process.on('uncaughtException', onError);
    try {
      await this.#open();
      for (const step of steps) await this.#happen(step);
      await this.#comeToRest();
      await this.#end();
      const { closed } = this.#server.listener.counters;
      return { connections: this.#monitors.length, events: this.#events, closed };
    } finally {
      if (this.#violation) await this.#tearDown();
      process.off('unhandledRejection', onError);
      process.off('uncaughtException', onError);
    }
  }

  async #open(): Promise<void> {
    const place = {
      host: '127.0.0.1',
      port: 0,
      clock: this.#clock,
      createServer: this.#network.createServer,
      onWarning: (message: string) => void this.#warnings.push(message),
    };
    const opening = this.#scene.listen?.(place) ?? this.#listen(place);
    this.#server = await opening;
  }

  #listen(place: Parameters<NonNullable<SimulatedScene['listen']>>[0]): Promise<SimulatedServerUnderTest> {
    const listening = Listener.listen({
      ...this.#scene.listener,
      // Both ways in which bytes reach a connection, by the seed.
      receiveMode: this.#scene.listener?.receiveMode ?? (this.#seed % 2 === 0 ? 'reused' : 'plain'),
      ...place,
      onConnection: (connection) => this.#serve(connection),
    });
    return listening.then((listener) => ({
      listener,
      drain: (graceMs) => listener.drain(graceMs),
      close: () => listener.close(),
    }));
  }

  #serve(connection: Connection): ConnectionHandler {
    return this.#monitor(connection, this.#scene.serve!.bind(this.#scene));
  }

  #monitor(connection: Connection, serve: (connection: Connection) => ConnectionHandler): ConnectionHandler {
    const participant = this.#participants.get(SimulatedNetwork.peerOf(connection.remotePort));
    const owner = {
      onViolation: (violation: Violation) => this.#violate(violation),
      note: (event: string) => this.#note(event),
    };
    const { monitor, handler } = ConnectionMonitor.watch(connection, participant?.peer, owner, serve);
    this.#monitors.push(monitor);
    this.#monitored.add(connection);
    if (participant) participant.monitor = monitor;
    return handler;
  }

  /** Those of a server that has its own listener are seen here when they have been admitted, and before their first byte. */
  #monitorNewcomers(): void {
    for (const connection of this.#server.listener.connections) {
      if (!this.#monitored.has(connection)) connection.handler = this.#monitor(connection, ({ handler }) => handler);
    }
  }

  async #happen(step: Step): Promise<void> {
    this.#note(`step ${step.do}${'peer' in step ? ` ${step.peer}` : ''}`);
    if (step.do === 'connect') this.#connect(step.peer);
    else if (step.do === 'wait') await this.#advance(step.forMs);
    else if (step.do === 'descriptors') this.#network.maxDescriptors = this.#network.openDescriptors + step.free;
    else if (step.do === 'act') this.#scene.actions?.[step.action]?.(new RandomSource(step.salt));
    else if (step.do === 'drain') this.#drain(step.graceMs);
    else this.#do(step);
    await this.#turn();
  }

  #do(step: Extract<Step, { readonly peer: number }>): void {
    const { peer, model } = this.#participants.get(step.peer) ?? {};
    if (!peer || !model) return; // its connect was left out
    if (step.do === 'stall') {
      peer.link.stall(step.forMs);
      return;
    }
    if (peer.ending) return;
    switch (step.do) {
      case 'send':
        if (!peer.hasEnded) peer.send(model.next(new RandomSource(step.salt)));
        break;
      case 'stop-reading':
        peer.stopReading();
        break;
      case 'read-on':
        peer.readOn();
        break;
      default:
        peer[step.do === 'connect' ? 'readOn' : step.do]();
    }
  }

  #connect(index: number): void {
    if (this.#participants.has(index)) return;
    const random = this.#random.fork(FIRST_PEER + index);
    const model = this.#scene.peer(index, random.fork(1));
    const peer = this.#network.connect({
      index,
      address: peerAddress(random),
      conditions: linkConditions(random),
      random,
      onBytes: (bytes) => {
        this.#note(`peer ${index} got ${bytes.length}`);
        this.#guard('answers-are-right', () => model.onBytes(bytes));
      },
      onEnding: (ending) => this.#onPeerEnding(index, ending),
    });
    this.#participants.set(index, { peer, model, monitor: undefined });
  }

  #onPeerEnding(index: number, ending: PeerEnding): void {
    this.#note(`peer ${index} ${ending}`);
    const { peer, model, monitor } = this.#participants.get(index)!;
    model.onEnding?.(ending);
    // One that did not read in time was cut.
    const isWhole = monitor && !monitor.wasDestroyed && monitor.connection.closeReason === 'peer-closed';
    if (ending === 'server-ended' && peer.hasEnded && isWhole)
      this.#guard('requests-are-answered', () => model.checkAnswered?.(true));
  }

  #drain(graceMs: number): void {
    if (this.#drained) return;
    const drained = { untilMs: this.#clock.nowMs() + graceMs + 1, isDone: false };
    this.#drained = drained;
    this.#server.drain(graceMs).then(
      () => {
        drained.isDone = true;
      },
      (error) => this.#caught(error),
    );
  }

  /** All obstacles go away, and what is on its way arrives: now every answer must be there. */
  async #comeToRest(): Promise<void> {
    this.#network.maxDescriptors = Number.POSITIVE_INFINITY;
    this.#note('rest');
    this.#scene.rest?.();
    for (const { peer } of this.#participants.values()) if (!peer.ending) peer.readOn();
    const untilMs = this.#clock.nowMs() + MAX_TRAVEL_MS;
    do await this.#advance(1000);
    while (this.#clock.nowMs() < untilMs && this.#isAnythingTravelling);
    await this.#advance(SETTLE_MS);
    if (this.#isAnythingTravelling) return;
    for (const { peer, model, monitor } of this.#participants.values()) {
      if (peer.ending || monitor?.connection.isClosing !== false || peer.hasEnded) continue;
      monitor.checkQuiet();
      this.#guard('requests-are-answered', () => model.checkAnswered?.(false));
    }
    this.#throwViolation();
  }

  get #isAnythingTravelling(): boolean {
    for (const { peer, monitor } of this.#participants.values()) {
      if (peer.ending || peer.link.isDead) continue;
      if (peer.isSending || peer.link.isStalled || (monitor && monitor.connection.queuedBytes > 0)) return true;
    }
    return false;
  }

  /** Everybody leaves, the server closes, and nothing may be left. */
  async #end(): Promise<void> {
    this.#note('end');
    const { listener } = this.#server;
    for (const { peer } of this.#participants.values()) peer.end();
    const untilMs = this.#clock.nowMs() + MAX_LIFE_MS;
    while (this.#clock.nowMs() < untilMs && (listener.connections.size > 0 || listener.waiting > 0))
      await this.#advance(5000);
    if (listener.connections.size > 0 || listener.waiting > 0)
      throw this.#violate(
        new Violation(
          'every-connection-ends',
          `${listener.connections.size} are served and ${listener.waiting} wait, when all peers have left`,
        ),
      );
    await this.#advance(REFUSED_STAY_MS);
    this.#checkDescriptors();
    await this.#untilDone(() => this.#drained?.isDone ?? true);
    if (this.#drained?.isDone === false)
      throw this.#violate(new Violation('a-drain-ends', 'no connection is left, and the drain goes on'));
    let isClosed = false;
    const closing = this.#server.close().then(() => {
      isClosed = true;
    });
    closing.catch((error) => this.#caught(error));
    const closeUntilMs = this.#clock.nowMs() + SETTLE_MS;
    do await this.#advance(10);
    while (!isClosed && this.#clock.nowMs() < closeUntilMs);
    await this.#untilDone(() => isClosed);
    if (!isClosed) throw this.#violate(new Violation('close-ends', 'the server does not come to its end'));
    await this.#advance(SETTLE_MS);
    this.#checkEnd(listener);
  }

  /** What a whole server closes besides its connections, files for one, takes real time. */
  async #untilDone(isDone: () => boolean): Promise<void> {
    for (let i = 0; i < MAX_CLOSE_PAUSES && this.#scene.listen && !isDone(); i++) await pause(CLOSE_PAUSE_MS);
  }

  #checkDescriptors(): void {
    const { openDescriptors } = this.#network;
    if (openDescriptors !== 0)
      this.#violate(
        new Violation('descriptors-return', `${openDescriptors} sockets are open, and no connection is left`),
      );
  }

  #checkEnd(listener: Listener): void {
    for (const monitor of this.#monitors) monitor.checkEnd();
    this.#checkDescriptors();
    const { pendingTimers } = this.#clock;
    if (pendingTimers !== 0) this.#violate(new Violation('timers-return', `${pendingTimers} timers are left`));
    const { counters } = listener;
    const ended = [...counters.closed.values()].reduce((sum, count) => sum + count, 0);
    if (this.#scene.serve && ended !== this.#monitors.length)
      this.#violate(
        new Violation('every-end-is-counted', `${this.#monitors.length} were served, ${ended} ends were counted`),
      );
    const failed = this.#warnings.find((warning) => /failed/.test(warning));
    if (failed) this.#violate(new Violation('nothing-fails-inside', failed));
    this.#guard('the-scene-holds', () => this.#scene.check?.());
    this.#throwViolation();
  }

  /** Lets everything happen that is due in the next `forMs` milliseconds. */
  async #advance(forMs: number): Promise<void> {
    const untilMs = this.#clock.nowMs() + forMs;
    for (;;) {
      let isMore = false;
      try {
        isMore = this.#clock.step(untilMs);
      } catch (error) {
        this.#caught(error);
      }
      if (!isMore) break;
      this.#events += 1;
      if (this.#scene.listen) this.#monitorNewcomers();
      if (this.#events > MAX_EVENTS) throw this.#violate(new Violation('it-comes-to-rest', `${MAX_EVENTS} events`));
      await this.#turn();
      this.#watchDrain();
    }
    this.#throwViolation();
  }

  #watchDrain(): void {
    const drained = this.#drained;
    if (!drained || this.#clock.nowMs() <= drained.untilMs || this.#server.listener.connections.size === 0) return;
    this.#violate(new Violation('a-drain-ends', 'connections stand after the time that was given'));
  }

  /** Everything that the last event has brought about in this process comes to its end. */
  async #turn(): Promise<void> {
    await turn();
    this.#throwViolation();
  }

  #guard(invariant: string, check: () => void): void {
    try {
      check();
    } catch (error) {
      this.#violate(new Violation(invariant, error instanceof Error ? error.message : String(error), { cause: error }));
    }
  }

  #caught(error: unknown): void {
    if (error instanceof Violation) this.#violate(error);
    else
      this.#violate(
        new Violation('no-error-escapes', error instanceof Error ? `${error.message}` : String(error), {
          cause: error,
        }),
      );
  }

  #violate(violation: Violation): Violation {
    this.#violation ??= violation;
    this.#note(`violation ${violation.message}`);
    return this.#violation;
  }

  #throwViolation(): void {
    if (this.#violation) throw this.#violation;
  }

  #note(event: string): void {
    this.trace.add(this.#clock.nowMs(), event);
  }

  /** After a violation: ends what can be ended, so that the next run begins in a clean process. */
  async #tearDown(): Promise<void> {
    if (!this.#server) return;
    this.#server.close().catch(() => {});
    for (let i = 0; i < 1000 && this.#network.openDescriptors > 0; i++) {
      try {
        this.#clock.step(this.#clock.nowMs() + 10);
      } catch {} // it has failed already
      await turn();
    }
  }
}
