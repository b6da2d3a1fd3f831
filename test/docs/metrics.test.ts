import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import http from 'node:http';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { after, before, describe, it } from 'node:test';
import { CertificateFolder, issueForTest } from '@sluice/testkit';
import { Scratch, ServeCommand } from '../end-to-end/support/command.js';
import { plain, REPOSITORY, readPage, sectionOf, tableOf } from './markdown.js';

interface Told {
  readonly type: string;
  readonly help: string;
}

interface Panel {
  readonly id: number;
  readonly title: string;
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly targets: readonly { readonly expr: string }[];
}

/** What a server tells that has all there is: workers, certificates, a memory limit. */
const families = new Map<string, Told>();
/** Labels of each name, where there is a sample. */
const labels = new Map<string, Set<string>>();
let scratch: Scratch;
let folder: CertificateFolder;

before(async () => {
  scratch = await Scratch.make();
  folder = await CertificateFolder.make();
  const { certFile, keyFile } = await folder.store('server', issueForTest());
  const tls = ['--tls-cert', certFile, '--tls-key', keyFile];
  await using server = await ServeCommand.start(scratch.folder, ['--http', '127.0.0.1:0', '--workers', '2', ...tls]);
  const [, port = ''] = await server.command.output(/^dashboard on https:\/\/127\.0\.0\.1:(\d+)\/$/m);
  const told = await new Promise<string>((resolve, reject) => {
    http
      .get(`http://127.0.0.1:${port}/metrics`, (response) => text(response).then(resolve, reject))
      .on('error', reject);
  });
  for (const [, name = '', help = '', type = ''] of told.matchAll(/^# HELP (\S+) (.*)\n# TYPE \1 (\S+)$/gm))
    families.set(name, { help, type });
  for (const [, name = '', pairs = ''] of told.matchAll(/^(\w+)\{(.*)\} /gm)) {
    const known = labels.get(name) ?? new Set();
    for (const [, label = ''] of pairs.matchAll(/(\w+)="/g)) known.add(label);
    labels.set(name, known);
  }
});

after(async () => {
  await scratch[Symbol.asyncDispose]();
  await folder[Symbol.asyncDispose]();
});

describe('docs/grafana-dashboard.json', () => {
  it('asks only for what a server tells, and shows each of it somewhere', async () => {
    const { panels } = JSON.parse(await read('docs/grafana-dashboard.json')) as { panels: Panel[] };
    for (const { title, targets } of panels) {
      for (const { expr } of targets) {
        checkExpression(expr, title);
        assert.match(expr, /job=~"\$job",instance=~"\$instance"/, title);
      }
    }
  });

  it('has panels that do not cover each other, each with an id and a title of its own', async () => {
    const { panels } = JSON.parse(await read('docs/grafana-dashboard.json')) as { panels: Panel[] };
    assert.equal(new Set(panels.map(({ id }) => id)).size, panels.length);
    assert.equal(new Set(panels.map(({ title }) => title)).size, panels.length);
    const taken = new Set<string>();
    for (const { title, gridPos } of panels) {
      assert.ok(gridPos.x + gridPos.w <= 24, title);
      for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++) {
        for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
          assert.ok(!taken.has(`${x} ${y}`), `${title} covers another panel`);
          taken.add(`${x} ${y}`);
        }
      }
    }
  });
});

describe('docs/alerts.yml', () => {
  it('asks only for what a server tells, and says of each alert what it is and how bad', async () => {
    const rules = (await read('docs/alerts.yml')).split(/^ {6}- alert: /m).slice(1);
    assert.ok(rules.length > 10);
    const names = rules.map((rule) => rule.split('\n', 1)[0]);
    assert.equal(new Set(names).size, rules.length);
    for (const rule of rules) {
      const [, expr = ''] = /^ {8}expr: (.+)$/m.exec(rule) ?? [];
      checkExpression(expr, rule.split('\n', 1)[0]!);
      assert.match(rule, /^ {10}severity: (?:info|warning|critical)$/m);
      assert.match(rule, /^ {10}summary: ".+"$/m);
    }
  });
});

describe('docs/http.md', () => {
  it('has every metric, with its type and what it is', async () => {
    const rows = tableOf(sectionOf(await readPage('docs/http.md'), 'Metrics')).map(([name = '', type, help]) => [
      plain(name),
      type,
      help,
    ]);
    const told = [...families].map(([name, { type, help }]) => [name, type, help]);
    assert.deepEqual(rows.sort(), told.sort());
  });
});

/** An expression of PromQL: its names are told, with the labels that it uses, and its brackets are whole. */
function checkExpression(expr: string, where: string): void {
  assert.notEqual(expr, '', where);
  let depth = 0;
  for (const character of expr.replaceAll(/"[^"]*"/g, '""')) {
    if ('([{'.includes(character)) depth += 1;
    if (')]}'.includes(character)) depth -= 1;
    assert.ok(depth >= 0, `${where}: ${expr}`);
  }
  assert.equal(depth, 0, `${where}: ${expr}`);
  const names = [...expr.replaceAll(/"[^"]*"/g, '""').matchAll(/\bsluice_\w+/g)].map(([name]) => name);
  const grouped = [...expr.matchAll(/\bby \(([^)]*)\)/g)].flatMap(([, list = '']) => list.split(', '));
  const used = new Set(grouped.filter((label) => !['instance', 'job', 'le'].includes(label)));
  for (const name of names) {
    const histogram = families.get(name.replace(/_(?:bucket|count|sum)$/, ''));
    const type = families.get(name)?.type ?? (histogram?.type === 'histogram' ? 'histogram' : undefined);
    assert.ok(type, `${where}: no server tells ${name}`);
    if (type !== 'gauge') assert.match(expr, /\b(?:rate|increase)\(/, `${where}: ${name} only grows`);
    const known = labels.get(name);
    if (known) for (const label of used) assert.ok(known.has(label), `${where}: ${name} has no label ${label}`);
  }
}

function read(name: string): Promise<string> {
  return readFile(path.join(REPOSITORY, name), 'utf8');
}
