import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { Duplex } from 'node:stream';
import { after, before, describe, it } from 'node:test';
import tls from 'node:tls';
import { type Connection, type ConnectionHandler, FramedConnection, TlsContexts } from '@sluice/core';
import { CertificateFolder, issueForTest } from '@sluice/testkit';
import { eventually } from './support/eventually.js';
import { Loopback, type LoopbackOptions } from './support/loopback.js';
import { layout } from './support/peer.js';

const SECOND = 1000;

/** The beginning of a record of 16 KiB. RFC 8446, 5.1. */
const RECORD_HEAD = Buffer.from([23, 3, 3, 64, 0]);

let folder: CertificateFolder;
let contexts: TlsContexts;

before(async () => {
  folder = await CertificateFolder.make();
  const files = await folder.store('server', issueForTest({ hosts: ['127.0.0.1'] }));
  contexts = await TlsContexts.load({ certificates: [files] });
});

after(() => folder[Symbol.asyncDispose]());

/** A TLS client whose records can be tampered with: `raw` is what they go over. */
async function dial(port: number) {
  const raw = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  raw.on('error', () => {}); // resets are part of the tests
  const between = new Duplex({
    read() {},
    write: (chunk: Buffer, _encoding, done) => void raw.write(chunk, () => done()),
  });
  raw.on('data', (chunk: Buffer) => between.push(chunk));
  const secure = tls.connect({ socket: between, rejectUnauthorized: false });
  secure.on('error', () => {});
  await once(secure, 'secureConnect');
  return { raw, secure };
}

async function open(serve: (connection: Connection) => ConnectionHandler, options: LoopbackOptions = {}) {
  const loopback = await Loopback.open({ ...options, tls: { contexts } }, serve);
  const { raw, secure } = await dial(loopback.port);
  const connection = loopback.connections[0]!;
  await eventually('TLS', () => connection.tls !== undefined);
  return { loopback, raw, secure, connection };
}

async function send(secure: tls.TLSSocket, connection: Connection, bytes: Buffer): Promise<void> {
  const wanted = connection.receivedBytes + bytes.length;
  secure.write(bytes);
  await eventually('the bytes', () => connection.receivedBytes === wanted);
}

const framed = (connection: Connection) => new FramedConnection(connection, layout, { onFrame() {} });

describe('deadlines inside TLS', () => {
  it('count the login from the end of the handshake', async () => {
    const gate = { isAwaitingLogin: true, onBytes() {} };
    const { loopback, raw, secure, connection } = await open(() => gate);
    await using _ = loopback;
    await send(secure, connection, Buffer.from('x'));
    loopback.clock.advance(30 * SECOND - 1);
    assert.equal(connection.isClosing, false);
    loopback.clock.advance(SECOND);
    assert.equal((await loopback.ending()).reason, 'login-timeout');
    raw.destroy();
  });

  it('end a frame that comes a byte a second, each in a record of its own', async () => {
    const { loopback, raw, secure, connection } = await open(framed);
    await using _ = loopback;
    await send(secure, connection, Buffer.from([0, 16, 0, 0]));
    while (!connection.isClosing) {
      loopback.clock.advance(SECOND);
      if (!connection.isClosing) await send(secure, connection, Buffer.from('x'));
      assert.ok(loopback.clock.nowMs() < 33 * SECOND);
    }
    assert.equal((await loopback.ending()).reason, 'frame-timeout');
    raw.destroy();
  });

  it('do not take a record that never ends for something received', async () => {
    const { loopback, raw, secure, connection } = await open(framed);
    await using _ = loopback;
    await send(secure, connection, Buffer.from([0, 0, 0, 1, 0]));
    await new Promise((resolve) => raw.write(RECORD_HEAD, resolve));
    for (let i = 0; i < 100 && !connection.isClosing; i++) {
      loopback.clock.advance(3 * SECOND);
      await new Promise((resolve) => raw.write('x', resolve));
    }
    assert.equal(connection.closeReason, 'idle-timeout');
    raw.destroy();
  });

  it('cut a connection that is closed and whose peer does not answer', async () => {
    const { loopback, raw, secure, connection } = await open(framed);
    await using _ = loopback;
    await send(secure, connection, Buffer.from([0, 0, 0, 1, 0]));
    raw.pause();
    connection.close('done');
    loopback.clock.advance(3 * SECOND - 1);
    assert.equal(loopback.endings.length, 0);
    loopback.clock.advance(SECOND);
    assert.equal((await loopback.ending()).reason, 'done');
    raw.destroy();
  });

  it('end a connection whose peer has ended in the middle of what it is sent, and takes no more of it', async () => {
    const { loopback, raw, secure, connection } = await open((opened) => ({
      isSending: true,
      onBytes: () => void opened.sendOwned(Buffer.alloc(20 << 20), () => {}),
      onPeerEnd() {}, // there is more to send
    }));
    await using _ = loopback;
    raw.pause();
    await send(secure, connection, Buffer.from('x'));
    secure.end();
    raw.end();
    await eventually('some waits', () => connection.queuedBytes > 0);
    loopback.clock.advance(62 * SECOND);
    assert.equal((await loopback.ending()).reason, 'write-stall');
    raw.destroy();
  });
});
