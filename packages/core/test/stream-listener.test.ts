import assert from 'node:assert/strict';
import { EventEmitter, once } from 'node:events';
import net from 'node:net';
import { describe, it } from 'node:test';
import {
  type AcceptedStream,
  DescriptorBudget,
  StreamListener,
  type StreamListenerOptions,
  TlsContexts,
} from '@sluice/core';
import { CertificateFolder, issueForTest, ManualClock } from '@sluice/testkit';

const PLAN = { limit: undefined, reserve: 16, connectionShare: 8, fileShare: 8 };

/** Streams that were accepted, and a listener for them that hands out everything it gets. */
class Scene implements AsyncDisposable {
  readonly listener: StreamListener;
  readonly streams: AcceptedStream[];
  readonly refusals: string[];
  readonly descriptors: DescriptorBudget;
  readonly clock: ManualClock;
  readonly #peers: net.Socket[] = [];

  private constructor(
    listener: StreamListener,
    streams: AcceptedStream[],
    refusals: string[],
    descriptors: DescriptorBudget,
    clock: ManualClock,
  ) {
    this.listener = listener;
    this.streams = streams;
    this.refusals = refusals;
    this.descriptors = descriptors;
    this.clock = clock;
  }

  static async open(options: Partial<StreamListenerOptions> = {}): Promise<Scene> {
    const streams: AcceptedStream[] = [];
    const refusals: string[] = [];
    const clock = new ManualClock();
    const descriptors = options.descriptors ?? new DescriptorBudget(PLAN);
    const listener = await StreamListener.listen({
      host: '127.0.0.1',
      port: 0,
      maxConnections: 10,
      maxPerAddress: 10,
      descriptors,
      openingTimeoutMs: 5000,
      clock,
      onStream: (stream) => void streams.push(stream),
      onRefused: (reason) => void refusals.push(reason),
      refusalAnswer: (reason) => Buffer.from(`refused: ${reason}`),
      ...options,
    });
    return new Scene(listener, streams, refusals, descriptors, clock);
  }

  async connect(first = 'x'): Promise<net.Socket> {
    const peer = net.connect({ host: '127.0.0.1', port: this.listener.address.port });
    this.#peers.push(peer);
    peer.on('error', () => {});
    await once(peer, 'connect');
    if (first !== '') peer.write(first);
    return peer;
  }

  async until(what: string, holds: () => boolean): Promise<void> {
    for (const end = performance.now() + 10_000; !holds(); ) {
      if (performance.now() > end) throw new Error(`never: ${what}`);
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.listener.close();
    for (const { socket } of this.streams) socket.destroy();
    for (const peer of this.#peers) peer.destroy();
    await this.until('every descriptor is back', () => this.descriptors.connections === 0);
  }
}

/** A server whose peers all seem to come from one address of another machine. */
function farServer(address: string): net.Server {
  const server = net.createServer({ allowHalfOpen: true, pauseOnConnect: true });
  const far = new EventEmitter();
  server.on('connection', (socket) => {
    Object.defineProperty(socket, 'remoteAddress', { value: address });
    far.emit('connection', socket);
  });
  const methods = {
    listen(...options: Parameters<net.Server['listen']>) {
      server.listen(...options);
      return far;
    },
    address: () => server.address(),
    close: () => server.close(),
  };
  return Object.assign(far, methods) as unknown as net.Server;
}

/** Resolves when a socket is closed, in order or not. */
function closed(socket: net.Socket): Promise<void> {
  return new Promise((resolve) => {
    if (socket.closed) resolve();
    else socket.once('close', () => resolve());
  });
}

describe('a listener for streams', () => {
  it('hands a stream on with its first bytes in it, and gives its place and its descriptor back with its end', async () => {
    await using scene = await Scene.open();
    const peer = await scene.connect('hello');
    await scene.until('the stream is there', () => scene.streams.length === 1);
    const [stream] = scene.streams;
    assert.deepEqual([stream!.remoteAddress, stream!.isSecure, scene.listener.size], ['127.0.0.1', false, 1]);
    stream!.socket.resume();
    const [bytes] = (await once(stream!.socket, 'data')) as [Buffer];
    assert.equal(bytes.toString(), 'hello');
    assert.equal(scene.descriptors.connections, 1);
    peer.destroy();
    stream!.socket.destroy();
    await scene.until('the place is free', () => scene.listener.size === 0 && scene.descriptors.connections === 0);
  });

  it('refuses more from one address than it may have, and says so', async () => {
    await using scene = await Scene.open({ maxPerAddress: 2, createServer: () => farServer('192.0.2.7') });
    await scene.connect();
    await scene.connect();
    await scene.until('two are there', () => scene.streams.length === 2);
    const third = await scene.connect();
    const [told] = (await once(third, 'data')) as [Buffer];
    assert.equal(told.toString(), 'refused: address');
    assert.deepEqual(scene.refusals, ['address']);
    scene.streams[0]!.socket.destroy();
    await scene.until('a place is free', () => scene.listener.size === 1);
    await scene.connect();
    await scene.until('a third is there', () => scene.streams.length === 3);
  });

  it('does not count by address what comes from this machine', async () => {
    await using scene = await Scene.open({ maxPerAddress: 1 });
    await scene.connect();
    await scene.connect();
    await scene.until('both are there', () => scene.streams.length === 2);
  });

  it('refuses what is too much, unless room can be made, and what there is no descriptor for', async () => {
    let room = 1;
    await using scene = await Scene.open({ maxConnections: 1, makeRoom: () => room-- > 0 });
    await scene.connect();
    await scene.connect();
    await scene.until('the second has got room', () => scene.streams.length === 2);
    const third = await scene.connect();
    const [told] = (await once(third, 'data')) as [Buffer];
    assert.equal(told.toString(), 'refused: full');
    const none = new DescriptorBudget({ limit: 40, reserve: 16, connectionShare: 0, fileShare: 0 });
    await using poor = await Scene.open({ descriptors: none });
    const refused = await poor.connect();
    const [why] = (await once(refused, 'data')) as [Buffer];
    assert.equal(why.toString(), 'refused: descriptors');
  });

  it('gives a place free early, but not the descriptor, of a stream that somebody else counts', async () => {
    await using scene = await Scene.open({ maxConnections: 1 });
    await scene.connect();
    await scene.until('it is there', () => scene.streams.length === 1);
    scene.listener.release(scene.streams[0]!.socket);
    assert.deepEqual([scene.listener.size, scene.descriptors.connections], [0, 1]);
    await scene.connect();
    await scene.until('another one is there', () => scene.streams.length === 2);
  });

  it('ends who says nothing, or begins a handshake and does not end it', async () => {
    await using folder = await CertificateFolder.make();
    const contexts = await TlsContexts.load({ certificates: [await folder.store('server', issueForTest())] });
    await using scene = await Scene.open({ tls: { contexts, handshakeTimeoutMs: 3000 } });
    const silent = await scene.connect('');
    const begun = await scene.connect('\u0016');
    await scene.until('both are accepted', () => scene.listener.size === 2);
    scene.clock.advance(6000);
    await Promise.all([closed(silent), closed(begun)]);
    assert.deepEqual(scene.streams, []);
  });

  it('takes the address that a balancer tells, however the header is cut up, and nothing else from it', async () => {
    await using scene = await Scene.open({ isProxy: () => true });
    const peer = await scene.connect('');
    peer.setNoDelay(true);
    for (const part of ['PROXY TCP4 192.0.2.7 ', '192.0.2.1 4711 80\r', '\n', 'hello']) {
      peer.write(part);
      await new Promise((resolve) => setImmediate(resolve));
    }
    await scene.until('it is there', () => scene.streams.length === 1);
    assert.equal(scene.streams[0]!.remoteAddress, '192.0.2.7');
    const bad = await scene.connect('GET / HTTP/1.1\r\n');
    await closed(bad);
    assert.deepEqual(scene.refusals, ['opening']);
  });

  it('refuses numbers that make no sense', async () => {
    for (const options of [{ maxConnections: 0 }, { maxPerAddress: -1 }, { openingTimeoutMs: Number.NaN }])
      await assert.rejects(Scene.open(options), { name: 'OptionsError' });
  });
});
