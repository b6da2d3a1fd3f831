import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { CommandError } from '../../../packages/cli/dist/command-error.js';
import { addressText, parseAddress } from '../../../packages/cli/dist/options/address.js';
import { parseOptions } from '../../../packages/cli/dist/options/option-parser.js';
import type { OptionTable } from '../../../packages/cli/dist/options/option-table.js';
import { nearestName } from '../../../packages/cli/dist/options/suggestion.js';

const table = {
  recursive: { kind: 'flag', short: 'r', summary: '' },
  long: { kind: 'flag', short: 'l', summary: '' },
  root: { kind: 'string', placeholder: 'DIR', default: './files', summary: '' },
  file: { kind: 'string', placeholder: 'FILE', summary: '' },
  user: { kind: 'string', placeholder: 'NAME', repeatable: true, summary: '' },
  parallel: { kind: 'integer', short: 'p', placeholder: 'N', min: 1, max: 64, default: 4, summary: '' },
  timeout: { kind: 'duration', placeholder: 'TIME', min: 1, max: 86_400_000, default: 6000, summary: '' },
  limit: { kind: 'bytes', placeholder: 'SIZE', min: 0, max: 2 ** 40, default: 65_536, summary: '' },
  level: { kind: 'choice', placeholder: 'LEVEL', choices: ['low', 'high'], default: 'low', summary: '' },
  open: { kind: 'choices', placeholder: 'DOOR', choices: ['front', 'back'], summary: '' },
  listen: { kind: 'address', placeholder: 'HOST:PORT', default: '127.0.0.1:9999', summary: '' },
} as const satisfies OptionTable;

describe('option parser', () => {
  it('fills in every default', () => {
    const { options, operands, given } = parseOptions(table, []);
    assert.deepEqual(options, {
      recursive: false,
      long: false,
      root: './files',
      file: undefined,
      user: [],
      parallel: 4,
      timeout: 6000,
      limit: 65_536,
      level: 'low',
      open: [],
      listen: { host: '127.0.0.1', port: 9999 },
    });
    assert.deepEqual([operands, given], [[], new Set()]);
  });

  it('converts every kind of value', () => {
    const argv =
      '-rl -p8 --timeout=5m --limit 1MiB --level high --listen [::1]:0 --user a --user b --root=-x --open back --open front --open back'.split(
        ' ',
      );
    const { options } = parseOptions(table, argv);
    assert.deepEqual(options, {
      recursive: true,
      long: true,
      root: '-x',
      file: undefined,
      user: ['a', 'b'],
      parallel: 8,
      timeout: 300_000,
      limit: 1_048_576,
      level: 'high',
      open: ['back', 'front'],
      listen: { host: '::1', port: 0 },
    });
  });

  it('takes operands between options, a single dash, and everything behind --', () => {
    const { operands, options } = parseOptions(table, ['a', '-r', '-', 'b', '--', '-l', '--x']);
    assert.deepEqual([operands, options.long], [['a', '-', 'b', '-l', '--x'], false]);
  });

  it('tells a default from the same value given', () => {
    assert.deepEqual(parseOptions(table, ['--root', './files']).given, new Set(['root']));
  });

  const mistakes: readonly [string, readonly string[], RegExp][] = [
    ['an unknown option', ['--nothing-like-it'], /^unknown option --nothing-like-it: see --help/],
    ['a misspelt option', ['--paralel', '3'], /^unknown option --paralel: did you mean --parallel\?$/],
    ['an unknown letter', ['-rx'], /^unknown option -x/],
    ['a name that every object has', ['--constructor'], /^unknown option --constructor/],
    ['a missing value', ['--root'], /^--root needs a value: --root DIR$/],
    [
      'an option in the place of a value',
      ['--root', '--level'],
      /^--root needs a value: --root DIR, or --root=--level$/,
    ],
    ['a flag with a value', ['--recursive=yes'], /^--recursive takes no value/],
    ['a number out of range', ['--parallel', '65'], /^--parallel 65 cannot be used: give 1 to 64$/],
    ['what is no number', ['--parallel', '4x'], /^--parallel 4x cannot be used/],
    ['an empty value', ['--parallel='], /^--parallel "" cannot be used/],
    ['a duration that is none', ['--timeout', 'soon'], /give 1ms to 1d, like 1500 \(ms\), 6s or 5m$/],
    ['an unknown choice', ['--level', 'mid'], /^--level mid cannot be used: give one of low, high$/],
    [
      'an unknown choice of several',
      ['--open', 'back', '--open', 'side'],
      /^--open side cannot be used: give one of front, back$/,
    ],
    ['a port that is none', ['--listen', 'localhost:70000'], /give HOST:PORT/],
  ];
  for (const [what, argv, message] of mistakes) {
    it(`refuses ${what} in one line`, () => {
      assert.throws(
        () => parseOptions(table, argv),
        (error) => error instanceof CommandError && error.exitCode === 2 && message.test(error.message),
      );
    });
  }

  it('reads addresses of both families, and writes them back', () => {
    for (const text of ['127.0.0.1:9999', '[::1]:0', '[fe80::1%eth0]:65535', 'files.example:1']) {
      const address = parseAddress(text);
      assert.ok(address);
      assert.equal(addressText(address), text);
    }
    for (const text of ['', ':1', 'host', 'host:', 'host:x', '::1:9999', '[::1]', 'a b:1', 'host:65536']) {
      assert.equal(parseAddress(text), undefined, text);
    }
  });

  it('suggests a name only when it is close', () => {
    const names = ['serve', 'put', 'get', 'mkdir'];
    const suggested = ['serv', 'sevre', 'pu', 'gte', 'mkdri', 'upload', ''].map((name) => nearestName(name, names));
    assert.deepEqual(suggested, ['serve', 'serve', 'put', 'get', 'mkdir', undefined, undefined]);
  });
});
