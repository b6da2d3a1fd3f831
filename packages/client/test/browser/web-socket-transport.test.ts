import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { ClientError } from '@sluice/client/browser';
import { ManualClock } from '@sluice/testkit';
import fc from 'fast-check';
import { WebSocketTransport } from '../../../../packages/client/dist/browser/web-socket-transport.js';
import type { TransportUser } from '../../../../packages/client/dist/transport.js';
import { FakeSocket } from './fake-socket.js';

const KIB = 1 << 10;
const MAX_MESSAGE_BYTES = 256 * KIB;

/** Notes what a transport tells. */
class Notes implements TransportUser {
  readonly bytes: number[] = [];
  closed: { readonly error: Error | undefined } | undefined;
  silences = 0;
  onEach: () => void = () => {};

  onBytes(buffer: Uint8Array, end: number): void {
    this.bytes.push(...buffer.subarray(0, end));
    this.onEach();
  }

  onSilence(): void {
    this.silences += 1;
  }

  onClose(error: Error | undefined): void {
    assert.equal(this.closed, undefined, 'told twice');
    this.closed = { error };
  }
}

async function dial(
  url = 'wss://host.example/gateway',
  clock?: ManualClock,
): Promise<[FakeSocket, WebSocketTransport, Notes]> {
  const socket = new FakeSocket();
  const { signal } = new AbortController();
  const given = { url: new URL(url), openSocket: () => socket.asSocket, timeoutMs: 10_000, signal };
  const options = { ...given, ...(clock && { clock }) };
  const dialing = WebSocketTransport.dial(options);
  socket.onopen?.({});
  const transport = await dialing;
  const notes = new Notes();
  transport.attach(notes);
  return [socket, transport, notes];
}

function joined(parts: readonly Uint8Array[]): Buffer {
  return Buffer.concat(parts);
}

describe('A connection through a gateway, when it sends,', () => {
  it('sends all bytes in order, in messages no longer than a gateway takes, whatever the parts are', async () => {
    const length = fc.oneof(fc.integer({ min: 0, max: 600 }), fc.integer({ min: 60 * KIB, max: 600 * KIB }));
    await fc.assert(
      fc.asyncProperty(fc.array(length, { maxLength: 12 }), async (lengths) => {
        const [socket, transport] = await dial();
        const parts = lengths.map((bytes, i) => new Uint8Array(bytes).fill(i + 1));
        await transport.write(parts);
        assert.ok(joined(socket.sent).equals(joined(parts)));
        assert.ok(socket.sent.every(({ length }) => length > 0 && length <= MAX_MESSAGE_BYTES));
      }),
      { numRuns: 60 },
    );
  });

  it('joins small parts: a head and a text are one message', async () => {
    const [socket, transport] = await dial();
    await transport.write([Uint8Array.of(1), new Uint8Array(100), new Uint8Array(MAX_MESSAGE_BYTES), Uint8Array.of(2)]);
    assert.deepEqual(
      socket.sent.map(({ length }) => length),
      [101, MAX_MESSAGE_BYTES, 1],
    );
  });

  it('waits while the browser has more waiting than it should, and goes on when that has gone', async () => {
    const [socket, transport] = await dial();
    socket.bufferedAmount = 5 << 20;
    let isDone = false;
    const writing = transport.write([Uint8Array.of(1)]).then(() => {
      isDone = true;
    });
    await pause(30);
    assert.equal(isDone, false);
    socket.bufferedAmount = 1 << 20;
    await writing;
  });

  it('rejects what waits when the connection ends', async () => {
    const [socket, transport] = await dial();
    socket.bufferedAmount = 5 << 20;
    const writing = transport.write([Uint8Array.of(1)]);
    socket.onclose?.({ code: 1006, reason: '' });
    await assert.rejects(writing, /it broke/);
    await assert.rejects(transport.write([Uint8Array.of(1)]), /it broke/);
  });
});

describe('A connection through a gateway, when it receives,', () => {
  it('hands on what comes', async () => {
    const [socket, , notes] = await dial();
    socket.receive(1, 2);
    socket.receive(3);
    assert.deepEqual(notes.bytes, [1, 2, 3]);
  });

  it('keeps what comes while it is paused, and hands it on in order until it is paused again', async () => {
    const [socket, transport, notes] = await dial();
    transport.pause();
    for (const byte of [1, 2, 3]) socket.receive(byte);
    assert.deepEqual(notes.bytes, []);
    notes.onEach = () => notes.bytes.length === 2 && transport.pause();
    transport.resume();
    assert.deepEqual(notes.bytes, [], 'not within the call');
    await pause(1);
    assert.deepEqual(notes.bytes, [1, 2]);
    socket.receive(4);
    transport.resume();
    await pause(1);
    assert.deepEqual(notes.bytes, [1, 2, 3, 4]);
  });

  it('tells the end after all that came before it, also when it was paused', async () => {
    const [socket, transport, notes] = await dial();
    transport.pause();
    socket.receive(1);
    socket.onclose?.({ code: 1000, reason: '' });
    await pause(1);
    assert.equal(notes.closed, undefined);
    transport.resume();
    await pause(1);
    assert.deepEqual(notes.bytes, [1]);
    assert.deepEqual(notes.closed, { error: undefined });
  });

  it('does not keep more than any request asks for', async () => {
    const [socket, transport, notes] = await dial();
    transport.pause();
    const message = { data: new ArrayBuffer(32 << 20) };
    for (let i = 0; i < 4; i++) socket.onmessage?.(message);
    assert.equal(socket.isClosed, false);
    socket.onmessage?.(message);
    assert.equal(socket.isClosed, true);
    transport.resume();
    await pause(1);
    assert.match(String(notes.closed?.error), /more came than this page could take/);
    assert.deepEqual(notes.bytes, []);
  });

  it('ends when text comes: what answers is no gateway', async () => {
    const [socket, , notes] = await dial();
    socket.onmessage?.({ data: 'hello' });
    await pause(1);
    assert.equal(socket.isClosed, true);
    assert.match(String(notes.closed?.error), /no gateway/);
  });
});

describe('The end of a connection through a gateway', () => {
  const texts: readonly (readonly [code: number, reason: string, expected: RegExp])[] = [
    [1001, '', /shutting down/],
    [1008, 'kicked', /^Error: kicked$/],
    [4321, '', /code 4321/],
  ];
  for (const [code, reason, expected] of texts) {
    it(`with code ${code} and ${reason === '' ? 'no reason' : 'a reason'} is told in words`, async () => {
      const [socket, , notes] = await dial();
      socket.onclose?.({ code, reason });
      await pause(1);
      assert.match(String(notes.closed?.error), expected);
    });
  }

  it('by a server without room says when to come back', async () => {
    const [socket, , notes] = await dial();
    socket.onclose?.({ code: 1013, reason: 'total RetryAfterMs=250' });
    await pause(1);
    const error = notes.closed?.error;
    assert.ok(error instanceof ClientError);
    assert.deepEqual([error.resultCode, error.retryable, error.retryAfterMs], [12, true, 250]);
  });

  it('is told once when it is destroyed, and nothing comes any more', async () => {
    const [socket, transport, notes] = await dial();
    transport.destroy();
    socket.receive(1);
    socket.onclose?.({ code: 1006, reason: '' });
    await pause(1);
    assert.deepEqual(notes.bytes, []);
    assert.deepEqual(notes.closed, { error: undefined });
  });
});

describe('Silence on a connection through a gateway', () => {
  it('is told, but not while something comes or goes', async () => {
    const clock = new ManualClock();
    const [socket, transport, notes] = await dial(undefined, clock);
    socket.bufferedAmount = 1000;
    transport.expectActivity(4000);
    for (let i = 0; i < 6; i++) {
      clock.advance(3000);
      if (i % 2 === 0) socket.receive(1);
      else socket.bufferedAmount -= 100;
    }
    clock.advance(4000);
    assert.equal(notes.silences, 0);
    clock.advance(1000);
    assert.equal(notes.silences, 1);
    transport.expectActivity(0);
  });
});

describe('A gateway that is dialled', () => {
  it('is private when it is reached by TLS, or is this machine', async () => {
    const privacy = {
      'wss://a.example/': true,
      'ws://a.example/': false,
      'ws://127.0.0.1/': true,
      'ws://localhost/': true,
      'ws://[::1]/': true,
    };
    for (const [url, isPrivate] of Object.entries(privacy)) {
      const [, transport] = await dial(url);
      assert.equal(transport.isPrivate, isPrivate, url);
    }
  });

  it('and does not answer is ERR_CONNECT, which may be tried again', async () => {
    const socket = new FakeSocket();
    const { signal } = new AbortController();
    const clock = new ManualClock();
    const given = { url: new URL('ws://a.example/'), openSocket: () => socket.asSocket, timeoutMs: 5000, signal };
    const dialing = WebSocketTransport.dial({ ...given, clock });
    clock.advance(4999);
    assert.equal(socket.isClosed, false);
    clock.advance(1);
    await assert.rejects(dialing, { code: 'ERR_CONNECT', retryable: true });
    assert.equal(socket.isClosed, true);
  });

  it('and refuses is ERR_CONNECT', async () => {
    const socket = new FakeSocket();
    const { signal } = new AbortController();
    const options = { url: new URL('ws://a.example/'), openSocket: () => socket.asSocket, timeoutMs: 1000, signal };
    const dialing = WebSocketTransport.dial(options);
    socket.onerror?.({});
    await assert.rejects(dialing, { code: 'ERR_CONNECT', message: /a\.example/ });
  });

  it('is let go when the signal aborts', async () => {
    const socket = new FakeSocket();
    const controller = new AbortController();
    const { signal } = controller;
    const options = { url: new URL('ws://a.example/'), openSocket: () => socket.asSocket, timeoutMs: 1000, signal };
    const dialing = WebSocketTransport.dial(options);
    controller.abort(new Error('enough'));
    await assert.rejects(dialing, /enough/);
    assert.equal(socket.isClosed, true);
  });
});
