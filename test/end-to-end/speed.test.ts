import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { describe, it } from 'node:test';
import { type ClientError, connect, measureSpeed, type SpeedOptions, type SpeedResult } from '@sluice/client';
import { ServerLog, SluiceServer, type SluiceServerOptions, UserStore } from '@sluice/server';
import { ManualClock } from '@sluice/testkit';
import { encodePacket, encodeWelcome } from '@sluice/wire';

const users = UserStore.fromPairs([{ name: 'admin', password: 'admin' }]);
const MIB = 1 << 20;

/** A server and its clients, whose time passes when a test says so. */
class Scene implements AsyncDisposable {
  readonly clock = new ManualClock();
  readonly #root: string;
  #server: SluiceServer | undefined;

  private constructor(root: string) {
    this.#root = root;
  }

  static async make(speed: NonNullable<SluiceServerOptions['speed']> = {}): Promise<Scene> {
    const scene = new Scene(await mkdtemp(path.join(os.tmpdir(), 'sluice-speed-')));
    const log = new ServerLog({ level: 'error', sinks: [] });
    const { clock } = scene;
    const options = { host: '127.0.0.1', port: 0, root: scene.#root, users: await users, log, clock, speed };
    scene.#server = await SluiceServer.start(options);
    return scene;
  }

  get server(): SluiceServer {
    return this.#server!;
  }

  get url(): string {
    return `sluice://127.0.0.1:${this.server.address.port}/`;
  }

  measure(options: SpeedOptions): Promise<SpeedResult> {
    return this.passing(measureSpeed(this.url, { clock: this.clock, ...options }));
  }

  /** Lets time pass, 10 ms with each turn, until the promise settles. */
  async passing<T>(promise: Promise<T>): Promise<T> {
    let isSettled = false;
    const settled = () => {
      isSettled = true;
    };
    promise.then(settled, settled);
    while (!isSettled) {
      this.clock.advance(10);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    return promise;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server.close();
    await rm(this.#root, { recursive: true, force: true });
  }
}

/** Waits, while time stands still, until it is so. */
async function until(isTrue: () => boolean): Promise<void> {
  while (!isTrue()) await new Promise((resolve) => setTimeout(resolve, 1));
}

describe('measureSpeed', { concurrency: 3 }, () => {
  for (const direction of ['up', 'down', 'both'] as const) {
    it(`${direction}: tells bytes, time, intervals, round trips, and what both processes did`, async () => {
      await using scene = await Scene.make();
      const heard: number[] = [];
      const result = await scene.measure({
        direction,
        streams: 3,
        seconds: 1,
        intervalMs: 250,
        onInterval: ({ toSeconds }) => heard.push(toSeconds),
      });
      assert.deepEqual([result.method, result.direction, result.streams], ['flood', direction, 3]);
      for (const [flow, isMeasured] of [
        [result.up, direction !== 'down'],
        [result.down, direction !== 'up'],
      ] as const) {
        assert.equal(flow !== undefined, isMeasured);
        if (!flow) continue;
        assert.ok(flow.bytes > 0 && flow.seconds >= 0.9 && flow.seconds < 1.5, `${flow.bytes} in ${flow.seconds} s`);
        assert.equal(flow.bytesPerSecond, flow.bytes / flow.seconds);
      }
      assert.equal(result.grantedSeconds, 1);
      assert.equal(result.serverCap, undefined);
      assert.ok(result.idleLatency.roundTrips >= 3 && result.idleLatency.minMs <= result.idleLatency.p99Ms);
      assert.ok((result.loadedLatency?.roundTrips ?? 0) > 0);
      assert.ok(heard.length >= 4, `${heard}`);
      assert.deepEqual(
        result.intervals.map(({ toSeconds }) => toSeconds),
        heard,
      );
      const shares = [result.client, result.server].map((use) => use?.busyShare ?? -1);
      assert.ok(shares.every((share) => share >= 0 && share <= 1));
      await until(() => scene.server.listener.connections.size === 0);
    });
  }

  it('ends after so many bytes each way, over all streams', async () => {
    await using scene = await Scene.make();
    const { up, down } = await scene.measure({ direction: 'both', streams: 3, seconds: 3600, bytes: 3 * MIB });
    assert.equal(down?.bytes, 3 * MIB);
    assert.ok(up!.bytes >= 3 * MIB);
  });

  it('takes the bytes of intervals from what the server has received', async () => {
    await using scene = await Scene.make();
    const { intervals, up } = await scene.measure({ direction: 'up', seconds: 1, intervalMs: 200 });
    const sum = intervals.reduce((bytes, interval) => bytes + (interval.up?.bytes ?? 0), 0);
    assert.ok(sum > 0 && sum <= up!.bytes, `${sum} of ${up?.bytes} bytes`);
  });

  it('is what a client measures that has logged in, too', async () => {
    await using scene = await Scene.make();
    await using client = await connect(scene.url.replace('//', '//admin:admin@'), { clock: scene.clock });
    const result = await scene.passing(client.measureSpeed({ direction: 'down', seconds: 0.2 }));
    assert.equal(result.method, 'flood');
    await client.ping();
  });

  it('says that the server is busy when it measures as many streams as it may: code 12', async () => {
    await using scene = await Scene.make({ maxFloodsPerClient: 1 });
    await assert.rejects(scene.measure({ streams: 2 }), (error: ClientError) => {
      assert.deepEqual([error.code, error.resultCode], ['ERR_REMOTE', 12]);
      assert.match(error.message, /no more than 1 streams of this client/);
      return true;
    });
    await until(() => scene.server.listener.connections.size === 0);
    assert.equal((await scene.measure({ seconds: 0.1 })).streams, 1);
  });

  it('serves several clients at the same time', async () => {
    await using scene = await Scene.make();
    const options = { clock: scene.clock, direction: 'both', streams: 2, seconds: 0.5 } as const;
    const all = Promise.all([1, 2, 3].map(() => measureSpeed(scene.url, options)));
    for (const { up, down } of await scene.passing(all)) assert.ok(up!.bytes > 0 && down!.bytes > 0);
  });

  it('tells for how long the server measures', async () => {
    await using scene = await Scene.make({ maxMs: 200 });
    const { grantedSeconds, seconds } = await scene.measure({ direction: 'down', seconds: 10 });
    assert.equal(grantedSeconds, 0.2);
    assert.ok(seconds < 0.5, `${seconds} s`);
  });

  it('tells the rate that the server holds clients to, and that it is the limit', async () => {
    await using scene = await Scene.make({ bytesPerSecondPerClient: MIB });
    const { serverCap, down, limit } = await scene.measure({ direction: 'down', seconds: 2 });
    assert.deepEqual([serverCap, limit], [MIB, 'server-cap']);
    assert.ok(down!.bytesPerSecond < 1.2 * MIB, `${down?.bytesPerSecond}`);
  });

  it('uses CyclePacket when the server has measurements switched off', async () => {
    await using scene = await Scene.make({ maxFloods: 0 });
    const { method, up, down, server } = await scene.measure({ direction: 'up', seconds: 0.2 });
    assert.deepEqual([method, up, server], ['cycle-packet', down, undefined]);
  });

  it('can be called off, and leaves no connection behind', async () => {
    await using scene = await Scene.make();
    const controller = new AbortController();
    const measuring = measureSpeed(scene.url, { clock: scene.clock, seconds: 3600, signal: controller.signal });
    await until(() => [...scene.server.listener.connections].some(({ receivedBytes }) => receivedBytes > MIB));
    controller.abort(new Error('no time'));
    await assert.rejects(measuring, { message: 'no time' });
    await until(() => scene.server.listener.connections.size === 0);
  });

  it('that fails while it connects leaves no connection behind', async () => {
    const sockets: Socket[] = [];
    await using server = createServer((socket) => {
      sockets.push(socket.on('error', () => {}).resume());
      if (sockets.length === 1)
        socket.once('data', () => socket.write(encodePacket(encodeWelcome('Active', ['Flood']))));
      if (sockets.length === 3) sockets[1]?.destroy();
    });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const { port } = server.address() as AddressInfo;
    await assert.rejects(measureSpeed({ host: '127.0.0.1', port }, { streams: 2 }), { code: 'ERR_CONNECTION_LOST' });
    const unanswered = sockets[2]!;
    if (!unanswered.closed) await once(unanswered, 'close', { signal: AbortSignal.timeout(10_000) });
  });

  it('fails when the connection is lost, and is shorter when the server drains', async () => {
    await using scene = await Scene.make();
    const isMoving = () => [...scene.server.listener.connections].some(({ sentBytes }) => sentBytes > MIB);
    const lost = measureSpeed(scene.url, { clock: scene.clock, direction: 'down', seconds: 60 });
    await until(isMoving);
    for (const connection of scene.server.listener.connections) connection.destroy('kicked');
    await assert.rejects(lost, { code: 'ERR_CONNECTION_LOST' });
    const shortened = measureSpeed(scene.url, { clock: scene.clock, direction: 'down', seconds: 60 });
    await until(isMoving);
    scene.clock.advance(500);
    const drained = scene.server.drain(60_000);
    const { seconds } = await shortened;
    assert.equal(await drained, 0);
    assert.ok(seconds < 2, `${seconds} s`);
  });

  it('refuses options that make no sense', async () => {
    for (const options of [
      { streams: 0 },
      { streams: 65 },
      { streams: 1.5 },
      { seconds: 0 },
      { seconds: 3601 },
      { seconds: Number.NaN },
      { bytes: 0 },
      { intervalMs: 99 },
      { direction: 'sideways' as 'up' },
    ])
      await assert.rejects(measureSpeed('sluice://127.0.0.1:1/', options), { code: 'ERR_OPTION_RANGE' });
  });
});
