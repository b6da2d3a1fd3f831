import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Connection } from '@sluice/core';
import { eventually } from './support/eventually.js';
import { echo, Loopback, passTurns, RECEIVE_MODES } from './support/loopback.js';

const HEADER = Buffer.from('PROXY TCP4 192.0.2.7 198.51.100.1 49153 9999\r\n');
const HEADER_V2 = Buffer.from('0d0a0d0a000d0a515549540a2111000cc0000207c6336401c001270f', 'hex');
const everybody = { isProxy: () => true };

function ends(connection: Connection) {
  const { remoteAddress, remotePort, localAddress, localPort } = connection;
  return [remoteAddress, remotePort, localAddress, localPort];
}

for (const receiveMode of RECEIVE_MODES) {
  describe(`PROXY protocol, receive mode ${receiveMode}`, () => {
    for (const [version, header] of [[1, HEADER] as const, [2, HEADER_V2] as const]) {
      it(`version ${version}: the handler sees the real ends and none of the header, wherever it is cut`, async () => {
        const sent = Buffer.concat([header, Buffer.from('hello')]);
        await using others = await Loopback.open({ receiveMode }, echo);
        const { peer: other } = await others.connect();
        for (let at = 0; at <= sent.length; at++) {
          const seen: unknown[] = [];
          await using loopback = await Loopback.open({ receiveMode, ...everybody }, (connection) => ({
            onBytes(source, start, end) {
              if (seen.length === 0) seen.push(ends(connection));
              connection.send(source.subarray(start, end));
            },
          }));
          const { peer, connection } = await loopback.connect();
          peer.socket.write(sent.subarray(0, at));
          await passTurns(other, 2); // the server has read it
          peer.send(sent.subarray(at));
          assert.equal(String(await peer.bytes(5)), 'hello');
          assert.deepEqual(seen, [['192.0.2.7', 49153, '198.51.100.1', 9999]]);
          assert.equal(connection.receivedBytes, 5);
        }
      });

      it(`version ${version}: is read a byte at a time`, async () => {
        await using loopback = await Loopback.open({ receiveMode, ...everybody }, echo);
        const { peer, connection } = await loopback.connect();
        for (const byte of Buffer.concat([header, Buffer.from('x')])) {
          peer.send(Uint8Array.of(byte));
          await new Promise(setImmediate);
        }
        await peer.bytes(1);
        assert.equal(connection.remoteAddress, '192.0.2.7');
      });
    }

    it('keeps the ends of a connection that the balancer makes for itself', async () => {
      await using loopback = await Loopback.open({ receiveMode, ...everybody }, echo);
      const { peer, connection } = await loopback.connect();
      peer.send(Buffer.from('0d0a0d0a000d0a515549540a20000000', 'hex'), 'x');
      await peer.bytes(1);
      assert.deepEqual(ends(connection), ['127.0.0.1', peer.socket.localPort, '127.0.0.1', loopback.port]);
    });

    it('asks only those for a header who are listed; from others it is like any bytes', async () => {
      const asked: string[] = [];
      const isProxy = (address: string) => asked.push(address) === 0;
      await using loopback = await Loopback.open({ receiveMode, isProxy }, echo);
      const { peer, connection } = await loopback.connect();
      peer.send(HEADER);
      assert.equal(String(await peer.bytes(HEADER.length)), String(HEADER));
      assert.equal(connection.remoteAddress, '127.0.0.1');
      assert.deepEqual([...new Set(asked)], ['127.0.0.1']);
    });

    it('cuts a listed peer that begins with something else, before the handler sees it', async () => {
      await using loopback = await Loopback.open({ receiveMode, ...everybody }, echo);
      const { peer } = await loopback.connect();
      peer.send(Uint8Array.of(2), 'Login');
      await peer.gone();
      const { reason, error, connection } = await loopback.ending();
      assert.deepEqual([reason, error?.name], ['proxy-header', 'ProxyHeaderError']);
      assert.deepEqual([connection.receivedBytes, peer.receivedBytes], [0, 0]);
    });

    it('closes when header and first byte have not come in the time for the first byte', async () => {
      for (const sent of [HEADER.subarray(0, 20), HEADER]) {
        await using loopback = await Loopback.open({ receiveMode, ...everybody }, echo);
        const { peer, connection } = await loopback.connect();
        peer.send(sent);
        await eventually('the header', () => sent.length < HEADER.length || connection.remotePort === 49153);
        loopback.clock.advance(7000);
        assert.equal((await loopback.ending()).reason, 'first-byte-timeout');
      }
    });

    it('takes a header that ends with the connection for a closed one', async () => {
      await using loopback = await Loopback.open({ receiveMode, ...everybody }, echo);
      const { peer } = await loopback.connect();
      peer.send(HEADER.subarray(0, 20));
      peer.halfClose();
      assert.equal((await loopback.ending()).reason, 'peer-closed');
    });
  });
}
