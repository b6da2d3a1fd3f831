import { createHash, randomFillSync } from 'node:crypto';
import { once } from 'node:events';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { finished } from 'node:stream/promises';
import { addUser } from '@sluice/server';
import { type Browser, chromium, type Page } from 'playwright-core';
import { Scratch, ServeCommand } from '../../end-to-end/support/command.js';

/** Debian's, unless the environment names another. */
const CHROMIUM = process.env['SLUICE_CHROMIUM'] ?? '/usr/bin/chromium';

/** A page may take so long to show what is waited for, in milliseconds: machines are shared. */
const PATIENCE_MS = 60_000;

/** A server, and a browser that has its page. */
export class DashboardScene implements AsyncDisposable {
  readonly scratch: Scratch;
  readonly browser: Browser;
  server: ServeCommand;
  /** `http://127.0.0.1:PORT/` */
  readonly address: string;

  private constructor(scratch: Scratch, browser: Browser, server: ServeCommand, address: string) {
    this.scratch = scratch;
    this.browser = browser;
    this.server = server;
    this.address = address;
  }

  /** @param hasUsersFile whether the users come from a file, `users.json` of the scratch. @default false: from the command line */
  static async open({ hasUsersFile = false } = {}): Promise<DashboardScene> {
    const scratch = await Scratch.make();
    await mkdir(scratch.path('root'));
    const file = scratch.path('users.json');
    if (hasUsersFile) await addUser(file, 'admin', 'admin', { settings: { role: 'admin' } });
    const users = hasUsersFile ? ['--users', file] : [];
    const server = await ServeCommand.start(scratch.path('root'), ['--http', '127.0.0.1:0', ...users]);
    const [, address] = await server.command.output(/^dashboard on (http:\S+)$/m);
    const browser = await launchChromium();
    return new DashboardScene(scratch, browser, server, address!);
  }

  /** A page with cookies and storage of its own. */
  async newPage(): Promise<Page> {
    const page = await this.browser.newPage({ viewport: { width: 1280, height: 860 } });
    page.setDefaultTimeout(PATIENCE_MS);
    await page.goto(this.address);
    return page;
  }

  /** The same, logged in as the admin. */
  async loggedIn(): Promise<Page> {
    const page = await this.newPage();
    await logIn(page, 'admin', 'admin');
    await page.getByTestId('nav-overview').waitFor();
    return page;
  }

  /** Starts the server again where it was. */
  async restart(): Promise<void> {
    const { port } = this.server;
    const http = ['--http', new URL(this.address).host];
    this.server = await ServeCommand.start(this.scratch.path('root'), http, port);
  }

  served(...names: string[]): string {
    return this.scratch.path('root', ...names);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.browser.close();
    await this.server[Symbol.asyncDispose]();
    await this.scratch[Symbol.asyncDispose]();
  }
}

/** @throws {Error} when there is none: apt-get install chromium, or SLUICE_CHROMIUM */
export function launchChromium(): Promise<Browser> {
  return chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox', '--disable-gpu'] });
}

export async function logIn(page: Page, user: string, password: string): Promise<void> {
  await page.getByLabel('User').fill(user);
  await page.getByLabel('Password').fill(password);
  await page.getByTestId('login-submit').click();
}

/** Drops files or folders of this machine on the directory that is shown, as somebody does with a mouse. */
export async function drop(page: Page, paths: readonly string[]): Promise<void> {
  const place = page.getByTestId('drop-place');
  await place.waitFor();
  const box = (await place.boundingBox())!;
  const session = await page.context().newCDPSession(page);
  const at = { x: box.x + box.width / 2, y: box.y + box.height / 2 };
  const data = { items: [], files: [...paths], dragOperationsMask: 1 };
  for (const type of ['dragEnter', 'dragOver', 'drop'] as const)
    await session.send('Input.dispatchDragEvent', { type, ...at, data });
  await session.detach();
}

/** Writes a file of so many random bytes. */
export async function writeRandomFile(file: string, bytes: number): Promise<void> {
  const block = Buffer.alloc(1 << 20);
  const stream = createWriteStream(file);
  for (let left = bytes; left > 0; left -= block.length) {
    randomFillSync(block);
    const part = Buffer.from(block.subarray(0, Math.min(left, block.length)));
    if (!stream.write(part)) await once(stream, 'drain');
  }
  stream.end();
  await finished(stream);
}

export async function sha256Of(file: string): Promise<string> {
  const digest = createHash('sha256');
  for await (const block of createReadStream(file)) digest.update(block);
  return digest.digest('hex');
}
