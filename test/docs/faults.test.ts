import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';
import { REPOSITORY, readPage, sectionOf, tableOf } from './markdown.js';

/** The faults of the original, specification 14. */
const FAULTS = [
  ...Array.from({ length: 48 }, (_, index) => `D${index + 1}`),
  ...Array.from({ length: 9 }, (_, index) => `C${index + 1}`),
];

/** What is written in quotes in the tests: titles, of single tests and in tables. */
function titles(): string {
  const files = ['packages', 'test'].flatMap((folder) =>
    readdirSync(path.join(REPOSITORY, folder), { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.test.ts') && !file.includes('node_modules'))
      .map((file) => path.join(REPOSITORY, folder, file)),
  );
  return files.flatMap((file) => readFileSync(file, 'utf8').match(/'[^'\n]*'|`[^`\n]*`/g) ?? []).join('\n');
}

describe('the faults of the original (specification 14)', () => {
  it('are all in the table of docs/protocol.md, with what Sluice does instead', async () => {
    const section = sectionOf(await readPage('docs/protocol.md'), '14. Faults of the original, and what Sluice does');
    const named = tableOf(section).flatMap(([cell = '']) => idsIn(cell));
    assert.deepEqual(
      FAULTS.filter((id) => !named.includes(id)),
      [],
    );
  });

  it('each have a test whose title names them', () => {
    const found = new Set(titles().match(/\b[DC][1-9][0-9]?\b/g));
    assert.deepEqual(
      FAULTS.filter((id) => !found.has(id)),
      [],
    );
  });
});

/** `D7, D8` names two, `D38 to D42` five. */
function idsIn(cell: string): string[] {
  const ranges = [...cell.matchAll(/([DC])(\d+) to [DC](\d+)/g)].flatMap(([, letter, first, last]) =>
    Array.from({ length: Number(last) - Number(first) + 1 }, (_, index) => `${letter}${Number(first) + index}`),
  );
  return [...ranges, ...(cell.match(/[DC]\d+/g) ?? [])];
}
