import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { parseRange } from '../../../../../packages/server/dist/http/files/byte-range.js';
import { parseFilePath, urlPathOf } from '../../../../../packages/server/dist/http/files/file-path.js';
import { parseMetadata } from '../../../../../packages/server/dist/http/files/tus-headers.js';
import { HttpError } from '../../../../../packages/server/dist/http/http-error.js';
import { isComponent } from '../../../../../packages/server/dist/storage/path-name.js';
import { StorageError } from '../../../../../packages/server/dist/storage/storage-error.js';

const rangeLike = fc.oneof(fc.string(), fc.stringMatching(/^bytes=\d{0,17}-\d{0,17}(,\d*-\d*)?$/));
const name = fc
  .string({ unit: 'grapheme', minLength: 1, maxLength: 40 })
  .filter((text) => isComponent(text) && !/^[a-z]:$/i.test(text));

describe('headers and paths of requests for files', () => {
  it('never give a range that is outside the file, or empty', () => {
    fc.assert(
      fc.property(rangeLike, fc.nat(2 ** 40), (header, size) => {
        const range = parseRange(header, size);
        if (range === undefined || range === 'unsatisfiable') return;
        assert.ok(range.start >= 0 && range.start < range.end && range.end <= size);
      }),
    );
  });

  it('give back the metadata that a client has encoded', () => {
    const key = fc.stringMatching(/^[A-Za-z][\w-]{0,20}$/);
    fc.assert(
      fc.property(fc.dictionary(key, fc.string({ unit: 'grapheme' }), { maxKeys: 5 }), (values) => {
        const header = Object.entries(values).map(([key, value]) => `${key} ${Buffer.from(value).toString('base64')}`);
        assert.deepEqual([...parseMetadata(header.join(','))], Object.entries(values));
      }),
    );
  });

  it('refuse metadata that is none, and nothing else happens', () => {
    fc.assert(
      fc.property(fc.string(), (header) => {
        try {
          parseMetadata(header);
        } catch (error) {
          assert.ok(error instanceof HttpError && error.status === 400);
        }
      }),
    );
  });

  it('name the file whose path is in the URL, however it is spelled', () => {
    fc.assert(
      fc.property(fc.array(name, { minLength: 1, maxLength: 4 }), (components) => {
        const { pathname } = new URL(urlPathOf(components), 'http://x');
        assert.deepEqual(parseFilePath(pathname), { components, isDirectory: false });
        assert.deepEqual(parseFilePath(`${pathname}/`), { components, isDirectory: true });
      }),
    );
  });

  it('never name anything but components that a file can have', () => {
    fc.assert(
      fc.property(fc.webPath(), fc.string(), (one, other) => {
        const { pathname } = new URL(`http://x/files/${one}${other}`);
        if (!pathname.startsWith('/files/')) return;
        try {
          const { components } = parseFilePath(pathname);
          assert.ok(components.every(isComponent));
        } catch (error) {
          assert.ok(error instanceof HttpError || error instanceof StorageError);
        }
      }),
    );
  });
});
