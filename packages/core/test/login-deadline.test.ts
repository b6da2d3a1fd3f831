import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Connection, ConnectionHandler } from '@sluice/core';
import { eventually } from './support/eventually.js';
import { Loopback, type LoopbackOptions } from './support/loopback.js';
import type { Peer } from './support/peer.js';

const SECOND = 1000;

interface Gate extends ConnectionHandler {
  isAwaitingLogin: boolean;
  isWorking: boolean;
}

async function open(options: LoopbackOptions = {}) {
  const gate: Gate = { isAwaitingLogin: true, isWorking: false, onBytes() {} };
  const loopback = await Loopback.open(options, () => gate);
  const { peer, connection } = await loopback.connect();
  await sendByte(peer, connection);
  return { gate, loopback, peer, connection };
}

async function sendByte(peer: Peer, connection: Connection): Promise<void> {
  const before = connection.receivedBytes;
  peer.send('x');
  await eventually('the byte', () => connection.receivedBytes > before);
}

describe('the deadline of the login', () => {
  it('ends a connection that has not logged in 30 s after its admission, and at most 1 s late', async () => {
    const { loopback, peer, connection } = await open();
    await using _ = loopback;
    loopback.clock.advance(30 * SECOND - 1);
    assert.equal(connection.isClosing, false);
    loopback.clock.advance(SECOND);
    await peer.gone();
    assert.equal((await loopback.ending()).reason, 'login-timeout');
  });

  it('is not put off by what the peer sends', async () => {
    const { loopback, peer, connection } = await open();
    await using _ = loopback;
    for (let i = 1; i < 30; i++) {
      loopback.clock.advance(SECOND);
      await sendByte(peer, connection);
    }
    assert.equal(connection.isClosing, false);
    loopback.clock.advance(SECOND);
    assert.equal(connection.closeReason, 'login-timeout');
  });

  it('is over with the login', async () => {
    const { gate, loopback, connection } = await open();
    await using _ = loopback;
    loopback.clock.advance(29 * SECOND);
    gate.isAwaitingLogin = false;
    loopback.clock.advance(200 * SECOND);
    assert.equal(connection.isClosing, false);
  });

  it('does not count the time in which the server works on a login', async () => {
    const { gate, loopback, connection } = await open();
    await using _ = loopback;
    loopback.clock.advance(20 * SECOND);
    gate.isWorking = true;
    loopback.clock.advance(100 * SECOND);
    gate.isWorking = false;
    loopback.clock.advance(9 * SECOND);
    assert.equal(connection.isClosing, false);
    loopback.clock.advance(SECOND);
    assert.equal(connection.closeReason, 'login-timeout');
  });

  it('does not count the time in which the server does not read, although the peer has taken all', async () => {
    const { loopback, connection } = await open();
    await using _ = loopback;
    connection.pauseReading();
    loopback.clock.advance(100 * SECOND);
    connection.resumeReading();
    loopback.clock.advance(29 * SECOND);
    assert.equal(connection.isClosing, false);
    loopback.clock.advance(SECOND);
    assert.equal(connection.closeReason, 'login-timeout');
  });

  it('counts the time in which the peer does not take what waits for it', async () => {
    const { gate, loopback, peer, connection } = await open({ writeStallTimeoutMs: 0 });
    await using _ = loopback;
    peer.stopReading();
    connection.sendOwned(Buffer.alloc(20 << 20), () => {});
    gate.isWorking = true;
    loopback.clock.advance(30 * SECOND);
    assert.equal(connection.closeReason, 'login-timeout');
  });

  it('can be switched off', async () => {
    const { loopback, connection } = await open({ loginTimeoutMs: 0 });
    await using _ = loopback;
    loopback.clock.advance(299 * SECOND);
    assert.equal(connection.isClosing, false);
  });
});
