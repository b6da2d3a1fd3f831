import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { lineOfSyntaxError } from '../../../../packages/server/dist/users/json-lines.js';

describe('The line in which a text stops being JSON', () => {
  for (const [title, line, lines] of [
    ['a word without quotes', 3, ['{', ' "users": [', '  { "name": ada },', '  {}', ' ]', '}']],
    ['a comma too many', 3, ['{', ' "users": [', '  { "name": "ada", }', ' ]', '}']],
    ['a comma too few', 4, ['{', ' "users": [', '  { "name": "ada" }', '  { "name": "bob" }', ' ]', '}']],
    ['a key without its value', 2, ['{', ' "users" }', '']],
    ['a string that does not end in its line', 2, ['{', ' "users', '": []', '}']],
    ['a number with a zero in front', 2, ['{', ' "users": 01', '}']],
    ['a bracket that closes another', 3, ['[', ' {', ' ],', ' {}', ']']],
    ['something behind the end', 3, ['{', '}', '{', '}']],
    ['an end that is missing: the last line', 3, ['{', ' "users": [', '  {}', '', '']],
    ['nothing at all', 1, ['']],
  ] as const) {
    it(`${title}`, () => {
      const text = lines.join('\n');
      assert.throws(() => JSON.parse(text), SyntaxError);
      assert.equal(lineOfSyntaxError(text), line);
    });
  }

  it('is that of any character that may not be there', () => {
    fc.assert(
      fc.property(fc.json(), fc.nat(), (json, choice) => {
        const lines = JSON.stringify([JSON.parse(json), 0], undefined, 1).split('\n');
        const index = choice % lines.length;
        lines[index] = `${lines[index]}?`;
        assert.equal(lineOfSyntaxError(lines.join('\n')), index + 1);
      }),
    );
  });

  it('is never that of what is JSON: of its beginning, it is the last one', () => {
    fc.assert(
      fc.property(fc.json(), fc.nat(), (json, choice) => {
        const text = JSON.stringify([JSON.parse(json)], undefined, 1);
        const beginning = text.slice(0, choice % text.length).trimEnd();
        assert.equal(lineOfSyntaxError(beginning), beginning.split('\n').length);
      }),
    );
  });
});
