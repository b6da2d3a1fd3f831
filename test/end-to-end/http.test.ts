import assert from 'node:assert/strict';
import http, { type IncomingHttpHeaders } from 'node:http';
import { text } from 'node:stream/consumers';
import { describe, it } from 'node:test';
import { Command, Scratch, ServeCommand, sluice } from './support/command.js';

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** `sluice serve` with HTTP on a free port. */
class Site implements AsyncDisposable {
  readonly server: ServeCommand;
  readonly url: URL;
  readonly #scratch: Scratch;

  private constructor(scratch: Scratch, server: ServeCommand, url: URL) {
    this.#scratch = scratch;
    this.server = server;
    this.url = url;
  }

  static async open(...options: string[]): Promise<Site> {
    const scratch = await Scratch.make();
    const server = await ServeCommand.start(scratch.folder, ['--http', '127.0.0.1:0', ...options]);
    const [, url = ''] = await server.command.output(/^dashboard on (\S+)$/m);
    return new Site(scratch, server, new URL(url));
  }

  ask(path: string, options: http.RequestOptions = {}, body?: string): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const request = http.request(new URL(path, this.url), { agent: false, ...options });
      request.on('error', reject);
      request.on('response', (response) =>
        text(response).then(
          (body) => resolve({ status: response.statusCode!, headers: response.headers, body }),
          reject,
        ),
      );
      request.end(body);
    });
  }

  login(password: string): Promise<Answer> {
    const headers = { 'content-type': 'application/json', origin: this.url.origin };
    return this.ask('/login', { method: 'POST', headers }, JSON.stringify({ user: 'admin', password }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server[Symbol.asyncDispose]();
    await this.#scratch[Symbol.asyncDispose]();
  }
}

describe('sluice serve --http', () => {
  it('says where it is seen, behind where it listens, and is off when told so', async () => {
    await using site = await Site.open();
    assert.match(
      site.server.command.stdout,
      /^listening on .*\nserving .*\ndashboard on http:\/\/127\.0\.0\.1:\d+\/\n/,
    );
    assert.equal((await site.ask('/healthz')).body, 'ok\n');
    await using scratch = await Scratch.make();
    await using off = await ServeCommand.start(scratch.folder, ['--http', 'off']);
    await off.command.output(/^serving /m);
    assert.doesNotMatch(off.command.stdout, /dashboard/);
  });

  it('names what is wrong with an address or an origin, and an address that is in use', async () => {
    await using scratch = await Scratch.make();
    const serve = (...options: string[]) =>
      sluice(['serve', '--root', scratch.folder, '--listen', '127.0.0.1:0', ...options]);
    for (const options of [
      ['--http', 'nowhere'],
      ['--http', '127.0.0.1:0', '--http-origin', 'example.com'],
      ['--http', '127.0.0.1:0', '--http-origin', 'https://example.com/path'],
    ]) {
      const { exitCode, stderr } = await serve(...options);
      assert.equal(exitCode, 2, stderr);
      assert.match(stderr, /--http/);
    }
    const checked = await sluice(['config', 'check', '--root', scratch.folder, '--http', 'nowhere']);
    assert.equal(checked.exitCode, 1);
    assert.match(checked.stderr, /--http nowhere cannot be used/);
    await using site = await Site.open();
    const { exitCode, stderr } = await serve('--http', site.url.host);
    assert.equal(exitCode, 1);
    assert.match(stderr, new RegExp(`cannot listen on ${site.url.host}: it is in use.*--http`));
  });

  it('goes on without HTTP when the default address is in use: two servers of one machine start', async () => {
    await using first = await Scratch.make();
    await using second = await Scratch.make();
    const start = (root: string) =>
      new Command(['serve', '--listen', '127.0.0.1:0', '--root', root], { hasDefaultHttp: true });
    // Whoever has the port, a server of this test or somebody else: of these two one at least has to go on without.
    await using one = start(first.folder);
    await using other = start(second.folder);
    await Promise.all([one.output(/^serving/m), other.output(/^serving/m)]);
  });

  for (const workers of [1, 3]) {
    it(`knows at each of ${workers} workers who has logged in and out at any`, async () => {
      await using site = await Site.open('--workers', String(workers));
      const cookies: string[] = [];
      for (let at = 0; at < 2; at++) {
        const { status, headers } = await site.login('admin');
        assert.equal(status, 204);
        cookies.push(headers['set-cookie']![0]!.split(';')[0]!);
      }
      const [cookie, other] = cookies as [string, string];
      const statuses = async (sent: string): Promise<number[]> => {
        const answers = Array.from({ length: 12 }, () => site.ask('/session', { headers: { cookie: sent } }));
        return (await Promise.all(answers)).map(({ status }) => status);
      };
      assert.deepEqual(new Set(await statuses(cookie)), new Set([200]));
      const headers = { cookie, origin: site.url.origin };
      assert.equal((await site.ask('/logout', { method: 'POST', headers })).status, 204);
      assert.deepEqual(new Set(await statuses(cookie)), new Set([401]));
      assert.deepEqual(new Set(await statuses(other)), new Set([200]));
    });

    it(`ends as fast as it should with ${workers} workers and unused connections`, async () => {
      await using site = await Site.open('--workers', String(workers));
      const agent = new http.Agent({ keepAlive: true });
      await Promise.all(Array.from({ length: 8 }, () => site.ask('/healthz', { agent })));
      const begun = performance.now();
      const { exitCode } = await site.server.command.kill('SIGTERM');
      agent.destroy();
      assert.equal(exitCode, 0);
      assert.ok(performance.now() - begun < 5000);
    });
  }

  it('counts wrong passwords at all workers together', async () => {
    await using site = await Site.open('--workers', '3');
    const statuses = new Set<number>();
    // Those that wait for their turn would take minutes: they end with the server.
    await new Promise<void>((resolve) => {
      for (let at = 0; at < 24; at++) {
        const asked = site.login('wrong').then(({ status }) => {
          statuses.add(status ?? 0);
          if (statuses.has(401) && statuses.has(429)) resolve();
        });
        asked.catch(() => {});
      }
    });
    assert.deepEqual([...statuses].sort(), [401, 429]);
  });

  it('adds up what all workers have measured, and keeps what one has counted when it ends', async () => {
    await using site = await Site.open('--workers', '2');
    const received = async (): Promise<number> => {
      const { status, body } = await site.ask('/metrics');
      assert.equal(status, 200);
      const frames = [...body.matchAll(/^sluice_received_frames_total\{.*\} (\d+)$/gm)];
      return frames.reduce((sum, [, count]) => sum + Number(count), 0);
    };
    for (let at = 0; at < 3; at++) assert.equal((await sluice(['ls', site.server.url])).exitCode, 0);
    const before = await received();
    assert.ok(before >= 6, String(before));
    const { body } = await site.ask('/metrics');
    for (const name of ['1', '2', 'supervisor']) assert.match(body, new RegExp(`process="${name}"`));
    assert.match(body, /^sluice_workers 2$/m);
    assert.equal((await sluice(['reload', site.server.url])).exitCode, 0);
    for (const end = performance.now() + 15_000; performance.now() < end; ) {
      assert.ok((await received()) >= before, 'a counter has fallen');
      if (!/process="1"/.test((await site.ask('/metrics')).body)) return;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    assert.fail('the first worker has not ended');
  });

  it('keeps logins when a worker dies, and when all of them are replaced', async () => {
    await using site = await Site.open('--workers', '2');
    const { headers } = await site.login('admin');
    const cookie = headers['set-cookie']![0]!.split(';')[0]!;
    const gone = await site.login('admin');
    const goneCookie = gone.headers['set-cookie']![0]!.split(';')[0]!;
    await site.ask('/logout', { method: 'POST', headers: { cookie: goneCookie, origin: site.url.origin } });
    const { exitCode, stderr } = await sluice(['reload', site.server.url]);
    assert.equal(exitCode, 0, stderr);
    for (let at = 0; at < 4; at++) {
      assert.equal((await site.ask('/session', { headers: { cookie } })).status, 200);
      assert.equal((await site.ask('/session', { headers: { cookie: goneCookie } })).status, 401);
    }
  });
});
