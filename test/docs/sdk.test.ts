import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { before, describe, it } from 'node:test';
import { promisify } from 'node:util';
import { CompiledExamples } from './compiled-examples.js';
import { REPOSITORY, readPage } from './markdown.js';
import { TemporaryServer } from './temporary-server.js';

const run = promisify(execFile);
const MARKER = '<!-- made by scripts/sdk-reference.mjs from the docstrings: do not edit below -->\n';
const BACKUP_BYTES = 5 << 20;

/** What each example prints, when they are run in the order of the page. */
const OUTPUTS: Readonly<Record<string, string>> = {
  'connect.ts': 'directory 2026 \n',
  'using.ts': 'closed\n',
  'upload.ts': `${BACKUP_BYTES} bytes, ${BACKUP_BYTES} sent, 0 were there: durable\n`,
  'streams.ts': '',
  'verify.ts': `${BACKUP_BYTES} bytes, 0 chunks damaged, as here: true\nfile backup.tar ${BACKUP_BYTES}\ndirectory 2026 \n`,
  'remote-file.ts': 'CCDD 50 64\n32\n',
  'errors.ts': 'ERR_REMOTE 9 false\n',
  'abort.ts': 'Error: no time\n',
  'trees.ts': '2 files, 0 failed\n',
  'speed.ts': 'flood, 2 streams, as granted: 0.3 s\n',
};

let page = '';

describe('docs/sdk.md', () => {
  before(async () => {
    page = await readPage('docs/sdk.md');
  });

  it('has the reference that the script makes: node scripts/sdk-reference.mjs --write', async () => {
    const { stdout } = await run(process.execPath, [path.join(REPOSITORY, 'scripts/sdk-reference.mjs')]);
    const [, reference] = page.split(MARKER);
    assert.equal(reference, stdout);
  });

  it('leaves nothing private in the reference', () => {
    assert.doesNotMatch(page, /#private|@internal|constructor\(endpoint/);
  });

  it('has examples that compile, run, and do what they say', async () => {
    await using server = await TemporaryServer.start();
    await using examples = await CompiledExamples.of(page);
    assert.deepEqual([...examples.names], Object.keys(OUTPUTS));
    const cwd = await mkdtemp(path.join(os.tmpdir(), 'sluice-docs-'));
    try {
      await writeFile(path.join(cwd, 'backup.tar'), new Uint8Array(BACKUP_BYTES).fill(7));
      await mkdir(path.join(cwd, 'photos', '2026'), { recursive: true });
      for (const name of ['a.jpg', '2026/b.jpg']) await writeFile(path.join(cwd, 'photos', name), name);
      for (const name of examples.names) {
        const env = { ...process.env, SLUICE_URL: server.url };
        const { stdout } = await run(process.execPath, [examples.file(name)], { cwd, env });
        assert.equal(stdout, OUTPUTS[name], name);
      }
      for (const name of ['lines.txt', 'copy.txt']) {
        assert.equal(await readFile(path.join(cwd, name), 'utf8'), 'one\ntwo\n', name);
      }
    } finally {
      await rm(cwd, { recursive: true, force: true });
    }
  });
});
