import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { describe, it } from 'node:test';
import { SLUICE_PATH } from './support/sluice-process.js';
import { Workplace } from './support/workplace.js';

describe('sluice on a terminal', () => {
  it('draws progress in colour, takes it away, and leaves the results', async () => {
    await using place = await Workplace.open();
    await writeFile(place.local('a.bin'), randomBytes(300_000));
    place.server.faults.stallAfterReceivedBytes = 100_000;
    await using terminal = new Terminal(place, ['put', 'a.bin']);
    await terminal.until(/a\.bin .*━.* \d+% .*KiB/);
    place.server.faults.stallAfterReceivedBytes = undefined;
    place.server.cutAll();
    await terminal.until(/link broken, trying again in 1 s \(attempt 2\)/);
    assert.equal(await terminal.exit(), 0);
    assert.ok(terminal.output.startsWith('\x1b[?25l'), 'the cursor is hidden');
    assert.ok(terminal.output.includes('\x1b[32m'));
    assert.match(afterDrawing(terminal.output), /^a\.bin {2}293 KiB {2}.*\r\n$/);
  });

  it('draws without colours where NO_COLOR is set', async () => {
    await using place = await Workplace.open();
    await writeFile(place.local('a.bin'), randomBytes(300_000));
    place.server.faults.stallAfterReceivedBytes = 100_000;
    await using terminal = new Terminal(place, ['put', 'a.bin'], { NO_COLOR: '1' });
    await terminal.until(/a\.bin .*━/);
    terminal.type('\x03');
    assert.equal(await terminal.exit(), 130);
    assert.ok(!/\x1b\[\d+m/.test(terminal.output));
  });

  it('gives the cursor back when Ctrl-C ends it', async () => {
    await using place = await Workplace.open();
    await writeFile(place.local('a.bin'), randomBytes(300_000));
    place.server.faults.stallAfterReceivedBytes = 100_000;
    await using terminal = new Terminal(place, ['put', 'a.bin']);
    await terminal.until(/a\.bin .*━/);
    terminal.type('\x03');
    assert.equal(await terminal.exit(), 130);
    assert.match(afterDrawing(terminal.output), /^sluice: interrupted: .*\r\n$/);
  });

  it('draws nothing with --quiet, and nothing on a terminal that cannot move its cursor', async () => {
    await using place = await Workplace.open();
    await writeFile(place.local('a.bin'), randomBytes(300_000));
    await using quiet = new Terminal(place, ['put', 'a.bin', '--quiet']);
    assert.equal(await quiet.exit(), 0);
    assert.equal(quiet.output, '');
    await using dumb = new Terminal(place, ['put', 'a.bin'], { TERM: 'dumb' });
    assert.equal(await dumb.exit(), 0);
    assert.match(dumb.output, /^a\.bin {2}293 KiB.*\r\n$/);
  });

  it('sums up several files', async () => {
    await using place = await Workplace.open();
    for (const name of ['a', 'b']) await writeFile(place.local(name), name);
    await using terminal = new Terminal(place, ['put', 'a', 'b', ':']);
    assert.equal(await terminal.exit(), 0);
    assert.match(terminal.output, /2 files, 2 B in \d\.\d s\r\n$/);
  });

  it('asks for a missing password without showing it, also while standard input is the source', async () => {
    await using place = await Workplace.open();
    const url = place.server.url.replace(':admin@', '@');
    await using terminal = new Terminal(place, ['put', '-', ':piped'], { SLUICE_URL: url }, 'echo hello |');
    await terminal.until(/Password for admin at 127\.0\.0\.1: $/);
    terminal.type('admxx\x7f\x7fin\r');
    assert.equal(await terminal.exit(), 0, terminal.output);
    assert.ok(!terminal.output.includes('adm\x08') && !terminal.output.includes('admxx'));
    assert.equal(await readFile(place.served('piped'), 'utf8'), 'hello\n');
  });

  it('takes Ctrl-C at the question for the password', async () => {
    await using place = await Workplace.open();
    const url = place.server.url.replace(':admin@', '@');
    await using terminal = new Terminal(place, ['ls'], { SLUICE_URL: url });
    await terminal.until(/Password for .*: $/);
    terminal.type('\x03');
    assert.equal(await terminal.exit(), 130);
  });
});

/** What stays on the screen once the progress is gone. */
function afterDrawing(output: string): string {
  assert.equal(output.split('\x1b[?25h').length, 2, 'the cursor is given back once');
  // results and errors are written above the drawing, and behind it
  return output.slice(output.lastIndexOf('\x1b[0J') + '\x1b[0J'.length).replace('\x1b[?25h', '');
}

/** The command on a pseudo-terminal of its own. */
class Terminal implements AsyncDisposable {
  output = '';
  readonly #child;
  readonly #exited: Promise<number | null>;

  /** @param before shell text in front of the command */
  constructor(place: Workplace, args: readonly string[], env: Readonly<Record<string, string>> = {}, before = '') {
    const command = [process.execPath, SLUICE_PATH, ...args].map((word) => `'${word}'`).join(' ');
    const { NO_COLOR: _, SLUICE_PASSWORD: __, ...environment } = process.env;
    this.#child = spawn('script', ['-qefc', `${before} ${command}`, '/dev/null'], {
      cwd: place.local(),
      env: { ...environment, TERM: 'xterm', SHELL: '/bin/sh', SLUICE_URL: place.server.url, ...env },
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    this.#child.stdout.setEncoding('utf8').on('data', (text: string) => {
      this.output += text;
    });
    this.#exited = new Promise((resolve) => this.#child.on('close', resolve));
  }

  type(keys: string): void {
    this.#child.stdin.write(keys);
  }

  /** Waits until the output matches. @throws {Error} if the command ends before */
  async until(pattern: RegExp): Promise<void> {
    let hasEnded = false;
    void this.#exited.then(() => {
      hasEnded = true;
    });
    while (!pattern.test(this.output)) {
      assert.ok(!hasEnded, `no ${pattern} in ${JSON.stringify(this.output)}`);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }

  exit(): Promise<number | null> {
    return this.#exited;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill();
    await this.#exited;
  }
}
