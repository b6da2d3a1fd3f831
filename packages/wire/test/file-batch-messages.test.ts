import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  type BatchFile,
  type BatchName,
  decodeCommandText,
  decodeFetchedTable,
  decodeGetFilesRequest,
  decodeGetFilesTable,
  decodePutFilesRequest,
  decodePutFilesResult,
  decodePutFilesTable,
  decodeResponse,
  encodeBatchCodes,
  encodeFetchedTable,
  encodeGetFilesRequest,
  encodeGetFilesTable,
  encodePutFilesRequest,
  encodePutFilesTable,
  type FetchedFile,
  IF_EXISTS,
  MAX_BATCH_ENTRIES,
  putFilesResponseText,
  RequestError,
} from '@sluice/wire';
import fc from 'fast-check';

const PLAIN = { noNullPrototype: true } as const;
const text = (bytes: Uint8Array) => decodeCommandText(bytes, 0, bytes.length);
const facts = fc.record(
  {
    size: fc.integer({ min: 0, max: 64 }),
    digest: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
    modifiedNs: fc.option(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), { nil: undefined }),
    mode: fc.option(fc.integer({ min: 0, max: 0o777 }), { nil: undefined }),
  },
  PLAIN,
);
const name = fc.string({ unit: 'grapheme', maxLength: 40 });
const directories = fc.array(name, { minLength: 1, maxLength: 5 });

function namesIn(count: number): fc.Arbitrary<BatchName[]> {
  return fc.array(fc.record({ directory: fc.nat(count - 1), name }, PLAIN), { maxLength: 8 });
}

const put = directories.chain((names) =>
  fc.record(
    {
      directories: fc.constant(names),
      files: fc.array(
        fc
          .tuple(
            namesIn(names.length).filter(({ length }) => length > 0),
            facts,
          )
          .map(([[place], told]): BatchFile => ({ ...place!, ...told })),
        { maxLength: 8 },
      ),
    },
    PLAIN,
  ),
);

function putData({ directories, files }: { directories: readonly string[]; files: readonly BatchFile[] }): Uint8Array {
  const table = encodePutFilesTable(directories, files);
  const contents = files.reduce((sum, { size }) => sum + size, 0);
  return Buffer.concat([table, Buffer.alloc(contents, 7)]);
}

/** What a peer can be told of a fault, and nothing else. */
function orRefusal<T>(decode: () => T): T | undefined {
  try {
    return decode();
  } catch (error) {
    assert.ok(error instanceof RequestError, String(error));
    assert.equal(error.resultCode, 6);
    return undefined;
  }
}

describe('batches of small files', () => {
  it('are asked for with the keys that are given', () => {
    assert.deepEqual(
      Buffer.from(encodePutFilesRequest({ dirName: 'a/b' }))
        .toString()
        .split('\r\n'),
      ['[Request]', 'Command=PutFiles', 'DirName=a/b'],
    );
    for (const ifExists of IF_EXISTS) {
      const request = { dirName: '', ifExists, durability: 'memory', makesParents: true } as const;
      assert.deepEqual(decodePutFilesRequest(text(encodePutFilesRequest(request))), request);
    }
    assert.equal(decodeGetFilesRequest(text(encodeGetFilesRequest('x/y'))), 'x/y');
  });

  it('come out of PutFiles as they went in', () => {
    fc.assert(
      fc.property(put, (sent) => {
        const data = putData(sent);
        const got = decodePutFilesTable(data);
        assert.deepEqual({ directories: got.directories, files: got.files }, sent);
        assert.ok(data.subarray(got.contentStart).every((byte) => byte === 7));
      }),
    );
  });

  it('are refused with code 6 when a PutFiles is cut off or longer than it says', () => {
    fc.assert(
      fc.property(put, fc.nat(), (sent, cut) => {
        const data = putData(sent);
        assert.equal(
          orRefusal(() => decodePutFilesTable(data.subarray(0, cut % data.length))),
          undefined,
        );
        assert.equal(
          orRefusal(() => decodePutFilesTable(Buffer.concat([data, Buffer.alloc(1)]))),
          undefined,
        );
      }),
    );
  });

  it('are read or refused, whatever the bytes are', () => {
    fc.assert(
      fc.property(put, fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 4 }), (sent, changes) => {
        const data = putData(sent);
        for (const [at, byte] of changes) data[at % data.length] = byte;
        const got = orRefusal(() => decodePutFilesTable(data));
        for (const file of got?.files ?? []) assert.ok(file.directory < got!.directories.length);
      }),
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        orRefusal(() => decodePutFilesTable(bytes));
        orRefusal(() => decodeGetFilesTable(bytes));
        decodeFetchedTable(bytes, bytes[0] ?? 0);
      }),
    );
  });

  it('are not believed in before there is data for them', () => {
    const claimed = Buffer.alloc(8);
    claimed.writeUInt32BE(0xffff_ffff);
    assert.throws(() => decodePutFilesTable(claimed), { resultCode: 6 });
    claimed.writeUInt32BE(MAX_BATCH_ENTRIES);
    assert.throws(() => decodePutFilesTable(claimed), /cut off/);
    claimed.writeUInt32BE(0);
    claimed.writeUInt32BE(MAX_BATCH_ENTRIES + 1, 4);
    assert.throws(() => decodeGetFilesTable(claimed), /more than 16384/);
  });

  it('are refused in a directory that is not in the table, and with a mode of more than nine bits', () => {
    const file = { directory: 1, name: 'f', size: 0, digest: 0n };
    assert.throws(() => decodePutFilesTable(encodePutFilesTable(['a'], [file])), { resultCode: 6 });
    const setUid = { ...file, directory: 0, mode: 0o4755 };
    assert.throws(() => decodePutFilesTable(encodePutFilesTable(['a'], [setUid])), { resultCode: 6 });
  });

  it('are answered with a code for each directory and each file', () => {
    const bytes = putFilesResponseText('PutFiles', 'durable');
    const response = decodeResponse(text(bytes));
    const data = encodeBatchCodes([0, 33554433], [16]);
    assert.deepEqual(decodePutFilesResult(response, data, 2, 1), {
      durability: 'durable',
      directoryCodes: [0, 33554433],
      fileCodes: [16],
    });
    assert.equal(decodePutFilesResult(response, data, 1, 1), undefined);
  });

  it('are named in GetFiles as they were', () => {
    const asked = directories.chain((names) => fc.tuple(fc.constant(names), namesIn(names.length)));
    fc.assert(
      fc.property(asked, fc.nat(), ([dirs, files], cut) => {
        const data = encodeGetFilesTable(dirs, files);
        assert.deepEqual(decodeGetFilesTable(data), { directories: dirs, files });
        assert.equal(
          orRefusal(() => decodeGetFilesTable(data.subarray(0, cut % data.length))),
          undefined,
        );
      }),
    );
  });

  it('come out of an answer to GetFiles as they went in, and not at all when it is not what it says', () => {
    const fetched = fc.array(fc.record({ code: fc.constantFrom(0, 9, 19), facts }, PLAIN), { maxLength: 8 });
    fc.assert(
      fc.property(fetched, fc.nat(), (files: FetchedFile[], cut) => {
        const table = encodeFetchedTable(files);
        const data = Buffer.concat([table, Buffer.alloc(files.reduce((sum, file) => sum + file.facts.size, 0))]);
        assert.deepEqual(decodeFetchedTable(data, files.length), { files, contentStart: table.length });
        if (data.length > 0) {
          const short = data.subarray(0, cut % data.length);
          assert.equal(
            orRefusal(() => decodeFetchedTable(short, files.length)),
            undefined,
          );
        }
        assert.equal(decodeFetchedTable(data, files.length + 1), undefined);
      }),
    );
  });
});
