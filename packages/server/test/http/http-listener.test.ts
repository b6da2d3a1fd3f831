import assert from 'node:assert/strict';
import { Agent, type ServerResponse } from 'node:http';
import { describe, it } from 'node:test';
import { HttpAddressError, HttpError, type HttpRoute, type HttpServerOptions, loadCertificates } from '@sluice/server';
import { CertificateFolder, issueForTest, ManualClock } from '@sluice/testkit';
import { eventually, TestServer } from '../support/test-server.js';
import { askHttp, RawHttp } from './support/http-peer.js';

const HERE = { host: '127.0.0.1', port: 0 } as const;

async function startHttp(http: Partial<HttpServerOptions> = {}, clock?: ManualClock) {
  const server = await TestServer.start({ http: { ...HERE, ...http }, ...(clock && { clock }) });
  return { server, port: server.server.http!.address.port, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() };
}

function route(path: string, handle: HttpRoute['handle'], more: Partial<HttpRoute> = {}): HttpRoute {
  return { path, methods: ['GET'], access: 'anybody', handle, ...more };
}

/** A route whose requests wait until they are told to end. */
function waitingRoute() {
  const waiting: ServerResponse[] = [];
  return { waiting, route: route('/wait', (_, response) => void waiting.push(response)) };
}

describe('the HTTP listener', () => {
  it('says that it is alive and ready', async () => {
    await using http = await startHttp();
    assert.deepEqual((await askHttp(http.port, '/healthz')).body, 'ok\n');
    assert.deepEqual((await askHttp(http.port, '/readyz')).body, 'ready\n');
  });

  it('sets the headers of security on every answer, right or wrong', async () => {
    await using http = await startHttp();
    const answers = [
      await askHttp(http.port, '/healthz'),
      await askHttp(http.port, '/not-there'),
      await askHttp(http.port, '/healthz', { method: 'DELETE' }),
      await askHttp(http.port, '/healthz', { headers: { 'x-long': 'a'.repeat(20_000) } }),
    ];
    assert.deepEqual(
      answers.map(({ status }) => status),
      [200, 404, 405, 431],
    );
    for (const { headers } of answers) {
      const policy = headers['content-security-policy'] ?? '';
      assert.match(String(policy), /script-src 'self'.*frame-ancestors 'none'/);
      assert.doesNotMatch(String(policy), /unsafe-inline|'unsafe-eval'/);
      assert.equal(headers['x-content-type-options'], 'nosniff');
      assert.equal(headers['referrer-policy'], 'no-referrer');
      assert.equal(headers['cross-origin-opener-policy'], 'same-origin');
      assert.equal(headers['cross-origin-resource-policy'], 'same-origin');
      assert.equal(headers['strict-transport-security'], undefined);
    }
  });

  it('takes the route with the longest path, HEAD for GET, and says which methods there are', async () => {
    const say =
      (text: string): HttpRoute['handle'] =>
      (_, response) =>
        void response.end(text);
    const routes = [route('/a/', say('below a')), route('/a/b/', say('below b')), route('/a/b/c', say('c'))];
    await using http = await startHttp({ routes });
    assert.equal((await askHttp(http.port, '/a/x')).body, 'below a');
    assert.equal((await askHttp(http.port, '/a/b/x?y=z')).body, 'below b');
    assert.equal((await askHttp(http.port, '/a/b/c')).body, 'c');
    assert.equal((await askHttp(http.port, '/a')).status, 404);
    const head = await askHttp(http.port, '/a/b/c', { method: 'HEAD' });
    assert.deepEqual([head.status, head.body], [200, '']);
    const options = await askHttp(http.port, '/a/b/c', { method: 'OPTIONS' });
    assert.deepEqual([options.status, options.headers.allow], [204, 'GET, HEAD, OPTIONS']);
    const post = await askHttp(http.port, '/a/b/c', { method: 'POST', body: 'x' });
    assert.deepEqual([post.status, post.headers.allow], [405, 'GET, HEAD, OPTIONS']);
  });

  it('answers what a route throws, and tells nothing of what it did not expect', async () => {
    const routes = [
      route('/refused', () => {
        throw new HttpError(409, 'not now', { 'X-Why': 'because' });
      }),
      route('/broken', async () => {
        throw new Error('/secret/path is broken');
      }),
    ];
    await using http = await startHttp({ routes });
    const refused = await askHttp(http.port, '/refused');
    assert.deepEqual([refused.status, refused.body, refused.headers['x-why']], [409, 'not now\n', 'because']);
    const broken = await askHttp(http.port, '/broken');
    assert.equal(broken.status, 500);
    assert.doesNotMatch(broken.body, /secret/);
    assert.ok(http.server.events.some(({ event, level }) => event === 'http request failed' && level === 'error'));
  });

  it('aborts what is done for a peer that has gone, and not for one that got its answer', async () => {
    const signals: AbortSignal[] = [];
    const routes = [
      route('/fast', ({ gone }, response) => {
        signals.push(gone);
        response.end('done');
      }),
      route('/slow', ({ gone }) => void signals.push(gone)),
    ];
    await using http = await startHttp({ routes });
    await askHttp(http.port, '/fast');
    await using peer = await RawHttp.connect(http.port);
    peer.send('GET /slow HTTP/1.1\r\nHost: x\r\n\r\n');
    await eventually('the request comes', () => signals.length === 2);
    peer.socket.destroy();
    await eventually('the signal is aborted', () => signals[1]?.aborted === true);
    assert.equal(signals[0]?.aborted, false);
  });

  it('asks for the body of a request only when the request is allowed', async () => {
    const routes = [
      route('/in', ({ message }, response) => void message.pipe(response), { methods: ['POST'] }),
      route('/private', () => {}, { methods: ['POST'], access: 'user' }),
    ];
    await using http = await startHttp({ routes });
    const head = (path: string) =>
      `POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n`;
    await using refused = await RawHttp.connect(http.port);
    refused.send(head('/private'));
    assert.match(await refused.until(/\r\n\r\n/), /^HTTP\/1.1 401/);
    await using allowed = await RawHttp.connect(http.port);
    allowed.send(head('/in'));
    await allowed.until(/^HTTP\/1.1 100 Continue\r\n\r\n$/);
    allowed.send('hello');
    await allowed.until(/200 OK[\s\S]*hello/);
  });

  it('refuses what is no HTTP, a bad target, and more headers than anybody needs', async () => {
    await using http = await startHttp();
    for (const [sent, status] of [
      ['hello\r\n\r\n', 400],
      ['GET example HTTP/1.1\r\nHost: x\r\n\r\n', 400],
      ['GET ftp://x/ HTTP/1.1\r\nHost: x\r\n\r\n', 400],
      ['GET /healthz HTTP/1.1\r\n\r\n', 400],
      [`GET /healthz HTTP/1.1\r\nHost: x\r\n${'A: b\r\n'.repeat(101)}\r\n`, 431],
      [`GET /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n`, 400],
    ] as const) {
      await using peer = await RawHttp.connect(http.port);
      peer.send(sent);
      assert.match(await peer.until(/\r\n\r\n/), new RegExp(`^HTTP/1.1 ${status} `), sent.slice(0, 60));
    }
  });

  it('takes the same answers, however a request is cut up, and several requests in one piece', async () => {
    const routes = [route('/echo', ({ message }, response) => void message.pipe(response), { methods: ['POST'] })];
    await using http = await startHttp({ routes });
    const request = 'POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello';
    await using bytewise = await RawHttp.connect(http.port);
    bytewise.socket.setNoDelay(true);
    for (const byte of request) bytewise.send(byte);
    await bytewise.until(/200 OK[\s\S]*hello/);
    await using atOnce = await RawHttp.connect(http.port);
    atOnce.send(request.repeat(3));
    await atOnce.until(/(200 OK[\s\S]*hello[\s\S]*){3}/);
  });

  it('gives a request 10 s for its headers, and an unused connection a minute', async () => {
    const clock = new ManualClock();
    await using http = await startHttp({}, clock);
    await using silent = await RawHttp.connect(http.port);
    await using slow = await RawHttp.connect(http.port);
    slow.send('GET /healthz HTTP/1.1\r\nHost:');
    await using used = await RawHttp.connect(http.port);
    used.send('GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n');
    await used.until(/ok/);
    await eventually('all are there', () => http.server.server.http!.listener.connections === 2);
    clock.advance(9000);
    assert.equal(slow.received, '');
    clock.advance(2000);
    assert.match(await slow.ended(), /^HTTP\/1.1 408 /);
    assert.equal(await silent.ended(), '');
    assert.equal(used.socket.destroyed, false);
    for (let at = 0; at < 60; at++) clock.advance(1000);
    await used.ended();
  });

  it('cuts a request whose body does not come on, and waits for a route as long as that takes', async () => {
    const clock = new ManualClock();
    const { waiting, route: slow } = waitingRoute();
    const routes = [slow, route('/in', ({ message }, response) => void message.pipe(response), { methods: ['POST'] })];
    await using http = await startHttp({ routes }, clock);
    await using stalled = await RawHttp.connect(http.port);
    stalled.send('POST /in HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhel');
    await using patient = await RawHttp.connect(http.port);
    patient.send('GET /wait HTTP/1.1\r\nHost: x\r\n\r\n');
    await stalled.until(/hel/);
    await eventually('the route is asked', () => waiting.length === 1);
    for (let at = 0; at < 200; at++) clock.advance(1000);
    await stalled.ended();
    waiting[0]!.end('at last');
    await patient.until(/at last/);
  });

  it('refuses more connections than it may have, unless one of them is unused', async () => {
    const { waiting, route: slow } = waitingRoute();
    await using http = await startHttp({ routes: [slow], maxConnections: 2 });
    await using first = await RawHttp.connect(http.port);
    await using second = await RawHttp.connect(http.port);
    for (const peer of [first, second]) peer.send('GET /wait HTTP/1.1\r\nHost: x\r\n\r\n');
    await eventually('both wait', () => waiting.length === 2);
    await using third = await RawHttp.connect(http.port);
    third.send('GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n');
    assert.match(await third.ended(), /^HTTP\/1.1 503 [\s\S]*Retry-After: 5/);
    waiting[0]!.end('done');
    await first.until(/done/);
    await using fourth = await RawHttp.connect(http.port);
    fourth.send('GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n');
    await fourth.until(/200 OK/);
    await first.ended();
  });

  it('gives every descriptor back', async () => {
    await using http = await startHttp();
    for (let at = 0; at < 20; at++) await askHttp(http.port, '/healthz');
    await eventually('none is held', () => http.server.server.listener.descriptors.connections === 0);
  });

  it('lets requests finish when the server ends, closes unused connections, and says that it is not ready', async () => {
    const { waiting, route: slow } = waitingRoute();
    const server = await TestServer.start({ http: { ...HERE, routes: [slow] } });
    const { port } = server.server.http!.address;
    await using busy = await RawHttp.connect(port);
    busy.send('GET /wait HTTP/1.1\r\nHost: x\r\n\r\n');
    await using idle = await RawHttp.connect(port);
    idle.send('GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n');
    await idle.until(/ok/);
    await eventually('the route is asked', () => waiting.length === 1);
    const drained = server.server.drain(10_000);
    await idle.ended();
    const agent = new Agent({ keepAlive: true });
    const ready = await askHttp(port, '/readyz', { agent });
    assert.deepEqual([ready.status, ready.headers.connection], [503, 'close']);
    assert.equal((await askHttp(port, '/healthz')).status, 200);
    assert.equal((await askHttp(port, '/wait')).status, 503);
    waiting[0]!.end('done');
    assert.match(await busy.ended(), /done/);
    await drained;
    await assert.rejects(askHttp(port, '/healthz'), { code: 'ECONNREFUSED' });
    await server[Symbol.asyncDispose]();
  });

  it('cuts requests that take longer than the server waits for them', async () => {
    const clock = new ManualClock();
    const { waiting, route: slow } = waitingRoute();
    await using http = await startHttp({ routes: [slow] }, clock);
    await using busy = await RawHttp.connect(http.port);
    busy.send('GET /wait HTTP/1.1\r\nHost: x\r\n\r\n');
    await eventually('the route is asked', () => waiting.length === 1);
    const drained = http.server.server.drain(5000);
    clock.advance(5000);
    await busy.ended();
    await drained;
  });

  it('speaks TLS and plain HTTP on one port, and shows new certificates after a reload', async () => {
    await using folder = await CertificateFolder.make();
    const first = issueForTest();
    const contexts = await loadCertificates({ certificates: [await folder.store('server', first)] });
    await using server = await TestServer.start({ http: HERE, tls: { contexts } });
    const { port } = server.server.http!.address;
    const secure = await askHttp(port, '/healthz', { ca: first.certificate });
    assert.match(String(secure.headers['strict-transport-security']), /^max-age=\d{8}/);
    assert.equal((await askHttp(port, '/healthz')).body, 'ok\n');
    const second = issueForTest();
    await folder.store('server', second);
    await server.server.reload(['certificates']);
    assert.equal((await askHttp(port, '/healthz', { ca: second.certificate })).status, 200);
    await assert.rejects(askHttp(port, '/healthz', { ca: first.certificate }));
  });

  it('sends browsers of other machines on to TLS where only that is taken, and refuses the rest', async () => {
    await using folder = await CertificateFolder.make();
    const contexts = await loadCertificates({ certificates: [await folder.store('server', issueForTest())] });
    const tls = { contexts, isRequired: true };
    await using server = await TestServer.start({ http: HERE, tls, proxyFrom: ['127.0.0.0/8'] });
    const { port } = server.server.http!.address;
    const answerTo = async (request: string): Promise<string> => {
      await using peer = await RawHttp.connect(port);
      peer.send(`PROXY TCP4 192.0.2.7 192.0.2.1 4711 80\r\n${request} HTTP/1.1\r\nHost: files.example\r\n\r\n`);
      return await peer.until(/\r\n\r\n/);
    };
    assert.match(
      await answerTo('GET /session?x=y'),
      /^HTTP\/1.1 308 [\s\S]*Location: https:\/\/files.example\/session\?x=y\r\n/,
    );
    assert.match(await answerTo('POST /login'), /^HTTP\/1.1 403 /);
    assert.match(await answerTo('GET /readyz'), /^HTTP\/1.1 200 /);
  });

  it('believes a balancer that tells whose a connection is', async () => {
    const seen: string[] = [];
    const see: HttpRoute['handle'] = ({ remoteAddress }, response) => {
      seen.push(remoteAddress);
      response.end('seen');
    };
    await using server = await TestServer.start({
      http: { ...HERE, routes: [route('/see', see)] },
      proxyFrom: ['127.0.0.0/8'],
    });
    await using peer = await RawHttp.connect(server.server.http!.address.port);
    peer.send('PROXY TCP4 192.0.2.7 192.0.2.1 4711 80\r\nGET /see HTTP/1.1\r\nHost: x\r\n\r\n');
    await peer.until(/seen/);
    assert.deepEqual(seen, ['192.0.2.7']);
  });

  it('is left out when its address is in use and nobody has asked for it, and is an error otherwise', async () => {
    await using first = await startHttp();
    await using second = await TestServer.start({ http: { ...HERE, port: first.port, isOptional: true } });
    assert.equal(second.server.http, undefined);
    assert.ok(second.events.some(({ event, level }) => event === 'no http: the address is in use' && level === 'warn'));
    await assert.rejects(TestServer.start({ http: { ...HERE, port: first.port } }), HttpAddressError);
  });
});
