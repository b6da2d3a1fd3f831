import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  type CommandText,
  decodeCommandText,
  decodeFileExistsRequest,
  decodeHandle,
  decodeOpenFileRequest,
  decodeOpenFileResponse,
  decodeReadAtRequest,
  decodeReadRequest,
  decodeResponse,
  decodeResumeFileRequest,
  decodeResumeFileResponse,
  decodeSeekRequest,
  decodeSetPositionRequest,
  decodeSetSizeRequest,
  decodeStatRequest,
  decodeStatResponse,
  decodeTag,
  decodeWriteAtRequest,
  encodeCloseFileRequest,
  encodeCountResponse,
  encodeFileExistsRequest,
  encodeGetPositionRequest,
  encodeGetSizeRequest,
  encodeOpenFileRequest,
  encodeOpenFileResponse,
  encodePacket,
  encodePositionResponse,
  encodeReadAtRequest,
  encodeReadRequest,
  encodeResumeFileRequest,
  encodeResumeFileResponse,
  encodeSeekRequest,
  encodeSeekResponse,
  encodeSetPositionRequest,
  encodeSetSizeRequest,
  encodeSizeResponse,
  encodeStatRequest,
  encodeStatResponse,
  encodeSyncRequest,
  encodeWriteAtRequest,
  encodeWriteRequest,
  FileMode,
  MAX_READ_BYTES,
  MAX_SENT_PACKET_LENGTH,
  MAX_TAG,
  ReadAnswer,
  requestText,
  requireDataCount,
  responseTag,
  SeekOrigin,
} from '@sluice/wire';

function decoded(bytes: Uint8Array): CommandText {
  return decodeCommandText(bytes, 0, bytes.length);
}

function lines(bytes: Uint8Array): string[] {
  return Buffer.from(bytes).toString().split('\r\n').slice(1);
}

const TOKEN = '00112233445566778899aabbccddeeff';

describe('messages of RemoteStream (specification 8)', () => {
  it('have the keys of the table, in its order', () => {
    assert.deepEqual(lines(encodeFileExistsRequest('a/b')), ['Command=FileExists', 'FileName=a/b']);
    assert.deepEqual(lines(encodeOpenFileRequest({ fileName: 'f', mode: FileMode.ReadWrite })), [
      'Command=OpenFile',
      'FileName=f',
      'Mode=1',
    ]);
    assert.deepEqual(lines(encodeSetSizeRequest(2n ** 53n - 1n)), ['Command=SetSize', 'Size=9007199254740991']);
    assert.deepEqual(lines(encodeGetSizeRequest()), ['Command=GetSize']);
    assert.deepEqual(lines(encodeSetPositionRequest(5)), ['Command=SetPosition', 'Position=5']);
    assert.deepEqual(lines(encodeGetPositionRequest()), ['Command=GetPosition']);
    assert.deepEqual(lines(encodeReadRequest(4)), ['Command=Read', 'Count=4']);
    assert.deepEqual(lines(encodeWriteRequest(4)), ['Command=Write', 'Count=4']);
    assert.deepEqual(lines(encodeSeekRequest({ offset: -1, origin: SeekOrigin.End })), [
      'Command=Seek',
      'Offset=-1',
      'SeekOrigin=2',
    ]);
    assert.deepEqual(lines(encodeCloseFileRequest()), ['Command=CloseFile']);
    assert.deepEqual(lines(encodeSizeResponse('GetSize', 7)), ['Command=GetSize', 'Code=0', 'Size=7']);
    assert.deepEqual(lines(encodePositionResponse('getposition', 7)), ['Command=getposition', 'Code=0', 'Position=7']);
    assert.deepEqual(lines(encodeCountResponse('Read', 7)), ['Command=Read', 'Code=0', 'Count=7']);
    assert.deepEqual(lines(encodeSeekResponse('Seek', 7n)), ['Command=Seek', 'Code=0', 'Offset=7']);
  });

  it('decode to what was encoded', () => {
    assert.equal(decodeFileExistsRequest(decoded(encodeFileExistsRequest('a=b'))), 'a=b');
    for (const request of [
      { fileName: '', mode: FileMode.Read, keepMs: undefined },
      { fileName: 'd\\f', mode: FileMode.ReadWrite, keepMs: 2 ** 31 - 1 },
    ])
      assert.deepEqual(decodeOpenFileRequest(decoded(encodeOpenFileRequest(request))), request);
    assert.equal(decodeSetSizeRequest(decoded(encodeSetSizeRequest(0))), 0);
    assert.equal(decodeSetPositionRequest(decoded(encodeSetPositionRequest(2n ** 53n - 1n))), 2 ** 53 - 1);
    assert.equal(decodeReadRequest(decoded(encodeReadRequest(MAX_READ_BYTES))), MAX_READ_BYTES);
    for (const origin of Object.values(SeekOrigin))
      assert.deepEqual(decodeSeekRequest(decoded(encodeSeekRequest({ offset: -(2n ** 63n), origin }))), {
        offset: -(2n ** 63n),
        origin,
      });
    assert.deepEqual(decodeReadAtRequest(decoded(encodeReadAtRequest({ position: 3, count: 4 }))), {
      position: 3,
      count: 4,
    });
    assert.equal(decodeWriteAtRequest(decoded(encodeWriteAtRequest({ position: 3, count: 4 }))), 3);
    assert.equal(decodeStatRequest(decoded(encodeStatRequest())), undefined);
    assert.equal(decodeStatRequest(decoded(encodeStatRequest(''))), '');
    assert.equal(decodeResumeFileRequest(decoded(encodeResumeFileRequest(TOKEN.toUpperCase()))), TOKEN);
  });

  it('with a Count take a Write with so much data, and one without Count any', () => {
    const text = decoded(encodeWriteRequest(4));
    assert.doesNotThrow(() => requireDataCount(text, 4));
    for (const bytes of [0, 3, 5]) assert.throws(() => requireDataCount(text, bytes), { resultCode: 6 });
    assert.doesNotThrow(() => requireDataCount(decoded(requestText('Write', [['A', 1]])), 5));
  });
});

describe('extension keys of RemoteStream (docs/protocol.md, 17.5 and 17.6)', () => {
  it('stand in front of the others, and are left out where they say nothing', () => {
    assert.deepEqual(lines(encodeReadAtRequest({ position: 1, count: 2 }, { tag: 0, handle: 3 })), [
      'Command=ReadAt',
      'Tag=0',
      'Handle=3',
      'Position=1',
      'Count=2',
    ]);
    assert.deepEqual(lines(encodeSyncRequest({ handle: 0 })), ['Command=Sync']);
    const text = decoded(encodeSyncRequest({ tag: MAX_TAG, handle: 63 }));
    assert.deepEqual([decodeTag(text), decodeHandle(text)], [MAX_TAG, 63]);
    const bare = decoded(encodeSyncRequest());
    assert.deepEqual([decodeTag(bare), decodeHandle(bare)], [undefined, 0]);
  });

  it('are found in answers', () => {
    assert.equal(responseTag(decoded(encodeCountResponse('ReadAt', 4, 7))), 7);
    for (const tag of ['-1', 'x', '2147483648'])
      assert.equal(responseTag(decoded(requestText('A', [['Tag', tag]]))), undefined);
    assert.equal(responseTag(decoded(encodeCountResponse('ReadAt', 4))), undefined);
  });
});

describe('answers of remote files (docs/protocol.md, 17.6 and 17.7)', () => {
  it('decode to what was encoded', () => {
    for (const kept of [undefined, { resumeToken: TOKEN, keepMs: 60_000 }]) {
      const response = decodeResponse(decoded(encodeOpenFileResponse('OpenFile', { size: 4, kept }, 9)));
      assert.deepEqual(decodeOpenFileResponse(response), { size: 4n, kept });
    }
    for (const kind of ['file', 'directory', 'other'] as const) {
      const status = { kind, size: 2n ** 40n, modifiedNs: -1n };
      assert.deepEqual(decodeStatResponse(decodeResponse(decoded(encodeStatResponse('Stat', status)))), status);
    }
    const resumed = { mode: FileMode.Read, size: 4n, position: 2n, keepMs: 1 };
    const text = decoded(encodeResumeFileResponse('ResumeFile', resumed, 1));
    assert.deepEqual(decodeResumeFileResponse(decodeResponse(text)), resumed);
  });

  it('without a key they must have are errors of the protocol', () => {
    const response = decodeResponse(decoded(encodeCountResponse('X', 1)));
    for (const decode of [decodeOpenFileResponse, decodeStatResponse, decodeResumeFileResponse])
      assert.throws(() => decode(response), { code: 'ERR_RESPONSE_INVALID' });
  });
});

describe('ReadAnswer', () => {
  const counts = [0, 1, 9, 10, 99, 100, 4096, 99_999, 100_000, 10_000_000];
  for (const tag of [undefined, 0, 9, 10, 12_345, MAX_TAG]) {
    it(`writes the bytes of the plain encoder, with the tag ${tag}`, () => {
      for (const command of ['Read', 'rEADaT']) {
        const answer = new ReadAnswer(command);
        for (const count of counts) {
          const expected = encodePacket(encodeCountResponse(command, count, tag), new Uint8Array(count));
          const head = expected.subarray(0, expected.length - count);
          const target = new Uint8Array(200).fill(255);
          assert.equal(answer.headBytes(tag, count), head.length);
          assert.equal(answer.writeHead(target, 3, tag, count), 3 + head.length);
          assert.deepEqual(target.subarray(3, 3 + head.length), head);
          assert.ok(target.subarray(3 + head.length).every((byte) => byte === 255));
        }
      }
    });
  }

  it('fills the largest packet with the most that can be asked for', () => {
    const packetLength = new ReadAnswer('ReadAt').headBytes(MAX_TAG, MAX_READ_BYTES) - 4 + MAX_READ_BYTES;
    assert.equal(packetLength, MAX_SENT_PACKET_LENGTH);
  });
});
