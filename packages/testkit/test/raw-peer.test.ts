import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { describe, it } from 'node:test';
import { RawPeer } from '@sluice/testkit';
import { encodePacket, responseText } from '@sluice/wire';

async function withServer(onSocket: (socket: Socket) => void, run: (peer: RawPeer) => Promise<void>): Promise<void> {
  const server = createServer(onSocket).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const peer = await RawPeer.connect((server.address() as AddressInfo).port);
  try {
    await run(peer);
  } finally {
    peer.destroy();
    server.close();
  }
}

describe('RawPeer', () => {
  it('returns packets one after the other, with their data', async () => {
    const packets = [
      encodePacket(responseText('Active', 0)),
      encodePacket(responseText('Data', 0), Uint8Array.of(1, 2)),
    ];
    await withServer(
      (socket) => socket.end(Buffer.concat(packets)),
      async (peer) => {
        assert.deepEqual(await peer.nextPacket(), {
          text: '[Response]\r\nCommand=Active\r\nCode=0',
          data: new Uint8Array(0),
        });
        assert.deepEqual((await peer.nextPacket()).data, Uint8Array.of(1, 2));
      },
    );
  });

  it('says what it had received when the connection ends too early', async () => {
    await withServer(
      (socket) => socket.end('abc'),
      async (peer) => {
        await assert.rejects(peer.nextPacket(), /packet 1: the connection ended; received 3 bytes: "abc"/);
      },
    );
  });

  it('waits for the close by the server and returns all bytes, packets or not', async () => {
    await withServer(
      (socket) => socket.end('not in packets'),
      async (peer) => {
        assert.equal((await peer.waitForClose()).toString(), 'not in packets');
      },
    );
  });

  it('ends its sending side only, when told so', async () => {
    await withServer(
      (socket) => socket.on('end', () => socket.end('later')),
      async (peer) => {
        peer.halfClose();
        assert.equal((await peer.waitForClose()).toString(), 'later');
      },
    );
  });
});
