import assert from 'node:assert/strict';
import { appendFile, chmod, rename, utimes, writeFile } from 'node:fs/promises';
import { describe, it } from 'node:test';
import type { RawPeer } from '@sluice/testkit';
import { type Field, ProtocolFlag } from '@sluice/wire';
import { answer, ask, eventually, request, TestServer } from '../support/test-server.js';

const { Download } = ProtocolFlag;
const FEATURES: Field[] = [['Features', 'Ranges']];

function digest(fileName: string, position = 0, count = 1 << 30): Uint8Array {
  return request('Digest', [
    ['DirName', ''],
    ['FileName', fileName],
    ['Position', position],
    ['Count', count],
  ]);
}

function download(fileName: string, fileSize: number, extra: Field[]): Uint8Array {
  return request('Download', [
    ['DirName', ''],
    ['FileName', fileName],
    ['FileSize', fileSize],
    ['PacketSize', 65536],
    ...extra,
  ]);
}

/** What Digest tells, by key. */
async function told(peer: RawPeer): Promise<Record<string, string> & { Version?: string }> {
  return Object.fromEntries((await answer(peer)).map((line) => line.split('=') as [string, string]));
}

async function versionOf(peer: RawPeer, fileName: string): Promise<string> {
  await peer.send(digest(fileName, 0, 0));
  return (await told(peer)).Version ?? '';
}

/** One range, from the answer to its last byte. */
async function receive(peer: RawPeer): Promise<Buffer> {
  assert.deepEqual(await answer(peer), ['Command=Download', 'Code=0']);
  const announced = Number((await answer(peer))[2]?.split('=')[1]);
  const parts: Uint8Array[] = [];
  for (let got = 0; got < announced; got += parts.at(-1)?.length ?? 0) parts.push((await peer.nextPacket()).data);
  return Buffer.concat(parts);
}

describe('ranges of a download (extension)', () => {
  it('sends at most Count bytes, from FileSize on, and several ranges one behind the other', async () => {
    await using server = await TestServer.start();
    const content = Buffer.from(Array.from({ length: 3_000_000 }, (_, i) => (i * 31 + (i >> 9)) & 255));
    await writeFile(server.path('f'), content);
    using peer = await server.login(Download, FEATURES);
    const ranges = [
      [0, 2_000_000],
      [2_999_990, 5],
      [1_500_000, 700_000],
      [2_999_990, 2 ** 53 - 1],
      [3_000_000, 1],
    ] as const;
    await peer.send(...ranges.map(([from, count]) => download('f', from, [['Count', count]])));
    for (const [from, count] of ranges) {
      assert.ok(content.subarray(from, Math.min(content.length, from + count)).equals(await receive(peer)));
    }
  });

  it('tells the version, the time and the permissions of the file, to clients that know extensions', async () => {
    await using server = await TestServer.start();
    await writeFile(server.path('f'), 'a');
    await chmod(server.path('f'), 0o640);
    await utimes(server.path('f'), 1_767_225_600, 1_767_225_600);
    using peer = await server.login(Download, FEATURES);
    await peer.send(digest('f'));
    const { Version, ...rest } = await told(peer);
    assert.match(Version ?? '', /^[0-9a-f]{32}$/);
    assert.deepEqual(rest, {
      Command: 'Digest',
      Code: '0',
      FileSize: '1',
      ChunkSize: '4194304',
      ModifiedNs: '1767225600000000000',
      Mode: String(0o640),
    });
    using old = await server.login(Download);
    await old.send(digest('f'));
    assert.deepEqual(Object.keys(await told(old)), ['Command', 'Code', 'FileSize', 'ChunkSize']);
  });

  const changes: [string, (server: TestServer) => Promise<void>][] = [
    ['was appended to', (server) => appendFile(server.path('f'), 'x')],
    [
      'was written over in place, with the same length',
      (server) => writeFile(server.path('f'), 'abcd', { flag: 'r+' }),
    ],
    [
      'was replaced by another of the same length and time',
      async (server) => {
        await writeFile(server.path('g'), 'abcd');
        await utimes(server.path('f'), 1_000, 1_000);
        await utimes(server.path('g'), 1_000, 1_000);
        await rename(server.path('g'), server.path('f'));
      },
    ],
  ];
  for (const [title, change] of changes) {
    it(`answers code 15 to the version of a file that ${title}`, async () => {
      await using server = await TestServer.start();
      await writeFile(server.path('f'), '0123');
      using peer = await server.login(Download, FEATURES);
      await peer.send(digest('f')); // waits until a change would be seen
      const { Version: version = '' } = await told(peer);
      await peer.send(download('f', 1, [['Version', version]]));
      assert.equal((await receive(peer)).toString(), '123');
      await change(server);
      await peer.send(digest('f', 0, 0), download('f', 1, [['Version', version]]));
      assert.notEqual((await told(peer)).Version, version);
      assert.deepEqual((await answer(peer)).slice(0, 2), ['Command=Download', 'Code=15']);
      const next = await versionOf(peer, 'f');
      await peer.send(download('f', 3, [['Version', next]]));
      assert.equal((await receive(peer)).length > 0, true, 'the connection goes on');
    });
  }

  it('does not let the last byte out when the file changes while it is sent', async () => {
    await using server = await TestServer.start();
    await writeFile(server.path('f'), Buffer.alloc(64 << 20));
    using peer = await server.login(Download, FEATURES);
    await peer.send(digest('f'));
    const { Version: version = '' } = await told(peer);
    peer.pause();
    await peer.send(
      download('f', 0, [
        ['Version', version],
        ['Count', 64 << 20],
      ]),
    );
    await eventually('begun', () => server.events.some(({ event }) => event === 'download begins'));
    await writeFile(server.path('f'), 'changed', { flag: 'r+' });
    peer.resume();
    await assert.rejects(receive(peer));
    await eventually('told', () => server.events.some(({ event }) => event === 'reading a download failed'));
  });

  for (const count of ['0', '-1', 'x', String(2 ** 53)]) {
    it(`refuses Count=${count} with code 6`, async () => {
      await using server = await TestServer.start();
      await writeFile(server.path('f'), '0123');
      using peer = await server.login(Download, FEATURES);
      await peer.send(download('f', 0, [['Count', count]]));
      assert.equal((await answer(peer))[1], 'Code=6');
    });
  }

  it("refuses a Version that is too long with code 6, and any other that is not the file's with code 15", async () => {
    await using server = await TestServer.start();
    await writeFile(server.path('f'), '0123');
    using peer = await server.login(Download, FEATURES);
    await peer.send(download('f', 0, [['Version', 'x'.repeat(129)]]), download('f', 0, [['Version', 'x'.repeat(128)]]));
    assert.equal((await answer(peer))[1], 'Code=6');
    assert.equal((await answer(peer))[1], 'Code=15');
  });

  it('does not know Count and Version of a client that does not know extensions', async () => {
    await using server = await TestServer.start();
    await writeFile(server.path('f'), '0123');
    using peer = await server.login(Download);
    await peer.send(
      download('f', 0, [
        ['Count', 1],
        ['Version', 'none'],
      ]),
    );
    assert.equal((await receive(peer)).toString(), '0123');
  });

  it('ends with a connection that is cut while ranges wait', async () => {
    await using server = await TestServer.start();
    await writeFile(server.path('f'), Buffer.alloc(64 << 20));
    const peer = await server.login(Download, FEATURES);
    peer.pause();
    const ranges = Array.from({ length: 20 }, () => download('f', 0, [['Count', 32 << 20]]));
    await peer.send(...ranges);
    await eventually('begun', () => server.events.some(({ event }) => event === 'download begins'));
    peer.reset();
    await eventually('gone', () => server.server.listener.connections.size === 0);
    using next = await server.login(Download, FEATURES);
    assert.equal(
      (
        await ask(next, 'Digest', [
          ['DirName', ''],
          ['FileName', 'f'],
          ['Position', 0],
          ['Count', 0],
        ])
      )[1],
      'Code=0',
    );
  });
});
