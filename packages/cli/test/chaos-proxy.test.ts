import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { describe, it } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import fc from 'fast-check';
import { ChaosProxy, type ChaosProxyOptions } from '../../../packages/cli/dist/chaos/proxy/chaos-proxy.js';
import type { PlayedFault } from '../../../packages/cli/dist/chaos/proxy/fault.js';
import { planConnection } from '../../../packages/cli/dist/chaos/proxy/fault-plan.js';
import { type FaultOptions, faultRules } from '../../../packages/cli/dist/chaos/proxy/fault-rules.js';
import { SeededRandom } from '../../../packages/cli/dist/chaos/seeded-random.js';
import { EchoServer } from './support/echo-server.js';
import { finished, jsonLines, runSluice, startSluice } from './support/sluice-process.js';

const none: FaultOptions = {
  slice: [],
  delay: [],
  throttle: [],
  stall: [],
  freeze: [],
  reset: [],
  'half-close': [],
  flip: [],
};

interface Scene extends AsyncDisposable {
  readonly proxy: ChaosProxy;
  readonly server: EchoServer;
  readonly played: (PlayedFault & { readonly connection: number })[];
  dial(): Promise<Socket>;
}

/** Clients, a proxy with faults, and a server behind it that sends back what it gets. */
async function scene(
  faults: Partial<FaultOptions>,
  options: Partial<ChaosProxyOptions> & { readonly answer?: (socket: Socket) => void } = {},
): Promise<Scene> {
  const { answer, ...more } = options;
  const server = await EchoServer.start(answer);
  const played: Scene['played'] = [];
  const proxy = await ChaosProxy.start({
    listen: { host: '127.0.0.1', port: 0 },
    target: { host: '127.0.0.1', port: server.port },
    rules: faultRules({ ...none, ...faults }),
    seed: 1,
    reorder: 0,
    reorderWaitMs: 60_000,
    maxConnections: 100,
    onFault: (connection, fault) => played.push({ connection, ...fault }),
    ...more,
  });
  const sockets: Socket[] = [];
  return {
    proxy,
    server,
    played,
    async dial() {
      const socket = connect({ ...proxy.address, noDelay: true, allowHalfOpen: true });
      sockets.push(socket);
      await once(socket, 'connect');
      socket.on('error', () => {});
      return socket;
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await proxy[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
    },
  };
}

/** Everything that comes until the end, or until the connection breaks. */
async function received(socket: Socket): Promise<Buffer> {
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  await new Promise<void>((resolve) => {
    socket.once('end', resolve);
    socket.once('close', () => resolve());
  });
  return Buffer.concat(chunks);
}

/** Bytes that are not the same anywhere near. */
function pattern(length: number): Buffer {
  return Buffer.from(Uint8Array.from({ length }, (_, i) => (i * 31 + (i >> 8)) & 0xff));
}

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await nextTurn();
}

describe('sluice chaos proxy', () => {
  it('brings every byte both ways unchanged and in order, whatever slices, delays, throttles and stalls', async () => {
    const pace = fc.record({
      slice: fc.option(fc.integer({ min: 1, max: 5000 }), { nil: undefined }),
      gap: fc.constantFrom(0, 0, 1),
      delay: fc.option(fc.integer({ min: 0, max: 8 }), { nil: undefined }),
      jitter: fc.integer({ min: 0, max: 8 }),
      throttle: fc.option(fc.integer({ min: 1_000_000, max: 50_000_000 }), { nil: undefined }),
      stall: fc.option(fc.integer({ min: 0, max: 100_000 }), { nil: undefined }),
      direction: fc.constantFrom('', 'up:', 'down:'),
    });
    const writes = fc.array(fc.integer({ min: 1, max: 30_000 }), { minLength: 1, maxLength: 6 });
    await fc.assert(
      fc.asyncProperty(pace, writes, fc.nat(), async (faults, sizes, seed) => {
        // single bytes with a pause after each take their time: few of them
        const total = Math.min(
          sizes.reduce((sum, size) => sum + size, 0),
          (faults.slice ?? 5000) * (faults.gap > 0 ? 50 : 1000),
        );
        const { direction } = faults;
        await using place = await scene(
          {
            slice: faults.slice === undefined ? [] : [`${direction}${faults.slice}/${faults.gap}`],
            delay: faults.delay === undefined ? [] : [`${direction}${faults.delay}~${faults.jitter}`],
            throttle: faults.throttle === undefined ? [] : [`${direction}${faults.throttle}`],
            stall: faults.stall === undefined ? [] : [`${direction}${faults.stall}/5ms@50%`],
          },
          { seed },
        );
        const sent = pattern(total);
        const socket = await place.dial();
        const coming = received(socket);
        let from = 0;
        for (const size of sizes) {
          socket.write(sent.subarray(from, from + size));
          from = Math.min(total, from + size);
        }
        socket.end(sent.subarray(from));
        assert.ok((await coming).equals(sent));
        await until(() => place.proxy.figures.open === 0);
        assert.equal(place.proxy.heldBytes, 0);
        assert.deepEqual([place.proxy.figures.bytesUp, place.proxy.figures.bytesDown], [total, total]);
      }),
      { numRuns: 60 },
    );
  });

  it('slices: pieces of so many bytes arrive, one by one', async () => {
    const pieces: number[] = [];
    await using place = await scene(
      { slice: ['up:7'] },
      { answer: (socket) => socket.on('data', (chunk) => pieces.push(chunk.length)).on('end', () => socket.end()) },
    );
    const socket = await place.dial();
    const ended = received(socket);
    socket.end(pattern(7 * 20 + 3));
    await ended;
    assert.equal(
      pieces.reduce((sum, piece) => sum + piece, 0),
      143,
    );
    assert.ok(pieces.length > 1, `${pieces}`);
    assert.ok(
      pieces.slice(0, -1).every((piece) => piece % 7 === 0),
      `${pieces}`,
    );
    assert.deepEqual(place.played, [{ connection: 1, fault: 'slice', direction: 'up', detail: 'pieces of 7B' }]);
  });

  it('delays: nothing arrives before its time', async () => {
    await using place = await scene({ delay: ['up:60ms', 'down:20ms'] });
    const socket = await place.dial();
    const startMs = performance.now();
    socket.write('x');
    await once(socket, 'data');
    assert.ok(performance.now() - startMs >= 79, `${performance.now() - startMs}`);
  });

  it('throttles: bytes take at least the time that the rate gives them', async () => {
    await using place = await scene({ throttle: ['down:100000B'] });
    const socket = await place.dial();
    const startMs = performance.now();
    const coming = received(socket);
    socket.end(pattern(30_000));
    assert.equal((await coming).length, 30_000);
    // 300 ms, less one burst of 50 ms at the start and the last piece, which pays afterwards
    assert.ok(performance.now() - startMs >= 190, `${performance.now() - startMs}`);
  });

  it('stalls: what lies behind a byte waits, and then arrives', async () => {
    await using place = await scene({ stall: ['up:1000B/80ms'] });
    const socket = await place.dial();
    const startMs = performance.now();
    let firstBytes = 0;
    socket.on('data', (chunk: Buffer) => {
      if (performance.now() - startMs < 80) firstBytes += chunk.length;
    });
    const coming = received(socket);
    socket.end(pattern(5000));
    assert.ok((await coming).equals(pattern(5000)));
    assert.ok(firstBytes <= 1000, `${firstBytes}`);
    assert.ok(performance.now() - startMs >= 79);
    assert.equal(place.played[0]?.atBytes, 1000);
  });

  it('freezes: so many bytes arrive, then nothing more, and the connection stays', async () => {
    await using place = await scene({ freeze: ['up:1000B'] });
    const socket = await place.dial();
    const chunks: Buffer[] = [];
    socket.on('data', (chunk: Buffer) => chunks.push(chunk));
    socket.end(pattern(5000));
    await until(() => Buffer.concat(chunks).length === 1000);
    // the other direction works: what the server says now comes after all that could have come before
    place.server.sockets[0]!.write('!');
    await until(() => Buffer.concat(chunks).length > 1000);
    assert.equal(Buffer.concat(chunks).subarray(1000).toString(), '!');
    assert.equal(place.proxy.figures.open, 1);
  });

  it('resets: both ends see it, after so many bytes at most', async () => {
    const serverSaw: Promise<unknown>[] = [];
    await using place = await scene(
      { reset: ['down:1000B'] },
      {
        answer: (socket) => {
          serverSaw.push(new Promise((resolve) => socket.once('error', resolve)));
          socket.resume();
          socket.write(pattern(5000));
        },
      },
    );
    const socket = await place.dial();
    // where bytes and a reset come together, Node calls it an end
    const bytes = await received(socket);
    assert.ok(bytes.length <= 1000 && bytes.equals(pattern(5000).subarray(0, bytes.length)), `${bytes.length}`);
    assert.equal(((await serverSaw[0]) as NodeJS.ErrnoException).code, 'ECONNRESET');
    assert.deepEqual(place.played, [{ connection: 1, fault: 'reset', direction: 'down', atBytes: 1000 }]);
    assert.equal(place.proxy.figures.open, 0);
  });

  it('half-closes: the receiver sees the end after so many bytes, and can still answer', async () => {
    await using place = await scene({ 'half-close': ['up:1000B'] });
    const socket = await place.dial();
    const coming = received(socket);
    socket.write(pattern(5000));
    assert.ok((await coming).equals(pattern(1000)));
  });

  it('flips one bit of the byte behind so many', async () => {
    await using place = await scene({ flip: ['up:1000B'] });
    const socket = await place.dial();
    const coming = received(socket);
    socket.end(pattern(5000));
    const [bytes, sent] = [await coming, pattern(5000)];
    const wrong = [...bytes.keys()].filter((i) => bytes[i] !== sent[i]);
    assert.deepEqual(wrong, [1000]);
    const changed = bytes[1000]! ^ sent[1000]!;
    assert.equal(changed & (changed - 1), 0, 'more than one bit');
  });

  it('reorders: connections are held, and reach the server in another order', async () => {
    await using place = await scene({}, { reorder: 5 });
    const orders = new Set<string>();
    for (let round = 0; round < 4; round++) {
      const before = place.server.sockets.length;
      for (let i = 0; i < 5; i++) {
        assert.equal(place.server.sockets.length, before, 'none before there are five');
        (await place.dial()).write(String(i));
      }
      await until(() => place.server.sockets.length === before + 5);
      const numbers = place.played.slice(-5).map(({ connection }) => connection - before);
      assert.deepEqual([...numbers].sort(), [1, 2, 3, 4, 5]);
      orders.add(numbers.join());
    }
    assert.ok(orders.size > 1 || !orders.has('1,2,3,4,5'), [...orders].join(' '));
  });

  it('passes an end and a reset on as what they are', async () => {
    await using place = await scene({});
    const ending = await place.dial();
    const coming = received(ending);
    ending.end('bye');
    assert.equal((await coming).toString(), 'bye');
    const resetting = await place.dial();
    resetting.write('x');
    await once(resetting, 'data');
    const saw = once(place.server.sockets[1]!, 'error');
    resetting.resetAndDestroy();
    assert.equal(((await saw)[0] as NodeJS.ErrnoException).code, 'ECONNRESET');
  });

  it('reads no more than it may hold from who sends to a server that does not read', async () => {
    await using place = await scene({}, { answer: (socket) => void socket.pause() });
    const socket = await place.dial();
    for (let i = 0; i < 64; i++) socket.write(Buffer.alloc(1 << 20));
    await until(() => place.proxy.heldBytes >= 1 << 20);
    let most = 0;
    for (let i = 0; i < 500; i++) {
      await nextTurn();
      most = Math.max(most, place.proxy.heldBytes);
    }
    assert.ok(most <= 2 << 20, `${most}`);
    assert.ok(socket.writableLength > 32 << 20, 'the sender is held up');
  });

  it('resets a client whose connection to the target cannot be made, and says so', async () => {
    const messages: string[] = [];
    await using nobody = await EchoServer.start();
    const { port } = nobody;
    await nobody[Symbol.asyncDispose]();
    await using place = await scene(
      {},
      { target: { host: '127.0.0.1', port }, onUnreachable: (_, error) => messages.push(error.message) },
    );
    await received(await place.dial());
    assert.match(messages.join(), /ECONNREFUSED/);
    assert.equal(place.proxy.figures.unreachable, 1);
  });

  it('plays the same for the same seed, connection by connection, and on its share of them', () => {
    const rules = faultRules({ ...none, reset: ['0-1MiB@30%'], slice: ['down:7@50%'] });
    const plans = (seed: number) =>
      Array.from({ length: 400 }, (_, i) => planConnection(rules, new SeededRandom(seed, i)));
    assert.deepEqual(plans(7), plans(7));
    assert.notDeepEqual(plans(7), plans(8));
    const share = plans(7).filter(({ up }) => up.marks.length > 0).length / 400;
    assert.ok(share > 0.2 && share < 0.4, `${share}`);
    const bytes = plans(7).flatMap(({ up }) => up.marks.map(({ atBytes }) => atBytes));
    assert.ok(new Set(bytes).size > bytes.length / 2);
    assert.ok(bytes.every((at) => at >= 0 && at <= 1 << 20));
    assert.ok(plans(7).every(({ up }) => up.slice === undefined));
  });

  it('refuses what is no fault with exit code 2, and says what one looks like', async () => {
    for (const [option, value] of [
      ['slice', '0'],
      ['slice', 'seven'],
      ['delay', '50ms~'],
      ['stall', '1MiB'],
      ['reset', '2MiB-1MiB'],
      ['reset', '1MiB@101%'],
      ['freeze', 'left:1MiB'],
    ] as const) {
      const { code, stderr } = await runSluice(['chaos', 'proxy', `--${option}`, value, '127.0.0.1:1']);
      assert.equal(code, 2, `--${option} ${value}`);
      assert.match(stderr, new RegExp(`^sluice: --${option} .* cannot be used: give .*like`));
    }
  });

  it('as a command says where it listens, what it plays and, at SIGTERM, what it has done', async () => {
    await using server = await EchoServer.start();
    const args = ['chaos', 'proxy', '--json', '--reset', 'up:10B', '--seed', '5', `127.0.0.1:${server.port}`];
    const child = startSluice(args);
    const [first] = (await once(child.stdout, 'data')) as [Buffer];
    const listening = JSON.parse(first.toString()) as { readonly address: string; readonly seed: number };
    assert.equal(listening.seed, 5);
    const result = finished(child);
    const socket = connect(Number(listening.address.split(':')[1]), '127.0.0.1');
    socket.on('error', () => {});
    socket.write('0123456789');
    await received(socket);
    child.kill('SIGTERM');
    const { code, stdout } = await result;
    assert.equal(code, 0);
    const [fault, summary] = jsonLines(stdout) as Record<string, unknown>[];
    assert.deepEqual(fault, { event: 'fault', connection: 1, fault: 'reset', direction: 'up', atBytes: 10 });
    assert.deepEqual(
      [summary?.['event'], summary?.['connections'], summary?.['bytesUp'], summary?.['faults']],
      ['summary', 1, 10, { reset: 1 }],
    );
  });
});
