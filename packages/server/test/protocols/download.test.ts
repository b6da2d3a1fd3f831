import assert from 'node:assert/strict';
import { mkdir, rename, stat, truncate, writeFile } from 'node:fs/promises';
import { describe, it } from 'node:test';
import type { RawPeer } from '@sluice/testkit';
import { ProtocolFlag } from '@sluice/wire';
import { slowDisk } from '../support/slow-disk.js';
import { answer, ask, eventually, request, TestServer } from '../support/test-server.js';

const { Upload, Download } = ProtocolFlag;

function download(
  fileName: string,
  fileSize: number | string = 0,
  packetSize: number | string = 65536,
  dirName = '',
): Uint8Array {
  return request('Download', [
    ['DirName', dirName],
    ['FileName', fileName],
    ['FileSize', fileSize],
    ['PacketSize', packetSize],
  ]);
}

/** Reads the answers to a download up to its last byte. */
async function receive(peer: RawPeer): Promise<{ announced: number; packets: number[]; content: Buffer }> {
  assert.deepEqual(await answer(peer), ['Command=Download', 'Code=0']);
  const announcement = await answer(peer);
  assert.deepEqual(announcement.slice(0, 2), ['Command=SendFile', 'Code=0']);
  const announced = Number(announcement[2]?.split('=')[1]);
  const parts: Uint8Array[] = [];
  let got = 0;
  while (got < announced) {
    const { text, data } = await peer.nextPacket();
    assert.equal(text, '[Response]\r\nCommand=Data\r\nCode=0');
    parts.push(data);
    got += data.length;
  }
  return { announced, packets: parts.map((part) => part.length), content: Buffer.concat(parts) };
}

describe('download (specification 7.1)', () => {
  it('announces the remaining bytes and sends them in packets of the size asked for', async () => {
    await using server = await TestServer.start();
    await writeFile(server.path('u.bin'), Buffer.from('deadbeef', 'hex'));
    using peer = await server.login(Download);
    await peer.send(download('u.bin', 0, 3));
    const { announced, packets, content } = await receive(peer);
    assert.equal(announced, 4);
    assert.deepEqual(packets, [3, 1]);
    assert.equal(content.toString('hex'), 'deadbeef');
  });

  for (const packetSize of [1, 1000, 65_536, 262_144, 1_000_000, 2_147_483_647]) {
    it(`sends the same bytes in packets of ${packetSize}`, async () => {
      await using server = await TestServer.start();
      const content = Buffer.from(
        Array.from({ length: packetSize === 1 ? 5_000 : 1_500_000 }, (_, i) => (i * 31 + (i >> 9)) & 255),
      );
      await writeFile(server.path('f'), content);
      using peer = await server.login(Download);
      await peer.send(download('f', 0, packetSize));
      const got = await receive(peer);
      assert.ok(content.equals(got.content));
      const full = got.packets.slice(0, -1);
      assert.ok(full.every((bytes) => bytes === full[0] && bytes <= packetSize));
    });
  }

  it('resumes at the offset the client has, and announces only the rest', async () => {
    await using server = await TestServer.start();
    await writeFile(server.path('f'), '0123456789');
    using peer = await server.login(Download);
    await peer.send(download('f', 7));
    assert.equal((await receive(peer)).content.toString(), '789');
  });

  it('announces 0 and sends no Data when the client has all; then the connection serves the next download', async () => {
    await using server = await TestServer.start();
    await writeFile(server.path('f'), '0123');
    using peer = await server.login(Download);
    await peer.send(download('f', 4), download('f', 2));
    assert.deepEqual((await receive(peer)).packets, []);
    assert.equal((await receive(peer)).content.toString(), '23');
  });

  const refused: [string, [string, string | number][], number][] = [
    [
      'an offset beyond the end (D32)',
      [
        ['DirName', ''],
        ['FileName', 'f'],
        ['FileSize', 5],
        ['PacketSize', 10],
      ],
      6,
    ],
    [
      'a negative offset (D32)',
      [
        ['DirName', ''],
        ['FileName', 'f'],
        ['FileSize', -1],
        ['PacketSize', 10],
      ],
      6,
    ],
    [
      'an offset above 2^53',
      [
        ['DirName', ''],
        ['FileName', 'f'],
        ['FileSize', '9223372036854775807'],
        ['PacketSize', 10],
      ],
      6,
    ],
    [
      'packets of 0 bytes (D31)',
      [
        ['DirName', ''],
        ['FileName', 'f'],
        ['FileSize', 0],
        ['PacketSize', 0],
      ],
      6,
    ],
    [
      'packets of -1 bytes (D31)',
      [
        ['DirName', ''],
        ['FileName', 'f'],
        ['FileSize', 0],
        ['PacketSize', -1],
      ],
      6,
    ],
    [
      'no PacketSize',
      [
        ['DirName', ''],
        ['FileName', 'f'],
        ['FileSize', 0],
      ],
      6,
    ],
    [
      'no FileSize',
      [
        ['DirName', ''],
        ['FileName', 'f'],
        ['PacketSize', 1],
      ],
      6,
    ],
    [
      'a missing file',
      [
        ['DirName', ''],
        ['FileName', 'g'],
        ['FileSize', 0],
        ['PacketSize', 1],
      ],
      9,
    ],
    [
      'a file in a missing directory',
      [
        ['DirName', 'no'],
        ['FileName', 'f'],
        ['FileSize', 0],
        ['PacketSize', 1],
      ],
      9,
    ],
    [
      'a file outside the root (D26)',
      [
        ['DirName', '../'],
        ['FileName', 'f'],
        ['FileSize', 0],
        ['PacketSize', 1],
      ],
      6,
    ],
    [
      'a directory',
      [
        ['DirName', ''],
        ['FileName', 'd'],
        ['FileSize', 0],
        ['PacketSize', 1],
      ],
      6,
    ],
  ];
  for (const [title, fields, code] of refused) {
    it(`refuses ${title} with code ${code} and goes on`, async () => {
      await using server = await TestServer.start();
      await writeFile(server.path('f'), '0123');
      await mkdir(server.path('d'));
      using peer = await server.login(Download);
      assert.deepEqual((await ask(peer, 'Download', fields)).slice(0, 2), ['Command=Download', `Code=${code}`]);
      await peer.send(download('f'));
      assert.equal((await receive(peer)).content.toString(), '0123');
    });
  }

  it('serves any number of downloads of one file at once (D34), also of one that may only be read (D33)', async () => {
    await using server = await TestServer.start();
    const content = Buffer.alloc(2_000_000, 'x');
    await writeFile(server.path('f'), content, { mode: 0o444 });
    const peers = await Promise.all(Array.from({ length: 5 }, () => server.login(Download)));
    for (const peer of peers) await peer.send(download('f'));
    for (const peer of peers) {
      assert.ok(content.equals((await receive(peer)).content));
      peer.destroy();
    }
  });

  it('is refused with code 11 while the file is uploaded, and not afterwards (D48)', async () => {
    await using server = await TestServer.start();
    using writer = await server.login(Upload);
    await writer.send(
      request('Upload', [
        ['DirName', ''],
        ['FileName', 'f'],
      ]),
      request('Data', [], Buffer.from('abc')),
    );
    await answer(writer);
    using reader = await server.login(Download);
    await reader.send(download('f'));
    assert.equal((await answer(reader))[1], 'Code=11');
    assert.deepEqual(await ask(writer, 'Eof'), ['Command=Eof', 'Code=0']);
    await reader.send(download('f'));
    assert.equal((await receive(reader)).content.toString(), 'abc');
    assert.equal(
      (
        await ask(writer, 'Upload', [
          ['DirName', ''],
          ['FileName', 'f'],
        ])
      )[1],
      'Code=0',
    );
  });

  it('answers other requests between Data packets', async () => {
    await using server = await TestServer.start();
    await writeFile(server.path('f'), '');
    await truncate(server.path('f'), 64 << 20);
    using peer = await server.login(Download);
    await peer.send(download('f'));
    await answer(peer);
    await answer(peer);
    await peer.send(request('Active'), request('Dir', [['ParentDir', '']]));
    const seen: string[] = [];
    let data = 0;
    while (data < 64 << 20) {
      const packet = await peer.nextPacket();
      if (packet.text.includes('Command=Data')) data += packet.data.length;
      else seen.push(packet.text.split('\r\n')[1]!);
    }
    assert.deepEqual(seen, ['Command=Active', 'Command=Dir']);
  });

  it('drops the transfer in progress when the next Download comes, and begins the next behind what was sent', async () => {
    await using server = await TestServer.start();
    await writeFile(server.path('big'), '');
    await truncate(server.path('big'), 64 << 20);
    await writeFile(server.path('small'), 'small');
    using peer = await server.login(Download);
    await peer.send(download('big'));
    await answer(peer);
    await answer(peer);
    await peer.nextPacket();
    peer.pause();
    await peer.send(download('small'));
    peer.resume();
    let packet = await peer.nextPacket();
    while (packet.text.includes('Command=Data')) packet = await peer.nextPacket();
    assert.match(packet.text, /Command=Download\r\nCode=0$/);
    assert.deepEqual(await answer(peer), ['Command=SendFile', 'Code=0', 'FileSize=5']);
    assert.equal(Buffer.from((await peer.nextPacket()).data).toString(), 'small');
  });

  it('closes the connection when the file becomes shorter than announced (D35)', async () => {
    await using server = await TestServer.start();
    await writeFile(server.path('f'), '');
    await truncate(server.path('f'), 64 << 20);
    using peer = await server.login(Download);
    peer.pause();
    await peer.send(download('f'));
    await eventually('sending', () => [...server.server.listener.connections].some((c) => c.queuedBytes > 0));
    await truncate(server.path('f'), 1000);
    peer.resume();
    await peer.waitForClose();
    assert.ok(server.events.some(({ event }) => event === 'reading a download failed'));
  });

  it('sends the announced bytes and no more when the file grows meanwhile (D35)', async () => {
    await using server = await TestServer.start();
    await writeFile(server.path('f'), '');
    await truncate(server.path('f'), 32 << 20);
    using peer = await server.login(Download);
    peer.pause();
    await peer.send(download('f'));
    await eventually('sending', () => [...server.server.listener.connections].some((c) => c.queuedBytes > 0));
    await truncate(server.path('f'), 40 << 20);
    peer.resume();
    assert.equal((await receive(peer)).content.length, 32 << 20);
    assert.deepEqual(await ask(peer, 'Active'), ['Command=Active', 'Code=0']);
  });

  it('finishes a download for a peer that has ended its sending side', async () => {
    await using server = await TestServer.start();
    await writeFile(server.path('f'), Buffer.alloc(8 << 20, 'y'));
    using peer = await server.login(Download);
    await peer.send(download('f'));
    peer.halfClose();
    assert.equal((await receive(peer)).content.length, 8 << 20);
    await peer.waitForClose();
    await eventually('gone', () => server.server.listener.connections.size === 0);
  });

  it('queues a bounded amount for a peer that does not read, and serves others meanwhile (D8, D44)', async () => {
    await using server = await TestServer.start();
    await writeFile(server.path('f'), '');
    await truncate(server.path('f'), 1 << 30);
    using silent = await server.login(Download);
    silent.pause();
    await silent.send(download('f', 0, 262144));
    const connection = [...server.server.listener.connections][0]!;
    await eventually('stalled', () => connection.queuedBytes > 0);
    assert.ok(connection.queuedBytes <= 300_000, `${connection.queuedBytes} queued`);
    await writeFile(server.path('g'), 'other');
    using other = await server.login(Download);
    await other.send(download('g'));
    assert.equal((await receive(other)).content.toString(), 'other');
  });

  for (const pacing of ['thread pool', 'changing'] as const) {
    it(`sends the right bytes to 16 peers at once when the disk is slow (D46): ${pacing}`, async () => {
      await using server = await TestServer.start();
      using _pace = slowDisk((await stat(server.root)).dev, pacing);
      const content = Buffer.from(Array.from({ length: 3_000_000 }, (_, i) => (i * 17 + (i >> 10)) & 255));
      await writeFile(server.path('f'), content);
      const peers = await Promise.all(Array.from({ length: 16 }, () => server.login(Download)));
      for (const [i, peer] of peers.entries()) await peer.send(download('f', i * 100_001, 32_768));
      const received = await Promise.all(peers.map(receive));
      for (const [i, { content: got }] of received.entries())
        assert.ok(content.subarray(i * 100_001).equals(got), `peer ${i}`);
      for (const peer of peers) peer.destroy();
    });
  }

  it('sends what was digested, although another file has the name by then', async () => {
    await using server = await TestServer.start();
    await writeFile(server.path('f'), 'old content');
    using peer = await server.login(Download);
    await peer.send(
      request('Digest', [
        ['DirName', ''],
        ['FileName', 'f'],
        ['Position', 0],
        ['Count', 100],
      ]),
    );
    await peer.nextPacket();
    await writeFile(server.path('new'), 'new content');
    await rename(server.path('new'), server.path('f'));
    await peer.send(download('f'));
    assert.equal((await receive(peer)).content.toString(), 'old content');
    await peer.send(download('f'));
    assert.equal((await receive(peer)).content.toString(), 'new content');
  });

  it('does other requests while a slow peer has a packet of the largest size to take', async () => {
    await using server = await TestServer.start();
    await writeFile(server.path('f'), '');
    await truncate(server.path('f'), 1 << 30);
    using peer = await server.login(Download);
    peer.pause();
    await peer.send(download('f', 0, 65536));
    const connection = [...server.server.listener.connections][0]!;
    await eventually('stalled', () => connection.queuedBytes > 0);
    const stalledAt = connection.queuedBytes;
    await peer.send(request('Active'));
    await eventually('the answer is queued', () => connection.queuedBytes === stalledAt + request('Active').length + 9);
  });

  it('does not call a download complete that the peer did not wait for', async () => {
    await using server = await TestServer.start();
    await writeFile(server.path('f'), '');
    await truncate(server.path('f'), 200 << 20);
    using peer = await server.login(Download);
    peer.pause();
    await peer.send(download('f'), Uint8Array.of(255, 255, 255, 255)); // no packet length: the connection is closed
    await eventually('told', () => server.events.some(({ event }) => event === 'bad packet length'));
    peer.reset();
    await eventually('gone', () => server.server.listener.connections.size === 0);
    await eventually('released', () => server.events.some(({ event }) => event === 'download broken off'));
    assert.ok(!server.events.some(({ event }) => event === 'download complete'));
  });

  it('gives the digests of a file by name', async () => {
    await using server = await TestServer.start();
    await writeFile(server.path('f'), 'a');
    using peer = await server.login(Download);
    await peer.send(
      request('Digest', [
        ['DirName', ''],
        ['FileName', 'f'],
        ['Position', 0],
        ['Count', 100],
      ]),
    );
    const { text, data } = await peer.nextPacket();
    assert.match(text, /FileSize=1\r\nChunkSize=4194304$/);
    assert.equal(Buffer.from(data).toString('hex'), 'd24ec4f1a98c6e5b');
    assert.equal(
      (
        await ask(peer, 'Digest', [
          ['DirName', ''],
          ['FileName', 'no'],
          ['Position', 0],
          ['Count', 100],
        ])
      )[1],
      'Code=9',
    );
    assert.equal(
      (
        await ask(peer, 'Digest', [
          ['Position', 0],
          ['Count', 100],
        ])
      )[1],
      'Code=6',
    );
  });
});
