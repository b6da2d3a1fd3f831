import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { PlainServer, RawPeer } from '@sluice/testkit';
import {
  encodeCloseFileRequest,
  encodeFileExistsRequest,
  encodeGetPositionRequest,
  encodeGetSizeRequest,
  encodeLoginRequest,
  encodeOpenFileRequest,
  encodePacket,
  encodeReadRequest,
  encodeSeekRequest,
  encodeSetPositionRequest,
  encodeSetSizeRequest,
  encodeUploadRequest,
  encodeWriteRequest,
  FileMode,
  requestText,
  SeekOrigin,
} from '@sluice/wire';

const login = encodeLoginRequest({
  userName: 'admin',
  passwordDigest: '21232f297a57a5a743894a0e4a801fc3',
  features: ['VerifiedResume'],
});

describe('PlainServer', () => {
  it('answers as the original does, and knows no extension', async () => {
    const root = await mkdtemp(join(tmpdir(), 'sluice-plain-'));
    await using server = await PlainServer.listen({ root });
    using peer = await RawPeer.connect(server.port);
    void peer.send(
      Uint8Array.of(2),
      encodePacket(login),
      encodePacket(encodeUploadRequest({ dirName: '', fileName: 'u.bin' })),
      encodePacket(requestText('Data'), Uint8Array.of(0xde, 0xad, 0xbe, 0xef)),
      encodePacket(requestText('Eof')),
      encodePacket(encodeUploadRequest({ dirName: '', fileName: 'u.bin', resume: 1n })),
      encodePacket(requestText('Digest', [['Position', 0]])),
    );
    const texts: string[] = [];
    for (let i = 0; i < 5; i++) texts.push((await peer.nextPacket()).text.replaceAll('\r\n', ' '));
    assert.deepEqual(texts, [
      '[Response] Command=Login Code=0',
      '[Response] Command=Upload Code=0 FileSize=0',
      '[Response] Command=Eof Code=0',
      '[Response] Command=Upload Code=0 FileSize=4',
      '[Response] Command=Digest Code=1 Message=',
    ]);
    assert.deepEqual(await readFile(join(root, 'u.bin')), Buffer.from('deadbeef', 'hex'));
    await rm(root, { recursive: true });
  });

  it('has the ten commands of RemoteStream, and closes on any other, also on Login', async () => {
    const root = await mkdtemp(join(tmpdir(), 'sluice-plain-'));
    await using server = await PlainServer.listen({ root });
    using peer = await RawPeer.connect(server.port);
    void peer.send(
      Uint8Array.of(4),
      encodePacket(encodeOpenFileRequest({ fileName: 'u.bin', mode: FileMode.ReadWrite, keepMs: 1 }, { tag: 1 })),
      encodePacket(encodeWriteRequest(99), Uint8Array.of(0xde, 0xad, 0xbe, 0xef)),
      encodePacket(encodeSeekRequest({ offset: -3, origin: SeekOrigin.End })),
      encodePacket(encodeReadRequest(2)),
      encodePacket(encodeGetPositionRequest()),
      encodePacket(encodeSetSizeRequest(2)),
      encodePacket(encodeGetSizeRequest()),
      encodePacket(encodeSetPositionRequest(1)),
      encodePacket(encodeReadRequest(9)),
      encodePacket(encodeCloseFileRequest()),
      encodePacket(encodeFileExistsRequest('u.bin')),
      encodePacket(encodeReadRequest(1)),
    );
    const answers: string[] = [];
    for (let i = 0; i < 12; i++) {
      const { text, data } = await peer.nextPacket();
      answers.push([...text.split('\r\n').slice(1), Buffer.from(data).toString('hex')].join(' ').trim());
    }
    assert.deepEqual(answers, [
      'Command=OpenFile Code=0',
      'Command=Write Code=0 Count=4',
      'Command=Seek Code=0 Offset=1',
      'Command=Read Code=0 Count=2 adbe',
      'Command=GetPosition Code=0 Position=3',
      'Command=SetSize Code=0',
      'Command=GetSize Code=0 Size=2',
      'Command=SetPosition Code=0',
      'Command=Read Code=0 Count=1 ad',
      'Command=CloseFile Code=0',
      'Command=FileExists Code=0',
      'Command=Read Code=10 Message=',
    ]);
    const before = peer.received.length;
    void peer.send(encodePacket(login));
    assert.equal((await peer.waitForClose()).length, before);
    await rm(root, { recursive: true });
  });
});
