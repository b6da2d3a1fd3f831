import assert from 'node:assert/strict';
import { chmod, mkdir, utimes, writeFile } from 'node:fs/promises';
import { before, describe, it } from 'node:test';
import type { RawPeer } from '@sluice/testkit';
import {
  canonicalResultCode,
  decodeCommandText,
  encodePacket,
  encodeSetPositionRequest,
  ProtocolFlag,
  ResultCode,
  requestText,
  resultText,
} from '@sluice/wire';
import { fencesOf, plain, readPage, sectionOf, tableOf } from './markdown.js';
import { PROTOCOL_EXAMPLES } from './protocol-examples.js';
import { TemporaryServer } from './temporary-server.js';

let page = '';
let examples = new Map<string, Buffer>();

describe('docs/protocol.md', () => {
  before(async () => {
    page = await readPage('docs/protocol.md');
    examples = new Map(fencesOf(page, 'hexdump').map(({ label, text }) => [label, parseHexDump(text)]));
  });

  it('has the examples, and no others', () => {
    assert.deepEqual([...examples.keys()].sort(), Object.keys(PROTOCOL_EXAMPLES).sort());
  });

  for (const [name, bytes] of Object.entries(PROTOCOL_EXAMPLES)) {
    it(`shows ${name} as the encoders write it`, () => {
      assert.equal(example(name).toString('hex'), Buffer.from(bytes).toString('hex'));
    });
  }

  it('shows what a server answers: an upload and its download', async () => {
    await using server = await TemporaryServer.start();
    using uploader = await server.connect();
    await uploader.send(Uint8Array.of(ProtocolFlag.Upload), example('login-request'));
    await expect(uploader, ['login-response']);
    await uploader.send(example('upload-request'));
    await expect(uploader, ['login-response', 'upload-response']);
    await uploader.send(example('data-request'), example('eof-request'), example('active-request'));
    const uploaded = ['login-response', 'upload-response', 'eof-response', 'active-response'];
    await expect(uploader, uploaded);
    await uploader.send(example('unknown-request'));
    await expect(uploader, [...uploaded, 'unknown-response']);

    using downloader = await server.connect();
    await downloader.send(Uint8Array.of(ProtocolFlag.Download), example('login-request'));
    await expect(downloader, ['login-response']);
    await downloader.send(example('download-request'));
    await expect(downloader, ['login-response', 'download-response', 'sendfile', 'download-data-1', 'download-data-2']);
  });

  it('shows what a server answers: the extensions', async () => {
    await using server = await TemporaryServer.start();
    using uploader = await server.connect();
    await uploader.send(Uint8Array.of(ProtocolFlag.Upload), example('login-features-request'));
    await uploader.send(example('active-features-request'), example('upload-request'), example('data-request'));
    await uploader.send(example('digest-open-request'), example('upload-resume-request'));
    await uploader.send(example('data-rest-request'), example('eof-request'), example('putfiles-request'));
    await expect(uploader, [
      'login-features-response',
      'active-features-response',
      'upload-response',
      'digest-response',
      'upload-resume-response',
      'eof-durable-response',
      'putfiles-response',
    ]);

    using downloader = await server.connect();
    await downloader.send(Uint8Array.of(ProtocolFlag.Download), example('login-request'));
    await downloader.send(example('digest-name-request'));
    await expect(downloader, ['login-response', 'digest-response']);
    await downloader.send(example('active-features-request'));
    for (let i = 0; i < 3; i++) await downloader.nextPacket();
    const begin = downloader.received.length;
    await downloader.send(example('getfiles-request'));
    const received = await downloader.receivedAtLeast(begin + example('getfiles-response').length);
    assert.equal(received.subarray(begin).toString('hex'), example('getfiles-response').toString('hex'));
  });

  it('shows what a server answers: ranges of a download', async () => {
    await using server = await TemporaryServer.start();
    await writeFile(server.path('u.bin'), Uint8Array.of(0xde, 0xad, 0xbe, 0xef));
    using peer = await server.connect();
    await peer.send(Uint8Array.of(ProtocolFlag.Download), example('login-request'));
    await expect(peer, ['login-response']);
    await peer.send(example('active-features-request'));
    await peer.nextPacket();
    await peer.nextPacket();
    const begin = peer.received.length;
    await peer.send(example('download-range-request'), example('download-version-request'));
    const names = ['download-response', 'sendfile-range', 'download-range-data', 'download-changed-response'];
    const expected = Buffer.concat(names.map(example));
    const received = await peer.receivedAtLeast(begin + expected.length);
    assert.equal(received.subarray(begin).toString('hex'), expected.toString('hex'));
  });

  it('shows what a server answers: what files are', async () => {
    await using server = await TemporaryServer.start();
    await writeFile(server.path('u.bin'), Uint8Array.of(0xde, 0xad, 0xbe, 0xef));
    await chmod(server.path('u.bin'), 0o640);
    await utimes(server.path('u.bin'), new Date('2026-01-01T00:00:00Z'), new Date('2026-01-01T00:00:00Z'));
    await mkdir(server.path('z'));
    using peer = await server.connect();
    await peer.send(Uint8Array.of(ProtocolFlag.Upload), example('login-request'), example('verifyfile-request'));
    for (let i = 0; i < 2; i++) await peer.nextPacket(); // now the file is recorded
    const begin = peer.received.length;
    await peer.send(example('statfile-request'), example('verifyfile-request'), example('listtree-request'));
    const names = ['statfile-response', 'verifyfile-response', 'listtree-response'];
    const expected = Buffer.concat(names.map(example)).toString('latin1');
    const received = (await peer.receivedAtLeast(begin + expected.length)).subarray(begin).toString('latin1');
    const [, version = ''] = /Version=([0-9a-f]+)/.exec(received) ?? [];
    assert.equal(received.replaceAll(version, '00112233445566778899aabbccddeeff'), expected);
  });

  it('shows what a server answers: a file with another name', async () => {
    await using server = await TemporaryServer.start();
    await writeFile(server.path('u.bin'), Uint8Array.of(0xde, 0xad, 0xbe, 0xef));
    await mkdir(server.path('done'));
    using peer = await server.connect();
    await peer.send(Uint8Array.of(ProtocolFlag.Upload), example('login-request'), example('rename-request'));
    await expect(peer, ['login-response', 'rename-response']);
  });

  it('shows what a server answers: a remote file', async () => {
    await using server = await TemporaryServer.start();
    using peer = await server.connect();
    await peer.send(Uint8Array.of(ProtocolFlag.RemoteStream), example('login-request'));
    await peer.send(example('openfile-request'), example('write-request'), example('seek-request'));
    await peer.send(example('read-request'), example('closefile-request'));
    await expect(peer, [
      'login-response',
      'openfile-response',
      'write-response',
      'seek-response',
      'read-response',
      'closefile-response',
    ]);
  });

  it('shows what a server answers: the extensions of remote files', async () => {
    await using server = await TemporaryServer.start();
    await writeFile(server.path('u.bin'), Uint8Array.of(0xde, 0xad, 0xbe, 0xef));
    using peer = await server.connect();
    await peer.send(Uint8Array.of(ProtocolFlag.RemoteStream), example('login-remote-request'));
    await peer.send(example('openfile-request'), example('readat-request'), example('closefile-request'));
    await peer.send(example('stat-missing-request'), example('openfile-handle-request'));
    await peer.send(example('writeat-request'), example('sync-request'));
    const answers = [
      'login-remote-response',
      'openfile-handle-response', // without a Handle it is the same
      'readat-response',
      'closefile-response',
      'stat-missing-response',
      'openfile-handle-response',
      'writeat-response',
      'sync-response',
    ];
    await expect(peer, answers);
    await utimes(server.path('u.bin'), new Date('2026-01-01T00:00:00Z'), new Date('2026-01-01T00:00:00Z'));
    await peer.send(example('stat-request'));
    await expect(peer, [...answers, 'stat-response']);
  });

  it('shows what a server answers: a remote file that outlives its connection', async () => {
    await using server = await TemporaryServer.start();
    await writeFile(server.path('u.bin'), Uint8Array.of(0xde, 0xad, 0xbe, 0xef));
    const [, shownToken = ''] = /ResumeToken=([0-9a-f]+)/.exec(example('resumefile-request').toString('latin1')) ?? [];
    using first = await server.connect();
    await first.send(Uint8Array.of(ProtocolFlag.RemoteStream), example('login-remote-request'));
    await first.send(example('openfile-keep-request'), encodePacket(encodeSetPositionRequest(2)));
    for (let i = 0; i < 3; i++) await first.nextPacket();
    const received = first.received.toString('latin1');
    const [, token = ''] = /ResumeToken=([0-9a-f]+)/.exec(received) ?? [];
    assert.ok(received.replace(token, shownToken).includes(example('openfile-keep-response').toString('latin1')));

    const resume = Buffer.from(example('resumefile-request').toString('latin1').replace(shownToken, token), 'latin1');
    using second = await server.connect();
    await second.send(Uint8Array.of(ProtocolFlag.RemoteStream), example('login-remote-request'), resume);
    await expect(second, ['login-remote-response', 'resumefile-response']);
    await utimes(server.path('u.bin'), new Date(0), new Date(0));
    using third = await server.connect();
    await third.send(Uint8Array.of(ProtocolFlag.RemoteStream), example('login-remote-request'), resume);
    await expect(third, ['login-remote-response', 'resumefile-changed-response']);
  });

  it('shows what a server answers: a staged upload', async () => {
    await using server = await TemporaryServer.start();
    using peer = await server.connect();
    const upload = async (): Promise<void> => {
      await peer.send(example('beginupload-request'), example('placedata-request'), example('data-request'));
      await peer.send(example('endchunk-request'), example('uploadchunks-request'));
    };
    await peer.send(Uint8Array.of(ProtocolFlag.Upload), example('login-features-request'));
    await upload();
    await peer.send(example('commitupload-request'), example('beginupload-request'));
    for (let i = 0; i < 5; i++) await peer.nextPacket();
    const names = ['login-features-response', 'beginupload-response', 'uploadchunks-response', 'commitupload-response'];
    const expected = Buffer.concat([...names, 'beginupload-unchanged-response'].map(example)).toString('latin1');
    const received = peer.received
      .toString('latin1')
      .replace(/(?<=UploadId=)[0-9a-f]{32}/, '00112233445566778899aabbccddeeff');
    assert.equal(received, expected);
  });

  it('shows what a server answers: a measurement', async () => {
    await using server = await TemporaryServer.start();
    using peer = await server.connect();
    await peer.send(Uint8Array.of(ProtocolFlag.Throughput), example('active-features-request'));
    await peer.send(example('flood-request'));
    for (let i = 0; i < 4; i++) await peer.nextPacket();
    const shown = Buffer.concat(['active-flood-response', 'flood-response', 'flood-data'].map(example));
    const { received } = peer;
    assert.equal(received.subarray(0, shown.length).toString('hex'), shown.toString('hex'));
    // How long it took, and how much work it was, is never the same.
    const withoutTimes = (bytes: Buffer): string =>
      bytes
        .toString('latin1')
        .replaceAll(/Ms=\d+/g, 'Ms=')
        .slice(8);
    assert.equal(withoutTimes(received.subarray(shown.length)), withoutTimes(example('flood-report')));
  });

  it('lists every code, with what it means', () => {
    const rows = tableOf(sectionOf(page, '4.1 Result codes'));
    assert.deepEqual(
      rows.map(([decimal]) => Number(decimal)),
      Object.values(ResultCode),
    );
    for (const [decimal, hex] of rows) assert.equal(Number(hex), Number(decimal));
    for (const code of Object.values(ResultCode)) assert.equal(canonicalResultCode(code), code, resultText(code));
  });

  it('says of every flag byte what this version does', async () => {
    const rows = tableOf(sectionOf(page, '1.1 Flag bytes'));
    const listed = rows.map(([flag]) => Number(flag)).filter((flag) => !Number.isNaN(flag));
    assert.deepEqual(listed, Object.values(ProtocolFlag).sort());
    await using server = await TemporaryServer.start();
    for (const [flag = '', , what = ''] of rows) {
      using peer = await server.connect();
      await peer.send(Uint8Array.of(Number(flag) || 7), PROTOCOL_EXAMPLES['active-request']!);
      if (Number(flag) === ProtocolFlag.LogOutput) assert.match(`${await peer.receivedAtLeast(10)}`, /^\r\n/);
      else if (what.startsWith('served')) assert.match((await peer.nextPacket()).text, /Code=0$/);
      else assert.equal((await peer.waitForClose()).length, 0, `flag ${flag}`);
    }
  });

  it('reads the texts of its table as it says', () => {
    for (const [cell = '', expected = ''] of tableOf(sectionOf(page, '16.2 Texts'))) {
      const text = plain(cell).replaceAll('\\r\\n', '\r\n');
      const bytes = new TextEncoder().encode(text);
      const read = (): string | undefined => decodeCommandText(bytes, 0, bytes.length).command;
      if (expected === 'malformed') assert.throws(read, { code: 'ERR_TEXT_MALFORMED' }, cell);
      else assert.equal(read(), expected === 'none' ? undefined : plain(expected), cell);
    }
  });

  it('has a line for every fault of the original', () => {
    const named = tableOf(sectionOf(page, '14. Faults of the original, and what Sluice does')).flatMap(([ids = '']) =>
      ids.split(', ').flatMap((id) => {
        const [, letter = '', first, last = first] = /^([DC])(\d+)(?: to [DC](\d+))?$/.exec(id) ?? [];
        const count = Number(last) - Number(first) + 1;
        return Array.from({ length: count }, (_, index) => `${letter}${Number(first) + index}`);
      }),
    );
    const all = [
      ...Array.from({ length: 48 }, (_, index) => `D${index + 1}`),
      ...Array.from({ length: 9 }, (_, index) => `C${index + 1}`),
    ];
    assert.deepEqual([...new Set(named)].sort(), [...all].sort());
    assert.equal(named.length, all.length, 'a fault is listed twice');
  });

  it('says what happens at the limits of a packet', async () => {
    await using server = await TemporaryServer.start();
    const head = Buffer.alloc(8);
    for (const [packetLength, textLength, isAccepted] of [
      [3, undefined, false],
      [10_485_760, 20, true],
      [10_485_761, undefined, false],
      [30, 27, false],
    ] as const) {
      using peer = await server.connect();
      head.writeUInt32LE(packetLength);
      head.writeUInt32LE(textLength ?? 0, 4);
      await peer.send(Uint8Array.of(ProtocolFlag.Upload), head.subarray(0, textLength === undefined ? 4 : 8));
      if (isAccepted) {
        const text = requestText('A');
        assert.equal(text.length, textLength);
        await peer.send(text, new Uint8Array(packetLength - 4 - text.length));
        assert.match((await peer.nextPacket()).text, /Code=8/);
      } else {
        assert.equal((await peer.waitForClose()).length, 0, `${packetLength}, ${textLength}`);
      }
    }
  });
});

function example(name: string): Buffer {
  const bytes = examples.get(name);
  assert.ok(bytes, `no example of the name ${name}`);
  return bytes;
}

/** Everything the server has sent so far is these examples, one behind the other. */
async function expect(peer: RawPeer, names: readonly string[]): Promise<void> {
  const expected = Buffer.concat(names.map(example));
  const received = await peer.receivedAtLeast(expected.length);
  assert.equal(received.toString('hex'), expected.toString('hex'));
}

/** Lines of hexadecimal bytes; what stands behind a `|` is for people. */
function parseHexDump(text: string): Buffer {
  const bytes = text
    .split('\n')
    .flatMap((line) => line.split('|', 1))
    .join(' ')
    .trim();
  assert.match(bytes, /^[0-9a-f]{2}(\s+[0-9a-f]{2})*$/);
  return Buffer.from(bytes.replace(/\s+/g, ''), 'hex');
}
