import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { commands, defaultText, optionSyntax } from '@sluice/cli';
import { commandText, overviewText } from '../../../packages/cli/dist/help.js';
import { parseOptions } from '../../../packages/cli/dist/options/option-parser.js';
import { displayWidth } from '../../../packages/cli/dist/terminal/terminal-text.js';
import { runSluice, SLUICE_PATH } from './support/sluice-process.js';

describe('sluice', () => {
  it('prints its version', async () => {
    const { version } = JSON.parse(readFileSync(new URL('../package.json', `file://${SLUICE_PATH}`), 'utf8'));
    assert.deepEqual(await runSluice(['--version']), { code: 0, stdout: `sluice ${version}\n`, stderr: '' });
  });

  it('prints the overview when asked, and as an error when nothing is asked', async () => {
    const asked = await runSluice(['--help']);
    assert.equal(asked.code, 0);
    for (const { name, summary } of commands) assert.match(asked.stdout, new RegExp(`^ +${name} +${summary}$`, 'm'));
    assert.deepEqual(await runSluice([]), { code: 2, stdout: '', stderr: asked.stdout });
    assert.equal((await runSluice(['help'])).stdout, asked.stdout);
  });

  it('prints the same help of a command in both ways', async () => {
    const results = await Promise.all([
      runSluice(['help', 'put']),
      runSluice(['put', '--help']),
      runSluice(['put', '-h', 'x']),
    ]);
    for (const result of results) assert.deepEqual(result, results[0]);
    assert.match(results[0].stdout, /^Usage: sluice put \[options\] SOURCE\.\.\. \[TARGET\]\n/);
  });

  const mistakes: readonly [string, readonly string[], string][] = [
    ['an unknown command', ['frobnicate'], 'sluice: unknown command frobnicate: sluice --help lists what there is\n'],
    ['a misspelt command', ['gte'], 'sluice: unknown command gte: did you mean get?\n'],
    ['a misspelt command of help', ['help', 'mkdri'], 'sluice: unknown command mkdri: did you mean mkdir?\n'],
    [
      'an unknown option in the place of a command',
      ['--versio'],
      'sluice: unknown option --versio: did you mean --version?\n',
    ],
    ['an unknown option', ['put', '--recursiv', 'x'], 'sluice: unknown option --recursiv: did you mean --recursive?\n'],
    [
      'a name with control characters',
      ['a\x1b[2Jb\n'],
      'sluice: unknown command a\\e[2Jb\\n: sluice --help lists what there is\n',
    ],
    [
      'a URL in the place of a value',
      ['put', '-p', 'sluice://me:p@ss@host/', 'x'],
      'sluice: --parallel sluice://me:***@host/ cannot be used: give 1 to 64\n',
    ],
    [
      'a URL in the place of a command',
      ['sluice://me:pass@host/'],
      'sluice: unknown command sluice://me:***@host/: sluice --help lists what there is\n',
    ],
  ];
  for (const [what, argv, stderr] of mistakes) {
    it(`answers ${what} with one line and exit code 2`, async () => {
      assert.deepEqual(await runSluice(argv), { code: 2, stdout: '', stderr });
    });
  }

  it('can parse every default of every table as if it were given', () => {
    for (const { name, options } of commands) {
      for (const [option, definition] of Object.entries(options)) {
        const text = defaultText(definition);
        if (text === undefined) continue;
        const parsed = parseOptions(options, [`--${option}=${text}`]).options;
        assert.deepEqual(parsed, parseOptions(options, []).options, `${name} ${optionSyntax(option, definition)}`);
      }
    }
  });

  it('wraps its help to the terminal, and never wider than 100 columns', () => {
    // commands to copy, which are not broken
    const examples = new Set(commands.flatMap((command) => command.examples.map(({ line }) => line)));
    for (const columns of [40, 60, 80, 100, 300]) {
      const texts = [overviewText(commands, columns), ...commands.map((command) => commandText(command, columns))];
      for (const text of texts) {
        for (const line of text.split('\n').filter((each) => !examples.has(each.trim()))) {
          assert.ok(displayWidth(line) <= Math.min(columns, 100), `${columns}: ${line}`);
        }
      }
    }
  });
});
