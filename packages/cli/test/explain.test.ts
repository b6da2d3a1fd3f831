import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, it } from 'node:test';
import type { ConnectionExplanation } from '@sluice/client';
import { CLOSE_REASONS } from '../../../packages/cli/dist/operators/close-reasons.js';
import { explanationLines } from '../../../packages/cli/dist/operators/explanation-lines.js';
import { pcapngOf } from '../../../packages/cli/dist/operators/pcapng.js';
import { ServedPlace } from './support/served-place.js';
import { jsonLines } from './support/sluice-process.js';

const explanation: ConnectionExplanation = {
  connection: {
    id: 17,
    localAddress: '192.0.2.1:4567',
    remoteAddress: '192.0.2.7:50123',
    protocol: 'Upload',
    isEncrypted: false,
    user: 'a\x1bda',
    connectedAt: '2026-01-01T00:00:00.000Z',
    lastActivityAt: '2026-01-01T00:00:01.000Z',
    receivedBytes: 5_000_000_158,
    sentBytes: 114,
    receivedFrames: 1,
    sentFrames: 1,
    queuedBytes: 0,
    receiveRate: 0,
    sendRate: 0,
    closedAt: '2026-01-01T00:05:01.000Z',
    durationMs: 301_000,
    reason: 'peer-reset',
    cause: 'ECONNRESET',
  },
  lostEvents: 0,
  events: [
    { event: 'Login', direction: 'in', atMs: 1, lastMs: 1, count: 1, unit: 'bytes', total: 158, largest: 158 },
    { event: 'Login', direction: 'out', atMs: 1.2, lastMs: 1.2, count: 1, unit: 'bytes', total: 114, largest: 114 },
    { event: 'data', direction: 'in', atMs: 2, lastMs: 900, count: 5000, unit: 'bytes', total: 4e9, largest: 1e6 },
    { event: 'reading-paused', atMs: 901, lastMs: 901, count: 1, unit: 'bytes', total: 0, largest: 0 },
    { event: 'data', direction: 'in', atMs: 2000, lastMs: 2900, count: 1000, unit: 'bytes', total: 1e9, largest: 1e6 },
  ],
};

/** A packet of a capture, taken apart. */
interface Packet {
  readonly timeMs: number;
  readonly head: Buffer;
  readonly originalLength: number;
  readonly comment: string;
}

/** Reads a capture strictly: blocks whose two lengths agree, padded to four bytes, little-endian, one raw interface. */
function packetsOf(bytes: Buffer): Packet[] {
  const packets: Packet[] = [];
  const types: number[] = [];
  for (let at = 0; at < bytes.length; ) {
    const length = bytes.readUInt32LE(at + 4);
    assert.equal(length % 4, 0);
    assert.equal(bytes.readUInt32LE(at + length - 4), length);
    const body = bytes.subarray(at + 8, at + length - 4);
    types.push(bytes.readUInt32LE(at));
    if (types.length === 1) {
      assert.deepEqual([types[0], body.readUInt32LE(0), body.readUInt16LE(4)], [0x0a0d0d0a, 0x1a2b3c4d, 1]);
    } else if (types.length === 2) {
      assert.deepEqual([types[1], body.readUInt16LE(0)], [1, 101]);
    } else {
      assert.equal(types.at(-1), 6);
      const captured = body.readUInt32LE(12);
      const options = body.subarray(20 + captured);
      const commentBytes = options.length === 0 ? 0 : options.readUInt16LE(2);
      if (options.length > 0) {
        assert.equal(options.readUInt16LE(0), 1);
        assert.equal(options.readUInt32LE(options.length - 4), 0);
        assert.equal(options.length, 4 + Math.ceil(commentBytes / 4) * 4 + 4);
      }
      packets.push({
        timeMs: (body.readUInt32LE(4) * 2 ** 32 + body.readUInt32LE(8)) / 1000,
        head: body.subarray(20, 20 + captured),
        originalLength: body.readUInt32LE(16),
        comment: options.subarray(4, 4 + commentBytes).toString(),
      });
    }
    at += length;
  }
  return packets;
}

describe('sluice explain', { concurrency: 2 }, () => {
  it('tells a connection in 80 columns, with arrows, runs, and what its end means', () => {
    assert.deepEqual(explanationLines(explanation).slice(4), [
      '   0.0010 s  -> Login, 158 B',
      '   0.0012 s  <- Login, 114 B',
      '   0.0020 s  -> data x 5,000, 3.73 GiB in all, at most 977 KiB until 0.9000 s',
      '   0.9010 s     reading paused',
      '   2.0000 s  -> data x 1,000, 954 MiB in all, at most 977 KiB until 2.9000 s',
      '',
      'closed 2026-01-01T00:05:01.000Z after 5m 01s: peer-reset (ECONNRESET)',
      'The client, or something between, cut the connection: look at the client and the',
      'network.',
    ]);
    assert.ok(explanationLines(explanation).every((line) => line.length <= 80 && !line.includes('\x1b')));
  });

  it('has a sentence for each reason that docs/operations.md lists, and for no other', async () => {
    const page = await readFile(path.join(import.meta.dirname, '../../../docs/operations.md'), 'utf8');
    const table = page.slice(page.indexOf('| reason of a close |')).split('\n\n')[0]!;
    const listed = table
      .split('\n')
      .slice(2)
      .flatMap((row) => [...row.split('|')[1]!.matchAll(/`([\w-]+)`/g)].map(([, reason]) => reason));
    assert.deepEqual([...CLOSE_REASONS.keys()].sort(), listed.sort());
  });

  for (const [version, bytes, local, remote] of [
    [4, 20, '192.0.2.1:4567', '192.0.2.7:50123'],
    [6, 40, '[2001:db8::1]:4567', '[::ffff:192.0.2.7]:50123'],
  ] as const) {
    it(`writes a capture whose IPv${version} and TCP headers fit, and sequence numbers go on by the sizes`, () => {
      const connection = { ...explanation.connection, localAddress: local, remoteAddress: remote };
      const packets = packetsOf(Buffer.from(pcapngOf({ ...explanation, connection })));
      assert.equal(packets.length, 3 + explanation.events.length + 1);
      const tcp = packets.map(({ head }) => {
        assert.equal(head.length, bytes + 20);
        assert.equal(head[0]! >>> 4, version);
        return head.subarray(bytes);
      });
      assert.deepEqual(
        tcp.map((header) => [header.readUInt16BE(0), header.readUInt32BE(4), header[13]]),
        [
          [50123, 0, 0x02],
          [4567, 0, 0x12],
          [50123, 1, 0x10],
          [50123, 1, 0x18],
          [4567, 1, 0x18],
          [50123, 159, 0x18],
          [4567, 115, 0x10],
          [50123, 4_000_000_159, 0x18],
          [50123, 5_000_000_159 % 2 ** 32, 0x14],
        ],
      );
      assert.equal(packets[3]?.originalLength, bytes + 20 + 158);
      assert.equal(packets[3]?.comment, 'Login x 1, 158 bytes in all, at most 158, until 1 ms');
      assert.equal(packets[3]?.timeMs, Date.parse(explanation.connection.connectedAt) + 1);
      if (version === 6) assert.equal(packets[0]?.head.toString('hex', 8, 24), '00000000000000000000ffffc0000207');
    });
  }

  it('lists, explains and exports what a server remembers', async () => {
    await using place = await ServedPlace.open();
    assert.equal((await place.sluice(['clients'])).code, 0);
    const listed = await place.sluice(['explain']);
    assert.deepEqual([listed.code, listed.stderr], [0, '']);
    const row = listed.stdout.split('\n').find((line) => / admin +Control .* peer-closed$/.test(line));
    assert.ok(row, listed.stdout);
    const id = row.trim().split(' ')[0]!;
    const told = await place.sluice(['explain', id]);
    assert.equal(told.code, 0);
    assert.match(told.stdout, /-> ListClients, .*\n.*<- ListClients, [\s\S]*peer-closed\nThe client ended/);
    const [head, first] = jsonLines((await place.sluice(['explain', id, '--json'])).stdout) as unknown as Record<
      string,
      unknown
    >[];
    assert.deepEqual([head?.['reason'], head?.['lostEvents'], first?.['event']], ['peer-closed', 0, 'protocol-byte']);
  });

  it('says so when an id is unknown, or none', async () => {
    await using place = await ServedPlace.open();
    const unknown = await place.sluice(['explain', '4711']);
    assert.equal(unknown.code, 1);
    assert.match(unknown.stderr, /connection 4711 is not open/);
    assert.equal((await place.sluice(['explain', 'x'])).code, 2);
    assert.equal((await place.sluice(['explain', '--pcapng', 'f'])).code, 2);
  });
});
