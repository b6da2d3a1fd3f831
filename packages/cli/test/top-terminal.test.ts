import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { connectControl } from '@sluice/client';
import { ServedPlace } from './support/served-place.js';
import { runSluice } from './support/sluice-process.js';
import { TmuxTerminal } from './support/tmux.js';
import { Workplace } from './support/workplace.js';

const RUN_TOP = 'eval $SLUICE top --interval 200ms; echo code $?';
const shown = /^> +\d+ +admin +Control /m;

/** The shell has the terminal again, as it was before. */
async function assertGivenBack(terminal: TmuxTerminal, code: number): Promise<string> {
  const screen = await terminal.until(new RegExp(`^code ${code}$`, 'm'));
  assert.match(screen, /^earlier text$/m, 'what was there before is there again');
  assert.deepEqual(await terminal.modes(), { isOtherScreen: false, hasCursor: true, wraps: true });
  await terminal.enter('[ "$before" = "$(stty -g)" ] && echo terminal as before');
  await terminal.until(/^terminal as before$/m);
  return screen;
}

describe('sluice top', { concurrency: 2 }, () => {
  it('fills the terminal with the connections, without a cursor, until q gives it back', async () => {
    await using place = await ServedPlace.open();
    await using terminal = await TmuxTerminal.open({ SLUICE_URL: place.url });
    await terminal.enter(RUN_TOP);
    const screen = await terminal.until(shown);
    assert.match(screen, /^sluice top {2}admin@127\.0\.0\.1:\d+/);
    assert.match(screen, /\nq quit .*\n$/);
    assert.ok(!screen.includes('earlier text') && !screen.includes('secret'));
    await terminal.until(/ up .* CPU \d+% .*memory/);
    assert.deepEqual(await terminal.modes(), { isOtherScreen: true, hasCursor: false, wraps: false });
    await terminal.press('q');
    await assertGivenBack(terminal, 0);
  });

  for (const [signal, code] of [
    ['SIGINT', 130],
    ['SIGTERM', 130],
    ['SIGHUP', 130],
    ['SIGQUIT', 131],
  ] as const) {
    it(`gives the terminal back at a ${signal}`, async () => {
      await using place = await ServedPlace.open();
      await using terminal = await TmuxTerminal.open({ SLUICE_URL: place.url });
      await terminal.enter(RUN_TOP);
      await terminal.until(shown);
      process.kill(await terminal.commandPid(), signal);
      await assertGivenBack(terminal, code);
    });
  }

  it('gives the terminal back at Ctrl-C, also in the middle of a filter', async () => {
    await using place = await ServedPlace.open();
    await using terminal = await TmuxTerminal.open({ SLUICE_URL: place.url });
    await terminal.enter(RUN_TOP);
    await terminal.until(shown);
    await terminal.press('/', 'a', 'd');
    await terminal.until(/^filter: ad_/m);
    await terminal.press('C-c');
    await assertGivenBack(terminal, 130);
  });

  it('gives the terminal back before the error of a crash is written, so that it can be read', async () => {
    await using place = await ServedPlace.open();
    const source = `process.on('SIGUSR2', () => { throw new Error('a crash'); })`;
    const crash = `--import data:text/javascript,${encodeURIComponent(source).replaceAll("'", '%27')}`;
    await using terminal = await TmuxTerminal.open({ SLUICE_URL: place.url, NODE_OPTIONS: crash }, 100, 60);
    await terminal.enter(RUN_TOP);
    await terminal.until(shown);
    process.kill(await terminal.commandPid(), 'SIGUSR2');
    const screen = await assertGivenBack(terminal, 1);
    assert.match(screen, /Error: a crash/);
  });

  it('ends with one line when the server is gone for good', async () => {
    await using place = await ServedPlace.open();
    await using terminal = await TmuxTerminal.open({ SLUICE_URL: place.url });
    await terminal.enter(RUN_TOP.replace('top', 'top --retries 0'));
    await terminal.until(shown);
    place.signal('SIGKILL');
    const screen = await assertGivenBack(terminal, 1);
    assert.match(screen, /^sluice: .*: run the same command again\n/m);
  });

  it('goes on after a broken link, and says so meanwhile; an original server is shown too', async () => {
    await using place = await Workplace.open();
    await using terminal = await TmuxTerminal.open({ SLUICE_URL: place.server.url });
    await terminal.enter(RUN_TOP);
    await terminal.until(/^> +admin +Control /m);
    place.server.cutAll();
    await terminal.until(/^link broken, trying again in \d s \(attempt 2\)$/m);
    await terminal.until(/^q quit /m);
    await terminal.press('q');
    await assertGivenBack(terminal, 0);
  });

  it('leaves the terminal to the shell at Ctrl-Z, and takes it again with fg', async () => {
    await using place = await ServedPlace.open();
    await using terminal = await TmuxTerminal.open({ SLUICE_URL: place.url });
    await terminal.enter('eval $SLUICE top --interval 200ms');
    await terminal.until(shown);
    await terminal.press('C-z');
    await terminal.until(/Stopped/);
    assert.deepEqual(await terminal.modes(), { isOtherScreen: false, hasCursor: true, wraps: true });
    await terminal.enter('[ "$before" = "$(stty -g)" ] && echo terminal as before');
    await terminal.until(/^terminal as before$/m);
    await terminal.enter('fg; echo code $?');
    await terminal.until(shown);
    assert.deepEqual(await terminal.modes(), { isOtherScreen: true, hasCursor: false, wraps: false });
    await terminal.press('q');
    await assertGivenBack(terminal, 0);
  });

  it('fits the terminal when that changes its size', async () => {
    await using place = await ServedPlace.open();
    await using terminal = await TmuxTerminal.open({ SLUICE_URL: place.url }, 150, 20);
    await terminal.enter(RUN_TOP);
    await terminal.until(/FROM +TLS +SINCE/);
    await terminal.resize(60, 8);
    const narrow = await terminal.until(/^ +ID +USER +PROTOCOL +IN\/S▾ +OUT\/S▾$/m);
    assert.match(narrow, /^sluice top .*\n\d connections.*\n +ID .*\n(.*\n){4}q quit .*\n$/);
    await terminal.resize(150, 20);
    await terminal.until(/FROM +TLS +SINCE/);
    await terminal.press('q');
    await assertGivenBack(terminal, 0);
  });

  it('ends a connection after a question', async () => {
    await using place = await ServedPlace.open();
    await using other = await connectControl(place.url);
    const [first] = await other.list();
    await using terminal = await TmuxTerminal.open({ SLUICE_URL: place.url });
    await terminal.enter(RUN_TOP.replace('top', 'top --sort id'));
    await terminal.until(new RegExp(`^> +${first?.id} `, 'm'));
    await terminal.press('k');
    await terminal.until(new RegExp(`^y to end connection ${first?.id} of admin from 127`, 'm'));
    await terminal.press('y');
    await terminal.until(new RegExp(`^connection ${first?.id} ended`, 'm'));
    const left = await place.sluice(['clients', '--json']);
    assert.ok(!left.stdout.includes(`"id":${first?.id},`));
  });

  it('has colours, but none where NO_COLOR is set', async () => {
    await using place = await ServedPlace.open();
    await using colourful = await TmuxTerminal.open({ SLUICE_URL: place.url });
    await colourful.enter(RUN_TOP);
    assert.match(await colourful.until(/USER/, '-e'), /\x1b\[[\d;]*7m/);
    await using plain = await TmuxTerminal.open({ SLUICE_URL: place.url, NO_COLOR: '1' });
    await plain.enter(RUN_TOP);
    assert.ok(!(await plain.until(/^> +\d+ +admin/m, '-e')).includes('\x1b'));
  });

  it('needs a terminal, and a server that lets it in', async () => {
    await using place = await ServedPlace.open();
    assert.deepEqual(await place.sluice(['top']), {
      code: 2,
      stdout: '',
      stderr: 'sluice: top needs a terminal: into a pipe, use sluice clients or sluice clients --json\n',
    });
    await using terminal = await TmuxTerminal.open({ SLUICE_URL: place.url.replace('secret', 'guess') });
    await terminal.enter(RUN_TOP);
    await assertGivenBack(terminal, 5);
    assert.equal((await runSluice(['top', '--interval', '10ms'])).code, 2);
  });
});
