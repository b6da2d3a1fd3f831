import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, it } from 'node:test';
import { runSluice } from './support/sluice-process.js';

const URL_OF_NOBODY = 'http://127.0.0.1:1/hook';

describe('options of hooks', () => {
  for (const [what, args, exitCode, message] of [
    ['a webhook without a secret', ['--webhook', URL_OF_NOBODY], 2, /--webhook needs --webhook-secret/],
    ['a secret without a webhook', ['--webhook-secret', 'short'], 2, /--webhook-secret needs --webhook/],
    [
      'an address of another kind',
      ['--webhook', 'ftp://x/', '--webhook-secret', 'short'],
      2,
      /http:\/\/ or https:\/\//,
    ],
    ['events that nobody is told', ['--hook-event', 'after-commit'], 2, /--hook-event needs --hook or --webhook/],
    [
      'a secret that is missing',
      ['--webhook', URL_OF_NOBODY, '--webhook-secret', 'none'],
      1,
      /cannot read the secret none: ENOENT/,
    ],
    [
      'a secret that is too short',
      ['--webhook', URL_OF_NOBODY, '--webhook-secret', 'short'],
      1,
      /shorter than 16 bytes/,
    ],
  ] as const) {
    it(`says in one line what is wrong with ${what}`, async () => {
      const folder = await mkdtemp(path.join(tmpdir(), 'sluice-hooks-'));
      try {
        await writeFile(path.join(folder, 'short'), 'too short');
        const result = await runSluice(['serve', '--listen', '127.0.0.1:0', ...args], { cwd: folder });
        assert.equal(result.code, exitCode);
        assert.match(result.stderr, message);
        assert.equal(result.stdout, '');
      } finally {
        await rm(folder, { recursive: true, force: true });
      }
    });
  }
});
