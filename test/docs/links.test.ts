import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, it } from 'node:test';
import { REPOSITORY } from './markdown.js';

describe('links between the pages', () => {
  it('lead to files and headings that exist', async () => {
    const broken: string[] = [];
    for (const file of await pages()) {
      const text = withoutFences(await readFile(file, 'utf8'));
      for (const [, target = ''] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
        if (/^[a-z]+:/.test(target)) continue; // another site
        if (!(await exists(file, target))) broken.push(`${path.relative(REPOSITORY, file)}: ${target}`);
      }
    }
    assert.deepEqual(broken, []);
  });
});

async function pages(): Promise<string[]> {
  const docs = (await readdir(path.join(REPOSITORY, 'docs'))).map((name) => path.join('docs', name));
  return ['README.md', 'CHANGELOG.md', ...docs]
    .filter((name) => name.endsWith('.md'))
    .map((name) => path.join(REPOSITORY, name))
    .filter((file) => existsSync(file));
}

async function exists(from: string, target: string): Promise<boolean> {
  const [name = '', anchor] = target.split('#');
  const file = name === '' ? from : path.resolve(path.dirname(from), name);
  if (!existsSync(file)) return false;
  return anchor === undefined || anchorsOf(await readFile(file, 'utf8')).has(anchor);
}

/** The anchors that GitHub makes of the headings. */
function anchorsOf(page: string): Set<string> {
  const headings = withoutFences(page).matchAll(/^#+ (.*)$/gm);
  return new Set(
    Array.from(headings, ([, heading = '']) =>
      heading
        .toLowerCase()
        .replace(/[^\p{Letter}\p{Number} _-]/gu, '')
        .replaceAll(' ', '-'),
    ),
  );
}

function withoutFences(page: string): string {
  return page.replace(/^```.*?^```$/gms, '');
}
