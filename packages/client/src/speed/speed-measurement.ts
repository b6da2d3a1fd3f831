import { Feature, ProtocolFlag, ResultCode } from '@sluice/wire';
import { Connection } from '../connection.js';
import type { ServerAddress } from '../endpoint.js';
import { ClientError } from '../errors.js';
import type { ResolvedConnectOptions } from '../options.js';
import { CycleStream } from './cycle-stream.js';
import { FloodStream } from './flood-stream.js';
import { IntervalMeter } from './interval-meter.js';
import { LatencyProbe } from './latency.js';
import { limitingFactor } from './limiting-factor.js';
import { type ResolvedSpeedOptions, resolveSpeedOptions, type SpeedOptions } from './speed-options.js';
import type { ProcessUse, SpeedFlow, SpeedResult } from './speed-result.js';
import type { Moved, SpeedStream } from './speed-stream.js';

/** How long a server may take to say which extensions it has; one that says nothing is an original. */
const GREETING_MS = 10_000;

/**
 * Measures on connections of its own; no login is needed, and nothing is tried again.
 *
 * @throws {ClientError} `ERR_CONNECT`, `ERR_REMOTE` and others; or the signal's reason
 * @throws {OptionsError} `ERR_OPTION_RANGE`
 */
export async function speedOf(
  address: ServerAddress,
  connectOptions: ResolvedConnectOptions,
  options: SpeedOptions,
  signal: AbortSignal,
): Promise<SpeedResult> {
  const measurement = new SpeedMeasurement(address, connectOptions, resolveSpeedOptions(options), signal);
  try {
    return await measurement.run();
  } finally {
    measurement.close();
  }
}

/** One measurement. Owns its connections: no call may share them. */
class SpeedMeasurement {
  readonly #address: ServerAddress;
  readonly #connectOptions: ResolvedConnectOptions;
  readonly #options: ResolvedSpeedOptions;
  readonly #given: AbortSignal;
  /** Aborts when the measurement is called off, and when it is over: a connection that is being made then is none too many. */
  readonly #ending = new AbortController();
  readonly #connections = new Set<Connection>();
  readonly #onAbort = (): void => this.#end(this.#given.reason);

  constructor(
    address: ServerAddress,
    connectOptions: ResolvedConnectOptions,
    options: ResolvedSpeedOptions,
    signal: AbortSignal,
  ) {
    this.#address = address;
    this.#connectOptions = connectOptions;
    this.#options = options;
    this.#given = signal;
    connectOptions.platform.allowListeners(this.#ending.signal); // as many connections at once as there are streams
    signal.addEventListener('abort', this.#onAbort);
  }

  async run(): Promise<SpeedResult> {
    const { streams: count, intervalMs, onInterval } = this.#options;
    const { clock } = this.#connectOptions;
    const first = await this.#greet();
    const method = first.supports(Feature.Flood) ? 'flood' : 'cycle-packet';
    const others = await Promise.all(Array.from({ length: count }, () => this.#connect(first.isExtended)));
    const probe = new LatencyProbe(first, clock);
    const idleLatency = await probe.idle();

    const streams = others.map((connection) => this.#streamOn(connection, method));
    const load = this.#connectOptions.platform.measureLoad();
    const meter = new IntervalMeter({ streams, probe, clock, intervalMs, onInterval });
    const over = new AbortController();
    const probing = probe.underLoad(over.signal);
    try {
      await this.#moveBytes(streams);
      meter.stop();
    } finally {
      over.abort();
      meter.cancel();
    }
    const client = load?.read();
    await probing;
    return this.#resultOf(method, streams, { idleLatency, loadedLatency: probe.loaded, client, meter });
  }

  close(): void {
    this.#given.removeEventListener('abort', this.#onAbort);
    this.#end(new ClientError('ERR_CONNECTION_LOST', 'the measurement is over'));
  }

  /** The first connection; it tells what the server can. */
  async #greet(): Promise<Connection> {
    try {
      return await this.#connect(true, Math.min(GREETING_MS, this.#connectOptions.responseTimeoutMs));
    } catch (error) {
      if (!isOriginal(error) || this.#ending.signal.aborted) throw error;
      return await this.#connect(false);
    }
  }

  async #connect(isAsking: boolean, responseTimeoutMs = this.#connectOptions.responseTimeoutMs): Promise<Connection> {
    const options = { ...this.#connectOptions, responseTimeoutMs };
    const nobody = { ...this.#address, userName: '', password: '' };
    const login = isAsking ? 'ask-features' : 'no-login';
    const connection = await Connection.open(ProtocolFlag.Throughput, nobody, options, this.#ending.signal, login);
    this.#connections.add(connection);
    return connection;
  }

  #streamOn(connection: Connection, method: SpeedResult['method']): SpeedStream {
    const { direction, durationMs, intervalMs, streams } = this.#options;
    const { clock, platform } = this.#connectOptions;
    const bytes = Math.ceil(this.#options.bytes / streams);
    return method === 'flood'
      ? new FloodStream({ connection, clock, platform, direction, durationMs, bytes, intervalMs })
      : new CycleStream({ connection, clock, durationMs, bytes });
  }

  async #moveBytes(streams: readonly SpeedStream[]): Promise<void> {
    await Promise.all(streams.map((stream) => stream.start()));
    await Promise.all(streams.map((stream) => stream.ended));
  }

  #resultOf(
    method: SpeedResult['method'],
    streams: readonly SpeedStream[],
    found: Pick<SpeedResult, 'idleLatency'> & {
      readonly client: ProcessUse | undefined;
      readonly loadedLatency: SpeedResult['loadedLatency'];
      readonly meter: IntervalMeter;
    },
  ): SpeedResult {
    const { direction } = this.#options;
    const { idleLatency, loadedLatency, client, meter } = found;
    const up = flowOf(streams.map((stream) => stream.up));
    const down = flowOf(streams.map((stream) => stream.down));
    const flows = [up, down].filter((flow) => flow !== undefined);
    const server = hardest(streams.map((stream) => stream.server));
    const caps = streams.map((stream) => stream.serverCap).filter((cap) => cap > 0);
    const serverCap = caps.length > 0 ? Math.min(...caps) : undefined;
    return {
      method,
      direction,
      streams: streams.length,
      seconds: Math.max(...flows.map(({ seconds }) => seconds)),
      grantedSeconds: Math.min(...streams.map(({ durationMs }) => durationMs)) / 1000,
      ...(serverCap !== undefined && { serverCap }),
      ...(up && { up }),
      ...(down && { down }),
      idleLatency,
      ...(loadedLatency && { loadedLatency }),
      intervals: meter.intervals,
      ...(client && { client }),
      ...(server && { server }),
      limit: limitingFactor({ client, server, serverCap, flows }),
    };
  }

  #end(reason: unknown): void {
    this.#ending.abort(reason);
    for (const connection of this.#connections) connection.destroy(reason);
    this.#connections.clear();
  }
}

/** An original server ends a connection of this protocol when it is asked for anything but its one command. */
function isOriginal(error: unknown): boolean {
  if (!(error instanceof ClientError)) return false;
  const { code, resultCode } = error;
  return code === 'ERR_CONNECTION_LOST' || code === 'ERR_TIMEOUT' || resultCode === ResultCode.NotExistCommand;
}

/** All streams together; they run at the same time. */
function flowOf(moved: readonly (Moved | undefined)[]): SpeedFlow | undefined {
  const known = moved.filter((each) => each !== undefined);
  if (known.length === 0) return undefined;
  const bytes = known.reduce((sum, each) => sum + each.bytes, 0);
  const seconds = Math.max(...known.map(({ ms }) => ms)) / 1000;
  return { bytes, seconds, bytesPerSecond: seconds > 0 ? bytes / seconds : 0 };
}

/** All streams tell of the same process. */
function hardest(uses: readonly (ProcessUse | undefined)[]): ProcessUse | undefined {
  return uses.reduce((most, use) => (use && (!most || use.cpuSeconds > most.cpuSeconds) ? use : most), undefined);
}
