import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { after, before, describe, it } from 'node:test';
import { pathToFileURL } from 'node:url';
import { DEFAULT_OUTBOUND_LIMITS, type Listener } from '@sluice/core';
import { failureOf, type SimulatedProtocol, SimulationError, shrinkFailure, simulate } from '@sluice/testkit';
import { CompiledExamples } from './compiled-examples.js';
import { readPage } from './markdown.js';

let examples: CompiledExamples;

describe('docs/writing-a-protocol.md', () => {
  before(async () => {
    examples = await CompiledExamples.of(await readPage('docs/writing-a-protocol.md'));
  });
  after(async () => {
    await examples[Symbol.asyncDispose]();
  });

  it('has five programs', () => {
    assert.deepEqual([...examples.names], ['echo.ts', 'bulk.ts', 'prices.ts', 'thermometer.ts', 'counter.ts']);
  });

  it('has an echo that answers whole, joined and split frames, and drains on SIGTERM', async () => {
    const program = spawn(process.execPath, [examples.file('echo.ts')], { stdio: ['ignore', 'pipe', 'inherit'] });
    try {
      const lines = createInterface({ input: program.stdout })[Symbol.asyncIterator]();
      const port = Number(/^listening on 127\.0\.0\.1:(\d+)$/.exec((await lines.next()).value ?? '')?.[1]);
      const peer = await dial(port);
      const sent = Buffer.concat([frame('one'), frame(''), frame('x'.repeat(60_000)), frame('four')]);
      peer.write(sent.subarray(0, 2));
      await new Promise((resolve) => setImmediate(resolve));
      peer.write(sent.subarray(2));
      assert.ok((await receive(peer, sent.length)).equals(sent));

      const tooLarge = await dial(port);
      tooLarge.write(Uint8Array.of(0, 1, 0, 1));
      await once(tooLarge.resume(), 'end');

      program.kill('SIGTERM');
      assert.equal((await lines.next()).value, 'drained, 0 connections cut');
      assert.deepEqual(await once(program, 'exit'), [0, null]);
    } finally {
      program.kill('SIGKILL');
    }
  });

  it('has a bulk server that sends no faster than the peer reads', async () => {
    const listener = await start('bulk.ts');
    const wanted = 40 << 20;
    const peer = await dial(listener.address.port);
    peer.pause();
    peer.write(bulkRequest(wanted));
    const [connection] = listener.connections;
    assert.ok(connection);
    await until(() => connection.isAboveHighWaterMark);
    assert.ok(connection.queuedBytes <= DEFAULT_OUTBOUND_LIMITS.highWaterMarkBytes + (17 << 10), 'queued too much');
    const frames = Math.ceil(wanted / (16 << 10));
    assert.equal((await receive(peer, wanted + 4 * frames)).length, wanted + 4 * frames);
    peer.destroy();
    await listener.close();
  });

  it('has a bulk server that answers in order, and lets nobody wait for another', async () => {
    const listener = await start('bulk.ts', 'again');
    const stalled = await dial(listener.address.port);
    stalled.pause();
    stalled.write(bulkRequest(40 << 20));
    const peer = await dial(listener.address.port);
    peer.write(Buffer.concat([bulkRequest(3), bulkRequest(0), bulkRequest(2)]));
    assert.equal((await receive(peer, 13)).toString('hex'), ['00000003', '000000', '00000002', '0000'].join(''));
    stalled.destroy();
    peer.destroy();
    await listener.close();
  });

  it('has a bulk server that closes on a request it does not understand', async () => {
    const listener = await start('bulk.ts', 'short');
    const peer = await dial(listener.address.port);
    peer.write(Uint8Array.of(0, 0, 0, 1, 9));
    await once(peer.resume(), 'end');
    peer.destroy();
    await listener.close();
    assert.equal(listener.counters.closed.get('handler-failed'), 1);
  });

  it('has a thermometer that tells what has happened on a connection, while it is open and when it is gone', async () => {
    const file = pathToFileURL(examples.file('thermometer.ts')).href;
    const { listener, explain } = (await import(file)) as { listener: Listener; explain: (id: number) => string[] };
    const peer = await dial(listener.address.port);
    peer.write(Buffer.concat([20, 95, 21].map((degrees) => Uint8Array.of(0, 0, 0, 1, degrees))));
    await until(() => explain(1).length === 2);
    const told = (): string[] => explain(1).map((line) => line.replace(/^[\d.]+ ms: /, '').trim());
    assert.deepEqual(told(), ['degree x 3 5', 'alarm x 1 95']);
    peer.end();
    await until(() => explain(1).at(-1) === 'closed: peer-closed');
    peer.destroy();
    const end = ['peer-ended x 1', 'closing x 1 0', 'gone x 1', 'closed: peer-closed'];
    assert.deepEqual(told(), ['degree x 3 5', 'alarm x 1 95', ...end]);
    assert.deepEqual(explain(2), []);
    await listener.close();
  });

  it('has a counter whose fault a simulation finds in the first seeds, and shrinks to two steps', async () => {
    const file = pathToFileURL(examples.file('counter.ts')).href;
    const { counter } = (await import(file)) as { counter: SimulatedProtocol };
    let failure: SimulationError | undefined;
    for (let seed = 1; seed <= 5 && !failure; seed++) failure = await failureOf({ protocol: counter, seed });
    assert.equal(failure?.invariant, 'answers-are-right');
    const { seed, steps, asCode } = await shrinkFailure(counter, failure);
    assert.deepEqual(
      steps.map((step) => step.do),
      ['connect', 'send'],
    );
    assert.match(
      asCode,
      /^await simulate\(\{\n {2}protocol,\n {2}seed: \d,\n {2}steps: \[\n {4}\{ do: 'connect', peer: \d \},\n/,
    );
    await assert.rejects(simulate({ protocol: counter, seed, steps }), SimulationError);
  });
});

describe('the prices of docs/writing-a-protocol.md', () => {
  it('come as they change, and of many that a client did not take the latest', async () => {
    const examples = await CompiledExamples.of(await readPage('docs/writing-a-protocol.md'));
    const { listener, publish } = (await import(pathToFileURL(examples.file('prices.ts')).href)) as {
      listener: Listener;
      publish: (item: string, price: number) => void;
    };
    const peer = await dial(listener.address.port);
    await until(() => listener.connections.size === 1);
    publish('tea', 1);
    assert.ok((await receive(peer, 9)).equals(frame('tea 1')));
    peer.pause();
    const [connection] = listener.connections;
    for (let price = 2; connection!.queuedBytes === 0; price++) publish(`${'tea'.padEnd(50_000)}`, price);
    for (let price = 1; price <= 1000; price++) publish('tea', price);
    const last = frame('tea 1000');
    let tail = Buffer.alloc(0);
    peer.on('data', (chunk: Buffer) => {
      tail = Buffer.concat([tail, chunk]).subarray(-last.length);
    });
    peer.resume();
    await until(() => tail.equals(last));
    assert.equal(listener.counters.messages.supersededMessages, 999);
    peer.destroy();
    await listener.close();
    await examples[Symbol.asyncDispose]();
  });
});

/** Runs an example in this process, anew for each `run`. */
async function start(name: string, run = ''): Promise<Listener> {
  const { listener } = (await import(`${pathToFileURL(examples.file(name)).href}?${run}`)) as { listener: Listener };
  return listener;
}

async function dial(port: number): Promise<Socket> {
  const socket = connect({ host: '127.0.0.1', port });
  await once(socket, 'connect');
  return socket;
}

function receive(socket: Socket, bytes: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let received = 0;
    socket.on('data', (chunk: Buffer) => {
      chunks.push(chunk);
      received += chunk.length;
      if (received >= bytes) resolve(Buffer.concat(chunks));
    });
    socket.on('error', reject);
    socket.on('close', () => reject(new Error(`closed after ${received} of ${bytes} bytes`)));
    socket.resume();
  });
}

/** Fails after 10 s. */
async function until(isTrue: () => boolean): Promise<void> {
  const deadline = performance.now() + 10_000;
  while (!isTrue()) {
    if (performance.now() > deadline) throw new Error('not within 10 s');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

function frame(text: string): Buffer {
  const head = Buffer.alloc(4);
  head.writeUInt32BE(Buffer.byteLength(text));
  return Buffer.concat([head, Buffer.from(text)]);
}

function bulkRequest(bytes: number): Buffer {
  const request = Buffer.alloc(8);
  request.writeUInt32BE(4);
  request.writeUInt32BE(bytes, 4);
  return request;
}
