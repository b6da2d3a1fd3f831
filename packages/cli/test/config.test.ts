import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { serve } from '../../../packages/cli/dist/commands/serve.js';
import { configure } from '../../../packages/cli/dist/configuration/configuration.js';
import { runSluice, type SluiceResult } from './support/sluice-process.js';

class Place implements AsyncDisposable {
  readonly directory: string;

  constructor(directory: string) {
    this.directory = directory;
  }

  static async open(content = ''): Promise<Place> {
    const place = new Place(await mkdtemp(path.join(tmpdir(), 'sluice-config-')));
    await writeFile(place.file, content);
    return place;
  }

  get file(): string {
    return path.join(this.directory, 's.toml');
  }

  sluice(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<SluiceResult> {
    return runSluice(args, { cwd: this.directory, env });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.directory, { recursive: true, force: true });
  }
}

describe('the options of sluice serve', () => {
  it('come from the command line, else from the environment, else from the file, else they are the default', async () => {
    await using place = await Place.open('max-waiting = 3\n');
    fc.assert(
      fc.property(fc.boolean(), fc.boolean(), fc.boolean(), (isGiven, isInEnvironment, isInFile) => {
        const argv = [...(isGiven ? ['--max-waiting', '1'] : []), ...(isInFile ? ['--config', place.file] : [])];
        const environment = isInEnvironment ? { SLUICE_SERVE_MAX_WAITING: '2' } : {};
        const { invocation, problems, settings } = configure(serve.options, argv, environment);
        assert.deepEqual(problems, []);
        const options = invocation.options as { readonly 'max-waiting': number };
        assert.equal(options['max-waiting'], isGiven ? 1 : isInEnvironment ? 2 : isInFile ? 3 : 1024);
        const origin = settings.find(({ name }) => name === 'max-waiting')?.origin;
        const inFile = isInFile ? `${place.file}:1` : 'default';
        assert.equal(origin, isGiven ? '--max-waiting' : isInEnvironment ? 'SLUICE_SERVE_MAX_WAITING' : inFile);
      }),
    );
  });

  for (const [name, toml, variable, expected] of [
    ['listen', '"0.0.0.0:5"', '0.0.0.0:5', { host: '0.0.0.0', port: 5 }],
    ['root', '"/srv"', '/srv', '/srv'],
    ['user', '["a:b", "c:d=e,f"]', 'a:b\nc:d=e,f', ['a:b', 'c:d=e,f']],
    ['open', '["log-output"]', 'log-output', ['log-output']],
    ['max-connections', '7', '7', 7],
    ['idle-timeout', '"2m"', '2m', 120_000],
    ['idle-timeout', '1500', '1500', 1500],
    ['log-max-size', '"1MiB"', '1M', 1 << 20],
    ['durability', '"memory"', 'memory', 'memory'],
    ['tls-only', 'true', 'true', true],
    ['tls-only', 'false', 'no', false],
  ] as const) {
    it(`may be ${name} = ${toml} in a file, and ${JSON.stringify(variable)} in the environment`, async () => {
      await using place = await Place.open(`# first line\n\n${name} = ${toml}\n`);
      const variables = { [`SLUICE_SERVE_${name.toUpperCase().replaceAll('-', '_')}`]: variable };
      for (const found of [
        configure(serve.options, ['--config', place.file], {}),
        configure(serve.options, [], { SLUICE_SERVE_CONFIG: place.file }),
        configure(serve.options, [], variables),
      ]) {
        assert.deepEqual(found.problems, []);
        assert.deepEqual((found.invocation.options as Record<string, unknown>)[name], expected);
      }
    });
  }

  it('are refused with file, line, and what is accepted; the others are reported too', async () => {
    await using place = await Place.open(
      'lisen = "x"\nmax-connections = "many"\n\nidle-timeout = true\nuser = [1]\nconfig = "x"\n[tls]\nx = 1\n',
    );
    const { code, stdout, stderr } = await place.sluice(['config', 'check', '--config', 's.toml'], {
      SLUICE_SERVE_ROT: 'x',
      SLUICE_SERVE_LOG_LEVEL: 'loud',
      SLUICE_SERVE_TLS_ONLY: 'perhaps',
    });
    assert.deepEqual([code, stdout], [1, '']);
    assert.deepEqual(stderr.trimEnd().split('\n').sort(), [
      'sluice: SLUICE_SERVE_LOG_LEVEL loud cannot be used: give one of error, warn, info, debug',
      'sluice: SLUICE_SERVE_TLS_ONLY cannot be used: give true or false',
      'sluice: s.toml:1: unknown option lisen: did you mean listen?',
      'sluice: s.toml:2: max-connections many cannot be used: give 1 to 1000000',
      'sluice: s.toml:4: idle-timeout cannot be used: give a time like "6s", or milliseconds',
      'sluice: s.toml:5: user cannot be used: give a text, or a list of texts',
      'sluice: s.toml:6: unknown option config: see sluice help serve',
      'sluice: s.toml:7: unknown option tls: see sluice help serve',
      'sluice: unknown variable SLUICE_SERVE_ROT: did you mean SLUICE_SERVE_ROOT?',
    ]);
    const started = await place.sluice(['serve', '--config', 's.toml']);
    assert.equal(started.code, 2);
    assert.match(
      started.stderr,
      /^sluice: s\.toml:1: unknown option lisen: did you mean listen\? \(\d more: [^\n]*\n$/,
    );
  });

  it('are refused where the file is no TOML, with its line, and where it cannot be read', async () => {
    await using place = await Place.open('root = "x"\nmax-waiting = = 3\n');
    const broken = await place.sluice(['config', 'check', '--config', 's.toml']);
    assert.equal(broken.code, 1);
    assert.match(broken.stderr, /^sluice: s\.toml:2: is no TOML: [^\n]+\n$/);
    const missing = await place.sluice(['config', 'check', '--config', 'none.toml']);
    assert.match(missing.stderr, /none\.toml: cannot be read: no such file or directory\n$/);
  });
});

describe('sluice config', () => {
  it('shows every option with its origin, as a file that gives the same options, without passwords', async () => {
    await using place = await Place.open('user = ["ada:hidden:x"]\nlog-level = "warn"\n');
    const shown = await place.sluice(['config', 'show', '--config', 's.toml', '--max-waiting', '9']);
    assert.deepEqual([shown.code, shown.stderr], [0, '']);
    assert.ok(!shown.stdout.includes('hidden') && !shown.stdout.includes('\x1b'));
    assert.match(shown.stdout, /^user = \["ada:\*\*\*"\] +# s\.toml:1$/m);
    assert.match(shown.stdout, /^max-waiting = 9 +# --max-waiting$/m);
    assert.match(shown.stdout, /^idle-timeout = "5m" +# default$/m);
    await writeFile(place.file, shown.stdout);
    const again = configure(serve.options, ['--config', place.file], {});
    assert.deepEqual(again.problems, []);
    const direct = configure(serve.options, ['--log-level', 'warn', '--max-waiting', '9', '--user', 'ada:***'], {});
    assert.deepEqual(
      { ...again.invocation.options, config: undefined },
      { ...direct.invocation.options, config: undefined },
    );
  });

  it('checks the root, the users and the certificates, and reports all that is wrong', async () => {
    await using place = await Place.open();
    const { code, stderr } = await place.sluice([
      ...[
        'config',
        'check',
        '--root',
        'none',
        '--users',
        'none.json',
        '--tls-cert',
        'none.crt',
        '--tls-key',
        'none.key',
      ],
    ]);
    assert.equal(code, 1);
    const lines = stderr.trimEnd().split('\n');
    assert.equal(lines.length, 3);
    for (const [index, pattern] of [/root none does not exist/, /none\.json: not found/, /none\.(crt|key)/].entries())
      assert.match(lines[index]!, pattern);
    const right = await place.sluice(['config', 'check']);
    assert.deepEqual(right, { code: 0, stdout: 'nothing is wrong\n', stderr: '' });
  });

  it('refuses to do nothing, or something else', async () => {
    await using place = await Place.open();
    for (const args of [['config'], ['config', 'edit'], ['config', 'show', 'root']])
      assert.equal((await place.sluice(args)).code, 2);
  });
});

describe('the files in docs/deploy', () => {
  const deploy = fileURLToPath(new URL('../../../docs/deploy/', import.meta.url));

  it('have options that exist, and leave a stop more time than running transfers get', async () => {
    const { problems, invocation } = configure(serve.options, ['--config', path.join(deploy, 'sluice.toml')], {});
    assert.deepEqual(problems, []);
    const unit = await readFile(path.join(deploy, 'sluice.service'), 'utf8');
    const [, line = ''] = /^ExecStart=\S+ sluice serve (.*)$/m.exec(unit) ?? [];
    assert.deepEqual(line.split(' '), ['--config', '/etc/sluice/sluice.toml']);
    const [, stopSeconds] = /^TimeoutStopSec=(\d+)s$/m.exec(unit) ?? [];
    const { 'drain-timeout': drainMs } = invocation.options as { readonly 'drain-timeout': number };
    assert.ok(Number(stopSeconds) * 1000 > drainMs);
    assert.match(unit, /^ExecReload=\/bin\/kill -HUP \$MAINPID$/m);
  });
});
