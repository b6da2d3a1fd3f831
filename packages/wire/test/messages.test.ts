import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  canonicalResultCode,
  DIGEST_CHUNK_BYTES,
  decodeDeleteFileRequest,
  decodeDigestRequest,
  decodeDirectoryRequest,
  decodeDirRequest,
  decodeDirResponse,
  decodeDownloadRange,
  decodeDownloadRequest,
  decodeEofRequest,
  decodeFeatures,
  decodeFileListRequest,
  decodeFileListResponse,
  decodeFileVersion,
  decodeLoginRequest,
  decodeUploadRequest,
  digestResponseText,
  encodeDeleteFileRequest,
  encodeDigestRequest,
  encodeDirectoryRequest,
  encodeDirRequest,
  encodeDirResponse,
  encodeDownloadRequest,
  encodeEofRequest,
  encodeEofResponse,
  encodeFileListRequest,
  encodeFileListResponse,
  encodeLoginRequest,
  encodeSendFile,
  encodeUploadRequest,
  encodeUploadResponse,
  encodeWelcome,
  Key,
  ResultCode,
  responseInteger,
  responseText,
  resultText,
} from '@sluice/wire';
import fc from 'fast-check';
import { responseOf, textOf } from './support.js';

const record = <T>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }) => fc.record(model, { noNullPrototype: true });

/** Any text without CR and LF. */
const free = fc.string({ unit: 'binary', maxLength: 40 }).filter((text) => !/[\r\n]/.test(text));
const int64 = fc.bigInt({ min: -(1n << 63n), max: (1n << 63n) - 1n });
const size64 = fc.bigInt({ min: 0n, max: (1n << 63n) - 1n });
const int32 = fc.bigInt({ min: -(1n << 31n), max: (1n << 31n) - 1n });
const feature = fc.stringMatching(/^[A-Za-z0-9-]{1,20}$/);

const code6 = { name: 'RequestError', resultCode: ResultCode.ParameterError };
const invalid = { name: 'ProtocolError', code: 'ERR_RESPONSE_INVALID' };

function roundTrips<T>(
  given: fc.Arbitrary<T>,
  encode: (value: T) => Uint8Array,
  decode: (bytes: Uint8Array) => unknown,
): void {
  fc.assert(
    fc.property(given, (value) => {
      assert.deepEqual(decode(encode(value)), value);
    }),
  );
}

describe('requests come out as they went in', () => {
  it('Login', () => {
    const given = record({
      userName: free,
      passwordDigest: free,
      features: fc.option(fc.array(feature), { nil: undefined }),
    });
    roundTrips(given, encodeLoginRequest, (bytes) => decodeLoginRequest(textOf(bytes)));
  });

  it('Dir, FileList', () => {
    roundTrips(free, encodeDirRequest, (bytes) => decodeDirRequest(textOf(bytes)));
    roundTrips(free, encodeFileListRequest, (bytes) => decodeFileListRequest(textOf(bytes)));
  });

  it('CreateDir, DeleteDir', () => {
    for (const command of ['CreateDir', 'DeleteDir'] as const) {
      roundTrips(
        record({ parentDir: free, dirName: free }),
        (request) => encodeDirectoryRequest(command, request),
        (bytes) => {
          assert.equal(textOf(bytes).command, command);
          return decodeDirectoryRequest(textOf(bytes));
        },
      );
    }
  });

  it('DeleteFile', () => {
    roundTrips(record({ dirName: free, names: fc.array(free) }), encodeDeleteFileRequest, (bytes) =>
      decodeDeleteFileRequest(textOf(bytes)),
    );
  });

  it('Upload, Eof', () => {
    roundTrips(
      record({ dirName: free, fileName: free, resume: fc.option(int64, { nil: undefined }) }),
      encodeUploadRequest,
      (bytes) => decodeUploadRequest(textOf(bytes)),
    );
    roundTrips(fc.option(int64, { nil: undefined }), encodeEofRequest, (bytes) => decodeEofRequest(textOf(bytes)));
  });

  it('Download', () => {
    roundTrips(
      record({ dirName: free, fileName: free, fileSize: int64, packetSize: int32 }),
      encodeDownloadRequest,
      (bytes) => decodeDownloadRequest(textOf(bytes)),
    );
  });

  it('Download, with the keys of ranges', () => {
    const range = record({
      count: fc.option(
        fc.maxSafeNat().map((count) => Math.max(1, count)),
        { nil: undefined },
      ),
      version: fc.option(fc.stringMatching(/^[0-9a-f]{1,128}$/), { nil: undefined }),
    });
    const request = { dirName: '', fileName: 'f', fileSize: 0n, packetSize: 1n };
    roundTrips(
      range,
      (keys) => encodeDownloadRequest({ ...request, ...keys }),
      (bytes) => decodeDownloadRange(textOf(bytes)),
    );
  });

  it('Digest', () => {
    const file = fc.option(record({ dirName: free, fileName: free }), { nil: undefined });
    roundTrips(record({ file, position: int64, count: int64 }), encodeDigestRequest, (bytes) =>
      decodeDigestRequest(textOf(bytes)),
    );
  });
});

describe('answers come out as they went in', () => {
  it('Dir', () => {
    roundTrips(
      fc.array(free),
      (names) => encodeDirResponse('dir', names),
      (bytes) => decodeDirResponse(responseOf(bytes)),
    );
  });

  it('FileList, also with names that contain the separator', () => {
    roundTrips(
      fc.array(record({ name: fc.oneof(free, fc.constant('a\u0001b\u00015')), size: size64 })),
      (files) => encodeFileListResponse('FileList', files),
      (bytes) => decodeFileListResponse(responseOf(bytes)),
    );
  });

  it('Upload, SendFile, Digest: sizes up to the last bit', () => {
    const encoders = [
      (size: bigint) => encodeUploadResponse('Upload', size),
      encodeSendFile,
      (size: bigint) => digestResponseText('Digest', size),
    ];
    for (const encode of encoders) {
      roundTrips(size64, encode, (bytes) => responseInteger(responseOf(bytes), Key.FileSize));
    }
    assert.equal(
      responseInteger(responseOf(digestResponseText('Digest', 1)), Key.ChunkSize),
      BigInt(DIGEST_CHUNK_BYTES),
    );
  });

  it('Digest, with the version of the file', () => {
    roundTrips(
      record({
        version: fc.stringMatching(/^[0-9a-f]{1,128}$/),
        modifiedNs: int64,
        mode: fc.nat({ max: 0o777 }),
      }),
      (file) => digestResponseText('Digest', 1, file),
      (bytes) => decodeFileVersion(responseOf(bytes)),
    );
    const good = { Version: 'a', ModifiedNs: '1', Mode: '1' };
    for (const bad of [
      { Version: '' },
      { Version: 'x'.repeat(129) },
      { ModifiedNs: 'x' },
      { Mode: '512' },
      { Mode: '-1' },
    ]) {
      const keys = Object.entries({ ...good, ...bad });
      assert.throws(() => decodeFileVersion(responseOf(responseText('Digest', 0, keys))), {
        code: 'ERR_RESPONSE_INVALID',
      });
    }
  });

  it('the extensions of a server', () => {
    roundTrips(
      fc.option(fc.array(feature), { nil: undefined }),
      (features) => encodeWelcome('Login', features),
      (bytes) => decodeFeatures(textOf(bytes)),
    );
    assert.deepEqual(decodeFeatures(textOf('[Request]\r\nFeatures= A , ,B,')), ['A', 'B']);
  });

  it('Eof, with durability only for those who asked', () => {
    assert.equal(responseOf(encodeEofResponse('Eof', 'durable')).text.first(Key.Durability), 'durable');
    assert.equal(responseOf(encodeEofResponse('Eof', undefined)).text.first(Key.Durability), undefined);
  });
});

describe('keys of requests', () => {
  const decoders: [name: string, decode: (text: ReturnType<typeof textOf>) => unknown, whole: string[]][] = [
    ['Login', decodeLoginRequest, ['UserName=a', 'Password=b']],
    ['Dir', decodeDirRequest, ['ParentDir=a']],
    ['CreateDir', decodeDirectoryRequest, ['ParentDir=a', 'DirName=b']],
    ['FileList', decodeFileListRequest, ['DirName=a']],
    ['DeleteFile', decodeDeleteFileRequest, ['DirName=a']],
    ['Upload', decodeUploadRequest, ['DirName=a', 'FileName=b']],
    ['Download', decodeDownloadRequest, ['DirName=a', 'FileName=b', 'FileSize=0', 'PacketSize=1']],
    ['Digest', decodeDigestRequest, ['Position=0', 'Count=1']],
  ];
  for (const [name, decode, whole] of decoders) {
    it(`${name} without one of its keys is code 6`, () => {
      const text = (lines: string[]) => textOf(['[Request]', `Command=${name}`, ...lines].join('\r\n'));
      assert.doesNotThrow(() => decode(text(whole)));
      for (const line of whole) {
        assert.throws(() => decode(text(whole.filter((other) => other !== line))), code6);
      }
      for (const line of whole.filter((other) => /=\d$/.test(other))) {
        const key = line.slice(0, line.indexOf('='));
        for (const bad of ['', 'x', '9223372036854775808']) {
          assert.throws(() => decode(text(whole.map((other) => (other === line ? `${key}=${bad}` : other)))), code6);
        }
      }
    });
  }

  it('PacketSize is a number of 32 bits, FileSize of 64', () => {
    const text = (fileSize: string, packetSize: string) =>
      textOf(`[Request]\r\nDirName=\r\nFileName=a\r\nFileSize=${fileSize}\r\nPacketSize=${packetSize}`);
    assert.deepEqual(decodeDownloadRequest(text('9223372036854775807', '2147483647')).packetSize, 2147483647n);
    assert.throws(() => decodeDownloadRequest(text('0', '2147483648')), code6);
  });

  it('Dir stands for DirName where that is missing (V15)', () => {
    assert.equal(decodeFileListRequest(textOf('[Request]\r\nDir=a')), 'a');
    assert.equal(decodeFileListRequest(textOf('[Request]\r\nDir=a\r\nDirName=b')), 'b');
    assert.equal(decodeFileListRequest(textOf('[Request]\r\nDir=a\r\nDirName=')), '');
  });
});

describe('responses', () => {
  it('without a Code, or with one that is no number, are errors and never a success (C9)', () => {
    for (const lines of ['', 'Code=\r\n', 'Code=x\r\n', 'Code=2147483648\r\n', 'Code=0.0\r\n']) {
      assert.throws(() => responseOf(`[Response]\r\nCommand=Eof\r\n${lines}`), invalid);
    }
    assert.throws(() => responseOf('[Response]\r\nCode=0'), invalid);
  });

  it('with a code that nobody knows are failures', () => {
    for (const code of [99, -1, 2147483647, -2147483648]) {
      assert.equal(responseOf(`[Response]\r\nCommand=Eof\r\nCode=${code}`).code, code);
    }
  });

  it('say the message of a failure', () => {
    const { code, message } = responseOf(responseText('Upload', ResultCode.FileIsInUse, [], 'in use'));
    assert.deepEqual([code, message], [11, 'in use']);
  });

  it('are refused when a size in them is missing, negative or no number', () => {
    for (const line of ['', 'FileSize=', 'FileSize=-1', 'FileSize=x', 'FileSize=9223372036854775808']) {
      const response = responseOf(`[Response]\r\nCommand=Upload\r\nCode=0\r\n${line}`);
      assert.throws(() => responseInteger(response, Key.FileSize), invalid);
    }
    for (const item of ['a', 'a\u0001', '\u0001x', 'a\u0001-1', '5']) {
      const response = responseOf(`[Response]\r\nCommand=FileList\r\nCode=0\r\nItem=${item}`);
      assert.throws(() => decodeFileListResponse(response), invalid, item);
    }
  });
});

describe('result codes, specification 4.1', () => {
  it('have the numbers of the specification, and 12 to 19 for what only this server says', () => {
    assert.deepEqual(
      Object.values(ResultCode),
      [
        0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 33554433, 33554434, 33554435, 33554439,
        33554440,
      ],
    );
  });

  it('have a text each, all different (C5)', () => {
    const texts = Object.values(ResultCode).map(resultText);
    for (const text of texts) assert.match(text, /^[a-z][^\r\n=]+$/);
    assert.equal(new Set(texts).size, texts.length);
  });

  it('have a text that names the number where nobody knows it', () => {
    for (const code of [99, -1, 33554445]) assert.match(resultText(code), new RegExp(`${code}$`));
  });

  it('of the Delphi server are read as ours (V4)', () => {
    const pairs = [
      [0x02000004, ResultCode.FileNotExist],
      [0x02000005, ResultCode.FileIsInUse],
      [0x02000006, ResultCode.NotOpenFile],
    ] as const;
    for (const [delphi, ours] of pairs) {
      assert.equal(canonicalResultCode(delphi), ours);
      assert.equal(resultText(delphi), resultText(ours));
      assert.equal(responseOf(responseText('Upload', delphi)).code, ours);
    }
    for (const code of Object.values(ResultCode)) assert.equal(canonicalResultCode(code), code);
  });
});
