import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, it } from 'node:test';
import { CLOSE_REASONS, type ClosedConnection, type ConnectionExplanation } from '@sluice/client';
import { closedLines, explanationLines } from '../../../packages/cli/dist/operators/explanation-lines.js';
import { pcapngOf } from '../../../packages/cli/dist/operators/pcapng.js';
import { displayWidth } from '../../../packages/cli/dist/terminal/terminal-text.js';
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

/** Where the header of TCP begins; behind that of a jumbogram's option, where there is one. */
function tcpAt(head: Buffer): number {
  if (head[0]! >>> 4 === 4) return 20;
  return head[6] === 0 ? 48 : 40;
}

/** What the IP header says of the length behind it. An IPv4 packet that is too long for that says nothing. */
function lengthToldBy(head: Buffer): number {
  if (head[0]! >>> 4 === 4) return head.readUInt16BE(2) - 20;
  if (head[6] !== 0) return head.readUInt16BE(4);
  assert.deepEqual([head.readUInt16BE(4), head.toString('hex', 40, 44)], [0, '0600c204']);
  return head.readUInt32BE(44);
}

describe('sluice explain', { concurrency: 2 }, () => {
  it('tells a connection in 80 columns, with arrows, runs, and what its end means', () => {
    assert.deepEqual(explanationLines(explanation).slice(4), [
      '   0.0010 s  -> Login, 158 B',
      '   0.0012 s  <- Login, 114 B',
      '   0.0020 s  -> data x 5,000, 3.73 GiB in all, at most 977 KiB, until 0.9000 s',
      '   0.9010 s     reading paused',
      '   2.0000 s  -> data x 1,000, 954 MiB in all, at most 977 KiB, until 2.9000 s',
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

  it('keeps within 80 columns whatever the addresses and names are', () => {
    const long = {
      ...explanation.connection,
      remoteAddress: '[2001:0db8:1111:2222:3333:4444:5555:6666%eth0]:65535',
      localAddress: '[2001:0db8:aaaa:bbbb:cccc:dddd:eeee:ffff]:65535',
      user: '漢字\x07'.repeat(60),
      protocol: 'P'.repeat(200),
    };
    const events = [{ event: 'of my own '.repeat(20), atMs: 1, lastMs: 1, count: 1 }];
    const lines = explanationLines({ ...explanation, connection: long, events });
    for (const line of lines) assert.ok(displayWidth(line) <= 80, line);
    assert.ok(lines.join(' ').includes(long.remoteAddress) && lines.join(' ').includes(long.localAddress));
    assert.ok(!lines.join('').includes('\x07'));
  });

  it('lists what has ended on a narrow terminal with id, user and reason, and on a wide one with all', () => {
    const closed = explanation.connection as ClosedConnection;
    const other = { ...closed, id: 123_456, user: 'somebody-with-a-long-name@example', reason: 'first-byte-timeout' };
    for (const width of [50, 60, 80, 120]) {
      const lines = closedLines([closed, other], width);
      for (const line of lines) assert.ok(displayWidth(line) <= width, `${width}: ${line}`);
      assert.match(lines[0]!, /^ *ID {2}USER .*REASON$/);
      assert.match(lines[1]!, /^123456 .*first-byte-timeout$/);
    }
    assert.match(closedLines([closed], 120)[0]!, /^ *ID +USER +PROTOCOL +FROM +LASTED +IN +OUT +REASON$/);
  });

  for (const [version, bytes, local, remote] of [
    [4, 20, '192.0.2.1:4567', '192.0.2.7:50123'],
    [6, 40, '[2001:db8::1]:4567', '[::ffff:192.0.2.7]:50123'],
  ] as const)
    describe(`writes a capture of IPv${version}`, () => {
      const connection = { ...explanation.connection, localAddress: local, remoteAddress: remote };
      const packets = packetsOf(Buffer.from(pcapngOf({ ...explanation, connection })));

      it('whose headers fit, and whose sequence numbers go on by the whole payload of each packet', () => {
        const next = new Map<number, number>();
        for (const { head, originalLength } of packets) {
          assert.equal(head[0]! >>> 4, version);
          const tcp = head.subarray(tcpAt(head));
          assert.equal(tcp.length, (tcp[12]! >>> 4) * 4);
          const payload = originalLength - head.length;
          const length = payload + head.length - bytes;
          assert.equal(lengthToldBy(head), version === 4 && bytes + length > 65_535 ? -bytes : length);
          assert.ok(payload < 2 ** 31);
          const [port, seq, flags] = [tcp.readUInt16BE(0), tcp.readUInt32BE(4), tcp[13]!];
          assert.equal(seq, next.get(port) ?? 0);
          next.set(port, (seq + payload + (flags & 0x02 ? 1 : 0)) >>> 0);
          if (flags & 0x10) assert.equal(tcp.readUInt32BE(8), next.get(port === 4567 ? 50123 : 4567));
        }
        assert.deepEqual(
          [...next.entries()],
          [
            [50123, (1 + 158 + 5_000_000_000) % 2 ** 32],
            [4567, 1 + 114],
          ],
        );
      });

      it('with a comment for each event, in the order of time, runs as some packets, and the right end', () => {
        const times = packets.map(({ timeMs }) => timeMs - Date.parse(connection.connectedAt));
        assert.deepEqual(
          times,
          times.toSorted((a, b) => a - b),
        );
        assert.deepEqual(
          packets.slice(0, 7).map(({ head }) => head[tcpAt(head) + 13]),
          [0x02, 0x12, 0x10, 0x18, 0x18, 0x18, 0x18],
        );
        assert.equal(packets.at(-1)!.head[tcpAt(packets.at(-1)!.head) + 13], 0x14);
        assert.equal(packets[3]?.comment, 'Login x 1, 158 bytes in all, at most 158, until 1 ms');
        assert.deepEqual([packets[3]?.originalLength, times[3]], [bytes + 20 + 158, 1]);
        assert.equal(packets.filter(({ comment }) => comment === 'data, the run goes on').length, 14);
        assert.equal(times.at(-1), 301_000);
        assert.equal(packets.at(-1)?.comment, 'closed: peer-reset');
        if (version === 6) assert.equal(packets[0]?.head.toString('hex', 8, 24), '00000000000000000000ffffc0000207');
      });
    });

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

  it('exports neither password, nor content, nor file name, in lines, JSON or packets', async () => {
    await using place = await ServedPlace.open(['--user', 'ada:her-password']);
    const source = path.join(place.root, 'salary-list.txt');
    await writeFile(source, 'what-is-in-the-file '.repeat(10_000));
    const url = place.url.replace('admin:secret', 'ada:her-password');
    for (const args of [
      ['put', source, ':copy-of-the-list'],
      ['get', ':copy-of-the-list', path.join(place.root, 'back')],
      ['ls'],
    ]) {
      const done = await place.sluice([args[0]!, ...args.slice(1), ...(args[0] === 'ls' ? [url] : ['--json'])]);
      assert.equal(done.code, 0, done.stderr);
    }
    const closed = jsonLines((await place.sluice(['explain', '--json'])).stdout) as unknown as { id: number }[];
    assert.ok(closed.length >= 3);
    const capture = path.join(place.root, 'capture.pcapng');
    let packets = 0;
    for (const { id } of closed) {
      const lines = await place.sluice(['explain', String(id)]);
      const json = await place.sluice(['explain', String(id), '--json', '--pcapng', capture]);
      const bytes = await readFile(capture);
      await rm(capture);
      packets += packetsOf(bytes).length;
      for (const secret of [
        'secret',
        'her-password',
        'what-is-in',
        'salary',
        'copy-of',
        md5('secret'),
        md5('her-password'),
      ])
        for (const told of [lines.stdout, json.stdout, bytes.toString('latin1')])
          assert.ok(!told.includes(secret), `${secret} of connection ${id} is told`);
    }
    assert.ok(packets > 30, `only ${packets} packets`);
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

/** What a login of the original system sends instead of the password. */
function md5(password: string): string {
  return createHash('md5').update(password).digest('hex');
}
