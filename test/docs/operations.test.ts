import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { before, describe, it } from 'node:test';
import { commands, defaultText, isRepeatable, type Option, optionSyntax } from '@sluice/cli';
import { LOG_LEVELS } from '@sluice/server';
import { plain, REPOSITORY, readPage, sectionOf, tableOf } from './markdown.js';

let page = '';

describe('docs/operations.md', () => {
  before(async () => {
    page = await readPage('docs/operations.md');
  });

  it('has a section for every command, in the order of the help', () => {
    const headings = [...sectionOf(page, 'Options').matchAll(/^### sluice ([\w-]+)$/gm)].map(([, name]) => name);
    assert.deepEqual(
      headings,
      commands.map(({ name }) => name),
    );
  });

  for (const command of commands) {
    it(`lists the options of ${command.name} with their defaults, as the program has them`, () => {
      const section = sectionOf(page, `sluice ${command.name}`);
      assert.ok(section.includes(`${command.summary}: \`sluice ${command.name} [options]`), 'summary');
      assert.ok(section.includes(command.usage), 'usage');
      const listed = tableOf(section).map((cells) => cells.map(plain));
      assert.deepEqual(
        listed,
        Object.entries(command.options).map(([name, option]) => optionRow(name, option)),
      );
    });
  }

  it('lists the environment variables that the command reads', async () => {
    const source = await readSource('cli/src/environment.ts');
    const [, names = ''] = /const \{ (.*) \} =\s+process\.env/.exec(source) ?? [];
    const listed = tableOf(sectionOf(page, 'Environment')).map(([name = '']) => plain(name));
    assert.deepEqual(listed, names.split(', '));
  });

  it('lists the exit codes', async () => {
    const source = await readSource('cli/src/exit-code.ts');
    const codes = [...source.matchAll(/^ {2}\w+: (\d+),$/gm)].map(([, code]) => Number(code));
    assert.ok(codes.length >= 7);
    const listed = tableOf(sectionOf(page, 'Exit codes')).map(([code]) => Number(code));
    assert.deepEqual(listed, codes);
  });

  it('lists every line that the server logs, at its level', async () => {
    const logged = new Set<string>();
    for (const source of await sourcesBelow('server/src')) {
      for (const [, level, event] of source.matchAll(/[lL]og\.(error|warn|info|debug)\('([^']+)'/g)) {
        logged.add(`${level}: ${event}`);
      }
      for (const [, event] of source.matchAll(/#drop\('([^']+)'\)/g)) logged.add(`info: ${event}`);
    }
    const listed = tableOf(sectionOf(page, 'Log')).map(([level, event = '']) => `${level}: ${plain(event)}`);
    assert.deepEqual([...listed].sort(), [...logged].sort());
    for (const line of listed) assert.ok(LOG_LEVELS.some((level) => line.startsWith(`${level}: `)));
  });

  it('lists every reason for which a connection is closed', async () => {
    const reasons = new Set<string>();
    for (const source of [...(await sourcesBelow('core/src')), ...(await sourcesBelow('server/src'))]) {
      for (const [, reason = ''] of source.matchAll(/\.(?:close|destroy)\('([a-z-]+)'/g)) reasons.add(reason);
      const [union = ''] = /^export type CloseReason =[^;]*;/m.exec(source) ?? [];
      for (const [, reason = ''] of union.matchAll(/'([a-z-]+)'/g)) reasons.add(reason);
      for (const [, reason = ''] of source.matchAll(/^ +return '([a-z]+(?:-[a-z]+)+)';$/gm)) reasons.add(reason);
    }
    const log = sectionOf(page, 'Log');
    const listed = tableOf(log.slice(log.indexOf('| reason'))).flatMap(([names = '']) => names.split(', ').map(plain));
    assert.ok(reasons.size >= 13, [...reasons].join(' '));
    assert.deepEqual([...listed].sort(), [...reasons].sort());
  });
});

function optionRow(name: string, option: Option): string[] {
  const repeatable = isRepeatable(option) ? '; may be repeated' : '';
  return [optionSyntax(name, option).trim(), defaultText(option) ?? '', `${option.summary}${repeatable}`];
}

function readSource(name: string): Promise<string> {
  return readFile(path.join(REPOSITORY, 'packages', name), 'utf8');
}

async function sourcesBelow(name: string): Promise<string[]> {
  const directory = path.join(REPOSITORY, 'packages', name);
  const entries = await readdir(directory, { recursive: true });
  const files = entries.filter((entry) => entry.endsWith('.ts'));
  return Promise.all(files.map((file) => readFile(path.join(directory, file), 'utf8')));
}
