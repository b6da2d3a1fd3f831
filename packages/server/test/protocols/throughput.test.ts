import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { splitEvery } from '@sluice/testkit';
import { encodePacket, MAX_SENT_PACKET_LENGTH, ProtocolFlag, requestText, responseText } from '@sluice/wire';
import { answer, ask, request, TestServer } from '../support/test-server.js';

const FLAG = Uint8Array.of(ProtocolFlag.Throughput);

function cycle(count: number | string, data: Uint8Array): Uint8Array {
  return request('CyclePacket', [['Count', count]], data);
}

describe('CyclePacket (specification 9)', () => {
  it('is answered with a Count one higher and the same data, without a login', async () => {
    await using server = await TestServer.start();
    using peer = await server.connect();
    await peer.send(FLAG, cycle(1, Uint8Array.of(1, 1, 1, 1)));
    const { text, data } = await peer.nextPacket();
    assert.equal(text, '[Response]\r\nCommand=CyclePacket\r\nCode=0\r\nCount=2');
    assert.deepEqual([...data], [1, 1, 1, 1]);
  });

  it('counts in 32 bits: after 2147483647 comes -2147483648', async () => {
    await using server = await TestServer.start();
    using peer = await server.connect();
    await peer.send(FLAG);
    assert.deepEqual(await ask(peer, 'CyclePacket', [['Count', 2147483647]]), [
      'Command=CyclePacket',
      'Code=0',
      'Count=-2147483648',
    ]);
    assert.deepEqual((await ask(peer, 'cyclepacket', [['Count', -1]]))[2], 'Count=0');
  });

  for (const fields of [[], [['Count', 'x']], [['Count', '2147483648']], [['Count', '1.5']]] as const) {
    it(`with ${fields[0]?.join('=') ?? 'no Count'} is answered with code 6 and a Message, and the data comes back`, async () => {
      await using server = await TestServer.start();
      using peer = await server.connect();
      await peer.send(FLAG, request('CyclePacket', [...fields], Uint8Array.of(7, 8)));
      const { text, data } = await peer.nextPacket();
      assert.match(text, /^\[Response\]\r\nCommand=CyclePacket\r\nCode=6\r\nMessage=[^\r\n=]*$/);
      assert.deepEqual([...data], [7, 8]);
      assert.equal((await ask(peer, 'CyclePacket', [['Count', 1]]))[1], 'Code=0');
    });
  }

  for (const size of [1, 7, 4096, 70_000]) {
    it(`brings back the same data when the bytes arrive ${size} at a time`, async () => {
      await using server = await TestServer.start();
      using peer = await server.connect();
      const data = Uint8Array.from({ length: size < 100 ? 50 : 300_000 }, (_, i) => (i * 7) & 255);
      await peer.send(FLAG);
      for (const part of splitEvery(cycle(5, data), size)) await peer.send(part);
      const answered = await peer.nextPacket();
      assert.match(answered.text, /Count=6$/);
      assert.deepEqual(Buffer.from(answered.data), Buffer.from(data));
    });
  }

  it('brings back the most data that an answer can carry, and refuses more with code 6', async () => {
    await using server = await TestServer.start();
    using peer = await server.connect();
    const text = responseText('CyclePacket', 0, [['Count', 2]]);
    const most = MAX_SENT_PACKET_LENGTH - 4 - text.length;
    await peer.send(FLAG, cycle(1, new Uint8Array(most).fill(3)));
    const { data } = await peer.nextPacket();
    assert.equal(data.length, most);
    assert.ok(data.every((byte) => byte === 3));
    await peer.send(encodePacket(requestText('CyclePacket', [['Count', 1]]), new Uint8Array(most + 1)));
    assert.equal((await answer(peer))[1], 'Code=6');
  });

  it('is not read any more while the peer does not take the answers (D44)', async () => {
    await using server = await TestServer.start();
    using peer = await server.connect();
    const packet = cycle(1, new Uint8Array(1 << 20));
    let isDone = false;
    const sent = (async () => {
      await peer.send(FLAG);
      for (let i = 0; i < 64; i++) await peer.send(packet);
      isDone = true;
    })();
    const [connection] = await (async () => {
      for (;;) {
        const all = [...server.server.listener.connections];
        if (all[0] && all[0].queuedBytes > 512 << 10) return all;
        await new Promise((resolve) => setImmediate(resolve));
      }
    })();
    assert.equal(isDone, false);
    assert.ok(connection!.queuedBytes < 4 << 20, `${connection!.queuedBytes} bytes are queued`);
    for (let i = 0; i < 64; i++) assert.equal((await peer.nextPacket()).data.length, 1 << 20);
    await sent;
  });

  it('drops the data of other commands, and keeps the connection', async () => {
    await using server = await TestServer.start();
    using peer = await server.connect();
    await peer.send(FLAG, request('Nonsense', [], new Uint8Array(500_000)));
    assert.equal((await answer(peer))[1], 'Code=1');
    assert.equal((await ask(peer, 'Active'))[1], 'Code=0');
  });
});
