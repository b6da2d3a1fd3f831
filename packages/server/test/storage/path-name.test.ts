import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  isStateDirectory,
  parseDirectoryName,
  parseFileName,
  parseFilePath,
} from '../../../../packages/server/dist/storage/path-name.js';
import { StorageError } from '../../../../packages/server/dist/storage/storage-error.js';

const isNameInvalid = (error: unknown): boolean => error instanceof StorageError && error.code === 'ERR_NAME_INVALID';

describe('parseDirectoryName', () => {
  const accepted: [string, string[]][] = [
    ['', []],
    ['.', []],
    ['./', []],
    ['a', ['a']],
    ['a/b', ['a', 'b']],
    ['a\\b\\', ['a', 'b']],
    ['a//b\\/c///', ['a', 'b', 'c']],
    ['a/./b/.', ['a', 'b']],
    ['...', ['...']],
    ['a/..b/c..', ['a', '..b', 'c..']],
    [' a / -b', [' a ', ' -b']],
    ['目录/a=b', ['目录', 'a=b']],
    ['a/C:', ['a', 'C:']],
    ['x'.repeat(255), ['x'.repeat(255)]],
    ['é'.repeat(127), ['é'.repeat(127)]],
  ];
  for (const [text, components] of accepted) {
    it(`reads ${JSON.stringify(text).slice(0, 40)} as ${components.length} components`, () => {
      assert.deepEqual(parseDirectoryName(text), components);
    });
  }

  const refused: [string, string][] = [
    ['a parent', '..'],
    ['a parent inside', 'a/../b'],
    ['a parent between backslashes', 'a\\..\\b'],
    ['a parent at the end', 'a/..'],
    ['an absolute name', '/etc'],
    ['the root of the machine', '/'],
    ['a backslash at the start', '\\a'],
    ['a share', '\\\\server\\share'],
    ['a drive letter', 'C:\\Windows'],
    ['a drive letter in lower case', 'c:'],
    ['a drive letter behind a dot', './C:/Windows'],
    ['NUL', 'a\0b'],
    ['CR', 'a\rb'],
    ['LF', 'a/b\n'],
    ['U+FFFD', 'a\uFFFD'],
    ['half a surrogate pair', 'a\uD800'],
    ['a component of 256 bytes', 'x'.repeat(256)],
    ['a component of 256 bytes in fewer characters', 'é'.repeat(128)],
    ['129 components', 'a/'.repeat(129)],
    ['a text beyond any path', `a${'/'.repeat(65_536)}`],
  ];
  for (const [what, text] of refused) {
    it(`refuses ${what} (D26)`, () => {
      assert.throws(() => parseDirectoryName(text), isNameInvalid);
    });
  }

  it('accepts 128 components', () => {
    assert.equal(parseDirectoryName('a/'.repeat(128)).length, 128);
  });

  it('whatever the text: refuses it, or yields components that stay below the root', () => {
    const text = fc.string({ unit: fc.constantFrom('.', '/', '\\', ':', 'C', 'a', '\0', '\r', '\n', '\uFFFD', '目') });
    fc.assert(
      fc.property(fc.oneof(text, fc.string({ unit: 'binary' })), (given) => {
        try {
          for (const component of parseDirectoryName(given)) {
            assert.doesNotMatch(component, /[/\\\0\r\n\uFFFD]/);
            assert.ok(!['', '.', '..'].includes(component));
            assert.ok(given.includes(component));
          }
        } catch (error) {
          assert.ok(isNameInvalid(error));
        }
      }),
      { numRuns: 2000 },
    );
  });
});

describe('parseFileName', () => {
  for (const name of ['a', '.a', '...', '-', ' ', 'b=c.txt', '文件', '\u0001', 'C:x', 'x'.repeat(255)]) {
    it(`accepts ${JSON.stringify(name).slice(0, 40)}`, () => assert.equal(parseFileName(name), name));
  }

  for (const name of ['', '.', '..', 'a/b', 'a\\b', '/a', 'a/', 'C:', 'a\0', 'a\r', 'a\n', '\uFFFD', 'x'.repeat(256)]) {
    it(`refuses ${JSON.stringify(name).slice(0, 40)}: a FileName is a bare name (D26)`, () => {
      assert.throws(() => parseFileName(name), isNameInvalid);
    });
  }

  it('whatever the text: refuses it, or yields it unchanged and bare', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (given) => {
        try {
          assert.equal(parseFileName(given), given);
          assert.doesNotMatch(given, /[/\\\0\r\n]/);
        } catch (error) {
          assert.ok(isNameInvalid(error));
        }
      }),
    );
  });
});

describe('isStateDirectory', () => {
  it('knows the name in any case, and no other name', () => {
    for (const name of ['.sluice', '.SLUICE', '.Sluice', '.ſluice']) assert.ok(isStateDirectory(name), name);
    for (const name of ['sluice', '.sluice2', '..sluice', '.sluice ', '.sluice\n']) {
      assert.ok(!isStateDirectory(name), name);
    }
  });
});

describe('parseFilePath', () => {
  const accepted: [string, string[], string][] = [
    ['f', [], 'f'],
    ['a/b\\f', ['a', 'b'], 'f'],
    ['a//./f', ['a'], 'f'],
    ['.f', [], '.f'],
    ['a/f.', ['a'], 'f.'],
  ];
  for (const [text, directory, fileName] of accepted) {
    it(`reads ${JSON.stringify(text)} as ${fileName} in ${directory.length} directories`, () => {
      assert.deepEqual(parseFilePath(text), { directory, fileName });
    });
  }

  for (const text of [
    '',
    '.',
    '/',
    'a/',
    'a\\',
    'a/.',
    'a/..',
    '..',
    '/f',
    '\\f',
    '../f',
    'c:',
    'c:/f',
    'a\0',
    `a/${'x'.repeat(256)}`,
  ]) {
    it(`refuses ${JSON.stringify(text).slice(0, 40)}`, () => {
      assert.throws(() => parseFilePath(text), isNameInvalid);
    });
  }
});
