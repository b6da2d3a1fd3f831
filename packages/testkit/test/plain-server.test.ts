import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { PlainServer, RawPeer } from '@sluice/testkit';
import { encodeLoginRequest, encodePacket, encodeUploadRequest, requestText } from '@sluice/wire';

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
});
