import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { describe, it } from 'node:test';
import { addUser, changePassword, changeSettings, type HttpRoute, removeUser, UserStore } from '@sluice/server';
import { ManualClock } from '@sluice/testkit';
import { eventually, TestServer } from '../support/test-server.js';
import { type AskOptions, askHttp, RawHttp } from './support/http-peer.js';

const HERE = { host: '127.0.0.1', port: 0 } as const;

/** What a page may do for its user, and what only admins may. */
const ROUTES: readonly HttpRoute[] = [
  {
    path: '/change',
    methods: ['POST', 'GET'],
    handle: ({ visitor }, response) => void response.end(visitor!.principal.userName),
  },
  { path: '/rule', methods: ['GET'], access: 'admin', handle: (_, response) => void response.end('ruled') },
];

/** A server with these routes, and what a browser does there. */
class Site implements AsyncDisposable {
  readonly server: TestServer;
  readonly port: number;

  private constructor(server: TestServer) {
    this.server = server;
    this.port = server.server.http!.address.port;
  }

  static async open(http: object = {}, options: object = {}): Promise<Site> {
    return new Site(await TestServer.start({ http: { ...HERE, routes: ROUTES, ...http }, ...options }));
  }

  get origin(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  ask(path: string, options: AskOptions = {}) {
    return askHttp(this.port, path, options);
  }

  login(user: string, password: string, headers: Readonly<Record<string, string>> = {}) {
    return this.ask('/login', {
      method: 'POST',
      headers: { 'content-type': 'application/json', origin: this.origin, ...headers },
      body: JSON.stringify({ user, password }),
    });
  }

  /** Logs in. @returns the cookie, as a browser sends it back */
  async cookie(user = 'admin', password = 'admin'): Promise<string> {
    const { status, headers } = await this.login(user, password);
    assert.equal(status, 204);
    return headers['set-cookie']![0]!.split(';')[0]!;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server[Symbol.asyncDispose]();
  }
}

function basic(user: string, password: string): { readonly authorization: string } {
  return { authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}` };
}

describe('a login over HTTP', () => {
  it('gives a cookie that no script can read and no other site can send', async () => {
    await using site = await Site.open();
    const { status, headers } = await site.login('admin', 'admin');
    assert.equal(status, 204);
    const [cookie = ''] = headers['set-cookie'] ?? [];
    assert.match(cookie, /^sluice-session=[\w.-]+; Path=\/; Max-Age=43200; HttpOnly; SameSite=Strict$/);
    const session = await site.ask('/session', { headers: { cookie: cookie.split(';')[0] } });
    const { user, role, expiresAt } = JSON.parse(session.body) as Record<string, string>;
    assert.deepEqual([user, role], ['admin', 'admin']);
    assert.ok(Math.abs(Date.parse(expiresAt!) - Date.now() - 43_200_000) < 60_000);
  });

  it('is for browsers behind a proxy that adds TLS as good as over TLS', async () => {
    await using site = await Site.open({ origins: ['https://files.example.com'] });
    const { status, headers } = await site.login('admin', 'admin', { origin: 'https://files.example.com' });
    assert.equal(status, 204);
    const [cookie = ''] = headers['set-cookie'] ?? [];
    assert.match(cookie, /^__Host-sluice-session=.*; Secure$/);
    const sent = { cookie: cookie.split(';')[0], origin: 'https://files.example.com' };
    assert.equal((await site.ask('/change', { method: 'POST', headers: sent })).body, 'admin');
  });

  it('is refused with 401 for a wrong password and for a user who does not exist, in the same words', async () => {
    await using site = await Site.open();
    const wrong = await site.login('admin', 'nimda');
    const nobody = await site.login('nobody', 'admin');
    assert.deepEqual([wrong.status, nobody.status], [401, 401]);
    assert.equal(wrong.body, nobody.body);
    assert.equal(wrong.headers['set-cookie'], undefined);
    assert.equal((await site.ask('/session')).status, 401);
  });

  it('takes nothing but JSON of a bearable size', async () => {
    await using site = await Site.open();
    const send = async (type: string, body: string) =>
      (await site.ask('/login', { method: 'POST', headers: { 'content-type': type }, body })).status;
    assert.equal(await send('text/plain', '{"user":"admin","password":"admin"}'), 415);
    assert.equal(await send('application/json', '{"user":"admin"'), 400);
    assert.equal(await send('application/json', '[]'), 400);
    assert.equal(await send('application/json', 'null'), 400);
    assert.equal(await send('application/json', '{"user":1,"password":{}}'), 400);
    assert.equal(await send('application/json', `{"user":"${'a'.repeat(9000)}"}`), 413);
  });

  it('holds guessers back: with more attempts waiting than may, the rest is answered 429 and when to come again', async () => {
    const clock = new ManualClock();
    await using site = await Site.open({}, { clock });
    assert.equal((await site.login('admin', 'wrong')).status, 401);
    assert.equal((await site.login('admin', 'wrong')).status, 401);
    const guesses = Array.from({ length: 30 }, () => site.login('admin', 'wrong'));
    const first = await Promise.race(guesses);
    assert.equal(first.status, 429);
    assert.match(String(first.headers['retry-after']), /^\d+$/);
    const others = Promise.allSettled(guesses);
    await site.server.server.close();
    await others;
  });

  it('ends with a logout, also for whoever has the cookie', async () => {
    await using site = await Site.open();
    const cookie = await site.cookie();
    const other = await site.cookie();
    const out = await site.ask('/logout', { method: 'POST', headers: { cookie, origin: site.origin } });
    assert.equal(out.status, 204);
    assert.ok(out.headers['set-cookie']?.every((text) => /Max-Age=0/.test(text)));
    assert.equal((await site.ask('/session', { headers: { cookie } })).status, 401);
    assert.equal((await site.ask('/session', { headers: { cookie: other } })).status, 200);
  });

  it('is not believed when a byte of its cookie is another', async () => {
    await using site = await Site.open();
    const cookie = await site.cookie();
    const at = 'sluice-session='.length;
    for (let i = at; i < cookie.length; i += 7) {
      const forged = cookie.slice(0, i) + (cookie[i] === 'x' ? 'y' : 'x') + cookie.slice(i + 1);
      assert.equal((await site.ask('/session', { headers: { cookie: forged } })).status, 401, forged);
    }
    await using other = await Site.open();
    assert.equal((await other.ask('/session', { headers: { cookie } })).status, 401, 'another server');
  });

  it('changes nothing without an origin that is the server\u2019s: a stolen cookie and a foreign page are refused', async () => {
    await using site = await Site.open({ origins: ['https://friend.example'] });
    const cookie = await site.cookie();
    const change = async (headers: Readonly<Record<string, string>>) =>
      (await site.ask('/change', { method: 'POST', headers: { cookie, ...headers } })).status;
    assert.equal(await change({ origin: site.origin }), 200);
    assert.equal(await change({ origin: 'https://friend.example' }), 200);
    assert.equal(await change({}), 403);
    assert.equal(await change({ origin: 'null' }), 403);
    assert.equal(await change({ origin: 'https://foe.example' }), 403);
    assert.equal(await change({ origin: `https://127.0.0.1:${site.port}` }), 403, 'another scheme');
    assert.equal(await change({ origin: `http://127.0.0.1:${site.port + 1}` }), 403, 'another port');
    // A name of somebody else that points here: its pages are of the origin that they ask.
    assert.equal(await change({ origin: `http://foe.example:${site.port}`, host: `foe.example:${site.port}` }), 403);
    const read = await site.ask('/change', { headers: { cookie, origin: 'https://foe.example' } });
    assert.equal(read.status, 403);
    assert.ok(
      site.server.events.some(({ event, fields }) => event === 'http login refused' && fields['reason'] === 'origin'),
    );
  });

  it('cannot be begun, or ended, by a foreign page', async () => {
    await using site = await Site.open();
    assert.equal((await site.login('admin', 'admin', { origin: 'https://foe.example' })).status, 403);
    const cookie = await site.cookie();
    const out = await site.ask('/logout', { method: 'POST', headers: { cookie, origin: 'https://foe.example' } });
    assert.equal(out.status, 403);
    assert.equal((await site.ask('/session', { headers: { cookie } })).status, 200);
    const posted = await site.ask('/change', {
      method: 'POST',
      headers: { ...basic('admin', 'admin'), origin: 'https://foe.example' },
    });
    assert.equal(posted.status, 403, 'a browser may remember Basic');
  });

  it('lets in by Basic who sends it with each request, and tells programs, not browsers, to do so', async () => {
    await using site = await Site.open();
    assert.equal((await site.ask('/change', { headers: basic('admin', 'admin') })).body, 'admin');
    assert.equal((await site.ask('/change', { method: 'POST', headers: basic('admin', 'admin') })).body, 'admin');
    assert.equal((await site.ask('/change', { headers: basic('admin', 'wrong') })).status, 401);
    assert.equal((await site.ask('/change', { headers: { authorization: 'Bearer x' } })).status, 401);
    const program = await site.ask('/change');
    assert.deepEqual(
      [program.status, program.headers['www-authenticate']],
      [401, 'Basic realm="sluice", charset="UTF-8"'],
    );
    const browser = await site.ask('/change', { headers: { 'sec-fetch-mode': 'cors' } });
    assert.deepEqual([browser.status, browser.headers['www-authenticate']], [401, undefined]);
    const session = await site.ask('/session', { headers: basic('admin', 'admin') });
    assert.deepEqual(JSON.parse(session.body), { user: 'admin', role: 'admin', expiresAt: null });
  });

  it('checks a password that was right a moment ago without deriving a key again', async () => {
    await using site = await Site.open();
    await site.ask('/change', { headers: basic('admin', 'admin') });
    const begun = performance.now();
    for (let at = 0; at < 20; at++) await site.ask('/change', { headers: basic('admin', 'admin') });
    const each = (performance.now() - begun) / 20;
    const fresh = performance.now();
    await site.ask('/change', { headers: basic('admin', 'wrong') });
    assert.ok(each * 2 < performance.now() - fresh, `${each} ms each`);
  });

  it('takes no password from other machines without TLS, unless told to', async () => {
    const away = 'PROXY TCP4 192.0.2.7 192.0.2.1 4711 80\r\n';
    const { authorization } = basic('admin', 'admin');
    const request = `${away}GET /change HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: ${authorization}\r\n\r\n`;
    for (const [allowPlainLogin, status] of [
      [false, 403],
      [true, 200],
    ] as const) {
      await using site = await Site.open({ allowPlainLogin }, { proxyFrom: ['127.0.0.0/8'] });
      await using peer = await RawHttp.connect(site.port);
      peer.send(request);
      assert.match(await peer.until(/\r\n\r\n/), new RegExp(`^HTTP/1.1 ${status} `));
    }
  });

  it('gives admins what is for admins', async () => {
    await using place = await UsersPlace.make();
    await using site = await Site.open({}, { users: await UserStore.load(place.file) });
    const cookie = await site.cookie('ada', 'secret');
    assert.equal((await site.ask('/rule', { headers: { cookie } })).status, 403);
    assert.equal((await site.ask('/rule')).status, 401);
    const admin = await site.cookie('root', 'secret');
    assert.equal((await site.ask('/rule', { headers: { cookie: admin } })).body, 'ruled');
  });

  it('ends, with what is open under it, when the user is removed, or gets another password or role', async () => {
    const changes = [
      (file: string) => removeUser(file, 'ada'),
      (file: string) => changePassword(file, 'ada', 'other'),
      (file: string) => changeSettings(file, 'ada', { role: 'read-only' }),
      (file: string) => changeSettings(file, 'ada', { disabled: true }),
    ];
    for (const change of changes) {
      await using place = await UsersPlace.make();
      const signals: AbortSignal[] = [];
      const hold: HttpRoute = {
        path: '/hold',
        methods: ['GET'],
        handle({ visitor }, response) {
          signals.push(visitor!.ended);
          response.end('held');
        },
      };
      await using site = await Site.open({ routes: [hold] }, { users: await UserStore.load(place.file) });
      const cookie = await site.cookie('ada', 'secret');
      const root = await site.cookie('root', 'secret');
      await site.ask('/hold', { headers: { cookie } });
      await site.ask('/hold', { headers: { cookie: root } });
      await change(place.file);
      await site.server.server.reload(['users']);
      assert.equal((await site.ask('/session', { headers: { cookie } })).status, 401);
      assert.deepEqual(
        signals.map(({ aborted }) => aborted),
        [true, false],
      );
      assert.equal((await site.ask('/session', { headers: { cookie: root } })).status, 200);
    }
  });

  it('has what is open under it end with a logout', async () => {
    const signals: AbortSignal[] = [];
    const hold: HttpRoute = {
      path: '/hold',
      methods: ['GET'],
      handle({ visitor }, response) {
        signals.push(visitor!.ended);
        response.end('held');
      },
    };
    await using site = await Site.open({ routes: [hold] });
    const cookie = await site.cookie();
    await site.ask('/hold', { headers: { cookie } });
    await site.ask('/logout', { method: 'POST', headers: { cookie, origin: site.origin } });
    assert.equal(signals[0]?.aborted, true);
  });

  it('gives connections of another protocol to pages of the server only', async () => {
    const upgrades = [
      {
        path: '/up',
        access: 'anybody' as const,
        upgrade(
          request: { visitor: { principal: { userName: string | undefined } } | undefined },
          socket: NodeJS.WritableStream,
        ) {
          socket.end(`HTTP/1.1 101 Switching Protocols\r\n\r\n${request.visitor?.principal.userName ?? 'nobody'}`);
        },
      },
    ];
    await using site = await Site.open({ upgrades });
    const cookie = await site.cookie();
    const upgrade = async (lines: string) => {
      await using peer = await RawHttp.connect(site.port);
      peer.send(
        `GET /up HTTP/1.1\r\nHost: 127.0.0.1:${site.port}\r\nConnection: Upgrade\r\nUpgrade: x\r\n${lines}\r\n`,
      );
      return await peer.ended();
    };
    assert.match(await upgrade(`Origin: ${site.origin}\r\nCookie: ${cookie}\r\n`), /^HTTP\/1.1 101 [\s\S]*admin$/);
    assert.match(await upgrade(`Origin: ${site.origin}\r\n`), /nobody$/);
    assert.match(await upgrade(''), /nobody$/);
    assert.match(await upgrade(`Cookie: ${cookie}\r\n`), /^HTTP\/1.1 403 /);
    assert.match(await upgrade(`Origin: https://foe.example\r\n`), /^HTTP\/1.1 403 [\s\S]*Content-Security-Policy/);
    await eventually('no descriptor is held', () => site.server.server.listener.descriptors.connections === 0);
  });
});

/** A users file with ada, a user, and root, an admin, whose passwords are `secret`. */
class UsersPlace implements AsyncDisposable {
  readonly file: string;

  private constructor(file: string) {
    this.file = file;
  }

  static async make(): Promise<UsersPlace> {
    const file = path.join(await mkdtemp(path.join(os.tmpdir(), 'sluice-users-')), 'users.json');
    await addUser(file, 'ada', 'secret');
    await addUser(file, 'root', 'secret', { settings: { role: 'admin' } });
    return new UsersPlace(file);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(path.dirname(this.file), { recursive: true, force: true });
  }
}
