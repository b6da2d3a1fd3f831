import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import http from 'node:http';
import net, { type AddressInfo } from 'node:net';
import { describe, it } from 'node:test';
import { DashboardScene, drop, logIn, sha256Of, writeRandomFile } from './support/dashboard-scene.js';

const MIB = 1 << 20;

describe('the dashboard, in Chromium', () => {
  it('lets in who has the password, tells others that it is wrong, and forgets who logs out', async () => {
    await using scene = await DashboardScene.open();
    const page = await scene.newPage();
    await logIn(page, 'admin', 'wrong');
    await page.getByTestId('login-problem').filter({ hasText: 'Wrong user name or password.' }).waitFor();
    await logIn(page, 'admin', 'admin');
    await page.getByTestId('link-state').filter({ hasText: 'Connected' }).waitFor();
    await page.reload();
    await page.getByTestId('nav-overview').waitFor();
    await page.getByRole('button', { name: 'Log out' }).click();
    await page.getByTestId('login-submit').waitFor();
    await page.reload();
    await page.getByTestId('login-submit').waitFor();
  });

  it('shows a connection that comes and goes, and ends one after it has asked', async () => {
    await using scene = await DashboardScene.open();
    const page = await scene.loggedIn();
    await page.getByTestId('nav-connections').click();
    const rows = page.getByTestId('connections-list').getByRole('row').filter({ hasText: 'Throughput' });

    const first = await throughputPeer(scene.server.port);
    await rows.waitFor();
    first.destroy();
    await rows.waitFor({ state: 'detached' });

    const second = await throughputPeer(scene.server.port);
    const ended = new Promise((resolve) => second.once('close', resolve));
    await rows.getByRole('button', { name: /^End connection/ }).click();
    await page.getByTestId('dialog-cancel').click();
    assert.equal(second.destroyed, false);
    await rows.click();
    await page.getByTestId('connection-detail').filter({ hasText: '127.0.0.1' }).waitFor();
    await page.getByTestId('connection-detail').getByTestId('kick').click();
    await page.getByTestId('dialog-confirm').click();
    await ended;
    await rows.waitFor({ state: 'detached' });
  });

  it('uploads 600 MiB that are dropped on it, goes on after a reload in the middle, and it is the same on the disk', async () => {
    await using scene = await DashboardScene.open();
    const source = scene.scratch.path('large.bin');
    await writeRandomFile(source, 600 * MIB);
    const page = await scene.loggedIn();
    await page.getByTestId('nav-files').click();
    await drop(page, [source]);
    const running = page.getByTestId('running-transfers');
    await running.filter({ hasText: /\d{2,3}(\.\d)? MiB of 600/ }).waitFor();
    await page.reload();

    const pending = page.getByTestId('pending-upload').filter({ hasText: 'large.bin' });
    await pending.waitFor();
    await pending.getByTestId('pending-file').setInputFiles(source);
    await page.getByTestId('files-list').getByRole('row').filter({ hasText: 'large.bin' }).waitFor();
    await pending.waitFor({ state: 'detached' });
    assert.equal(await sha256Of(scene.served('large.bin')), await sha256Of(source));
    assert.deepEqual(await readdir(scene.served('.sluice', 'staging')), []);
  });

  it('goes on with an upload when the server was killed and is back, after the user has logged in again', async () => {
    await using scene = await DashboardScene.open();
    const source = scene.scratch.path('long.bin');
    await writeRandomFile(source, 800 * MIB);
    const page = await scene.loggedIn();
    await page.getByTestId('nav-files').click();
    await drop(page, [source]);
    await page
      .getByTestId('running-transfers')
      .filter({ hasText: /\d{2,3}(\.\d)? MiB of 800/ })
      .waitFor();
    await scene.server.command.kill('SIGKILL');
    assert.equal(existsSync(scene.served('long.bin')), false, 'it was complete before the server was killed');
    await page.getByTestId('link-banner').filter({ hasText: 'The server is not reached.' }).waitFor();
    await scene.restart();
    await page.getByTestId('login-submit').waitFor(); // its logins end with a server
    await logIn(page, 'admin', 'admin');
    await page.getByTestId('link-state').filter({ hasText: 'Connected' }).waitFor();
    await page.getByTestId('nav-transfers').click();
    await page.getByTestId('own-transfer').and(page.locator('[data-state=done]')).waitFor();
    assert.equal(await sha256Of(scene.served('long.bin')), await sha256Of(source));
  });

  it('uploads a folder of 2,000 small files, and the page stays alive', async () => {
    await using scene = await DashboardScene.open();
    const folder = scene.scratch.path('many');
    for (let i = 0; i < 20; i++) {
      await mkdir(`${folder}/d${i}`, { recursive: true });
      for (let k = 0; k < 100; k++) await writeFile(`${folder}/d${i}/f${k}`, `${i} ${k} ${'x'.repeat(k * 20)}`);
    }
    const page = await scene.loggedIn();
    await page.getByTestId('nav-files').click();
    await drop(page, [folder]);
    await page.getByTestId('nav-transfers').click();
    await page.getByTestId('own-transfer').and(page.locator('[data-state=done]')).waitFor();
    let count = 0;
    for (let i = 0; i < 20; i++) {
      for (const name of await readdir(scene.served('many', `d${i}`))) {
        const [sent, stored] = await Promise.all([
          readFile(`${folder}/d${i}/${name}`),
          readFile(scene.served('many', `d${i}`, name)),
        ]);
        assert.ok(sent.equals(stored), `d${i}/${name}`);
        count += 1;
      }
    }
    assert.equal(count, 2000);
  });

  it('downloads a file whole', async () => {
    await using scene = await DashboardScene.open();
    await writeRandomFile(scene.served('down.bin'), 20 * MIB);
    const page = await scene.loggedIn();
    await page.getByTestId('nav-files').click();
    const downloading = page.waitForEvent('download');
    await page.getByLabel('Choose down.bin').check();
    await page.getByRole('button', { name: 'Download' }).click();
    const download = await downloading;
    const target = scene.scratch.path('fetched');
    await download.saveAs(target);
    assert.equal(await sha256Of(target), await sha256Of(scene.served('down.bin')));
  });

  it('follows the log, and filters it by text', async () => {
    await using scene = await DashboardScene.open();
    const page = await scene.loggedIn();
    await page.getByTestId('nav-log').click();
    const list = page.getByTestId('log-list');
    await list.getByRole('row').first().waitFor();
    const refused = await failToLogIn(scene.address, 'mallory');
    assert.equal(refused.status, 401);
    await list.getByRole('row').filter({ hasText: 'mallory' }).first().waitFor();
    await page.getByTestId('log-filter').fill('mallory');
    await list.getByRole('row').filter({ hasNotText: 'mallory' }).first().waitFor({ state: 'detached' });
  });

  it('measures the speed, both ways', async () => {
    await using scene = await DashboardScene.open();
    const page = await scene.loggedIn();
    await page.getByTestId('nav-speed').click();
    await page
      .getByRole('radio', { name: 'Both' })
      .or(page.getByRole('button', { name: 'Both' }))
      .first()
      .click();
    await page.getByLabel('Time').selectOption('3');
    await page.getByTestId('speed-start').click();
    await page
      .getByTestId('speed-result')
      .filter({ hasText: /Download[\d.]+ [KMG]i?B\/s.*Upload[\d.]+ [KMG]i?B\/s/s })
      .waitFor();
  });

  it('shows script in the names of files and users as text', async () => {
    await using scene = await DashboardScene.open();
    const name = '<img src=x onerror="document.title=1"><script>document.title=2<script>.txt';
    await writeFile(scene.served(name), 'x');
    const page = await scene.loggedIn();
    await page.getByTestId('nav-files').click();
    await page.getByTestId('files-list').getByText('<img src=x', { exact: false }).waitFor();
    await failToLogIn(scene.address, '<img src=x onerror="document.title=3">');
    await page.getByTestId('nav-log').click();
    await page.getByTestId('log-list').getByRole('row').filter({ hasText: '<img src=x' }).first().waitFor();
    assert.equal(await page.title(), 'Log · Sluice');
    assert.equal(await page.locator('img').count(), 0);
  });

  it('renames a file by its detail and by F2, and says why a name is not free', async () => {
    await using scene = await DashboardScene.open();
    await writeFile(scene.served('report.tmp'), 'what it holds');
    const page = await scene.loggedIn();
    await page.getByTestId('nav-files').click();
    const row = (name: string) => page.getByTestId('files-list').getByRole('row').filter({ hasText: name });
    await row('report.tmp').click();
    await page.getByTestId('file-detail').getByTestId('rename').click();
    const name = page.getByTestId('dialog-input');
    assert.equal(await name.inputValue(), 'report.tmp');
    await page.keyboard.type('summary'); // replaces what is in front of the extension
    await page.keyboard.press('Enter');
    await row('summary.tmp').waitFor();
    await page.getByTestId('file-detail').filter({ hasText: 'summary.tmp' }).waitFor();
    assert.equal(await readFile(scene.served('summary.tmp'), 'utf8'), 'what it holds');

    await writeFile(scene.served('taken'), 'stays');
    await page.getByTestId('files-list').focus();
    await page.keyboard.press('Home');
    await page.keyboard.press('F2');
    await name.fill('taken'); // the page has not seen it yet
    await page.getByTestId('dialog-confirm').click();
    await page.getByText('summary.tmp was not renamed:').waitFor();
    assert.equal(await readFile(scene.served('taken'), 'utf8'), 'stays');
    assert.equal(await readFile(scene.served('summary.tmp'), 'utf8'), 'what it holds');
  });

  it('manages users: adds one, sets a password that is made for it, changes, disables and removes it', async () => {
    await using scene = await DashboardScene.open({ hasUsersFile: true });
    const page = await scene.loggedIn();
    await page.getByTestId('nav-users').click();
    const table = page.getByTestId('accounts-table');
    await page.getByTestId('add-user').click();
    await page.getByTestId('user-name').fill('ada');
    await page.getByTestId('dialog-confirm').click();
    await page.getByText('A password is needed.').waitFor();
    await page.getByTestId('user-password').fill('first');
    await page.getByTestId('user-quota').fill('10G');
    await page.getByTestId('dialog-confirm').click();
    const row = table.getByRole('row').filter({ hasText: 'ada' });
    await row.filter({ hasText: '10.0 GiB' }).filter({ hasText: 'active' }).waitFor();

    await row.getByRole('button', { name: 'Set the password of ada' }).click();
    await page.getByTestId('password-generate').click();
    const password = await page.getByTestId('user-password').inputValue();
    assert.match(password, /^[a-z2-9]{20}$/);
    await page.getByTestId('dialog-confirm').click();
    await page.getByTestId('user-password').waitFor({ state: 'detached' });
    const other = await (await scene.browser.newContext()).newPage();
    await other.goto(scene.address);
    await logIn(other, 'ada', 'first');
    await other.getByTestId('login-problem').filter({ hasText: 'Wrong user name or password.' }).waitFor();
    await logIn(other, 'ada', password);
    await other.getByTestId('link-state').filter({ hasText: 'Connected' }).waitFor();

    await row.getByRole('button', { name: 'Change ada' }).click();
    await page.getByTestId('user-role').selectOption('read-only');
    await page.getByTestId('dialog-confirm').click();
    await row.filter({ hasText: 'read-only' }).waitFor();
    await row.getByRole('button', { name: 'Disable ada' }).click();
    await page.getByTestId('dialog-confirm').click();
    await row.filter({ hasText: 'disabled' }).waitFor();
    await other.getByTestId('login-submit').waitFor(); // the login has ended
    await row.getByRole('button', { name: 'Remove ada' }).click();
    await page.getByTestId('dialog-confirm').click();
    await row.waitFor({ state: 'detached' });
    const own = table.getByRole('row').filter({ hasText: 'you' });
    assert.equal(await own.getByRole('button', { name: /Remove|Disable/ }).count(), 0);
    const { users } = JSON.parse(await readFile(scene.scratch.path('users.json'), 'utf8')) as { users: object[] };
    assert.equal(users.length, 1);
  });

  it('shows users that come from the command line, and tells how users are managed', async () => {
    await using scene = await DashboardScene.open();
    const page = await scene.loggedIn();
    await page.getByTestId('nav-users').click();
    await page.getByTestId('managing-users').filter({ hasText: '--users FILE' }).waitFor();
    await page.getByTestId('accounts-table').getByRole('row').filter({ hasText: 'you' }).waitFor();
    assert.equal(await page.getByTestId('add-user').count(), 0);
    assert.equal(await page.getByRole('button', { name: /^Change / }).count(), 0);
  });

  it('keeps a page of another origin out, although the browser sends the cookie along', async () => {
    await using scene = await DashboardScene.open();
    const page = await scene.loggedIn();
    const foreign = http.createServer((_request, response) => {
      response.setHeader('Content-Type', 'text/html');
      response.end('<!doctype html><title>elsewhere</title>');
    });
    await new Promise<void>((resolve) => foreign.listen(0, '127.0.0.1', resolve));
    const { port } = foreign.address() as AddressInfo;
    await page.goto(`http://127.0.0.1:${port}/`);
    const gateway = `${scene.address.replace('http', 'ws')}gateway`;
    const outcome = await page.evaluate(
      `new Promise((resolve) => {
        const socket = new WebSocket(${JSON.stringify(gateway)}, 'sluice');
        socket.onopen = () => resolve('opened');
        socket.onerror = () => resolve('refused');
      })`,
    );
    assert.equal(outcome, 'refused');
    const posted = await page.evaluate(
      `fetch(${JSON.stringify(scene.address)} + 'files/stolen.txt', { method: 'PUT', body: 'x', credentials: 'include', mode: 'no-cors' })
        .then(() => 'sent', () => 'blocked')`,
    );
    assert.equal(posted, 'blocked');
    const read = await page.evaluate(
      `fetch(${JSON.stringify(scene.address)} + 'session', { credentials: 'include' }).then(() => 'read', () => 'blocked')`,
    );
    assert.equal(read, 'blocked');
    assert.deepEqual(
      (await readdir(scene.served())).filter((each) => each !== '.sluice'),
      [],
    );
    foreign.close();
    foreign.closeAllConnections();
  });
});

/** A connection that has chosen Throughput and says nothing more. */
async function throughputPeer(port: number): Promise<net.Socket> {
  const socket = net.connect(port, '127.0.0.1');
  await new Promise((resolve) => socket.once('connect', resolve));
  socket.write(Uint8Array.of(5));
  socket.resume();
  return socket;
}

function failToLogIn(address: string, user: string): Promise<Response> {
  return fetch(`${address}login`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', Origin: new URL(address).origin },
    body: JSON.stringify({ user, password: 'guessed' }),
  });
}
