import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  displayWidth,
  escapeControls,
  padColumns,
  shortenMiddle,
  truncate,
  wrapColumns,
} from '../../../packages/cli/dist/terminal/terminal-text.js';

describe('terminal text', () => {
  it('escapes whatever could move the cursor, colour, or turn the direction', () => {
    assert.equal(escapeControls('a\x1b[2Jb'), 'a\\e[2Jb');
    assert.equal(escapeControls('a\nb\rc\td\0\x07\x7f'), 'a\\nb\\rc\\td\\x00\\x07\\x7f');
    assert.equal(escapeControls('\x9b31m\u202egpj.exe\u2028'), '\\x9b31m\\u202egpj.exe\\u2028');
  });

  it('leaves every other name as it is', () => {
    for (const name of ['plain name=1', 'Grüße', '漢字', '🦊.txt', 'a\\b']) assert.equal(escapeControls(name), name);
  });

  it('counts columns: wide characters two, combining marks none', () => {
    const widths = ['abc', 'Grüße', 'u\u0308', '漢字', 'ｆ', '한글', '🦊', '👩‍👩‍👧', ''].map(displayWidth);
    assert.deepEqual(widths, [3, 5, 1, 4, 2, 4, 2, 2, 0]);
  });

  it('shortens in the middle and never exceeds the width', () => {
    assert.equal(shortenMiddle('abcdefghij.txt', 9), 'abcd….txt');
    assert.equal(shortenMiddle('short', 9), 'short');
    for (const text of ['漢字かな交じりの長い名前', 'abcdefghijklmno', '🦊🦊🦊🦊🦊🦊🦊🦊']) {
      for (let width = 0; width < 16; width++) assert.ok(displayWidth(shortenMiddle(text, width)) <= width);
    }
  });

  it('cuts and pads by columns', () => {
    assert.equal(truncate('漢字', 3), '漢');
    assert.equal(padColumns('漢', 4), '漢  ');
  });

  it('wraps at spaces', () => {
    assert.deepEqual(wrapColumns('one two three four', 9), ['one two', 'three', 'four']);
    assert.deepEqual(wrapColumns('a verylongword b', 5), ['a', 'verylongword', 'b']);
  });
});
