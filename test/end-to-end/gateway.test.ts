import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { GatewayPeer, RawPeer } from '@sluice/testkit';
import {
  type ClientRecord,
  type ConnectionExplanation,
  decodeJsonData,
  encodeExplainRequest,
  encodeKickRequest,
  encodeListClientsRequest,
  encodeLoginRequest,
  encodePacket,
  ProtocolFlag,
  requestText,
} from '@sluice/wire';
import { Scratch, ServeCommand, sluice } from './support/command.js';

const { Control } = ProtocolFlag;
const ADMIN_DIGEST = '21232f297a57a5a743894a0e4a801fc3';
const LOGIN = Buffer.concat([
  Uint8Array.of(Control),
  encodePacket(encodeLoginRequest({ userName: 'admin', passwordDigest: ADMIN_DIGEST, features: ['all'] })),
]);
const ACTIVE = encodePacket(requestText('Active'));

interface Gateway extends AsyncDisposable {
  readonly server: ServeCommand;
  readonly port: number;
}

/** `sluice serve` with HTTP on a free port. */
async function serve(folder: string, extra: readonly string[] = []): Promise<Gateway> {
  const server = await ServeCommand.start(folder, ['--http', '127.0.0.1:0', ...extra]);
  const [, port] = await server.command.output(/^dashboard on http:\/\/127\.0\.0\.1:(\d+)\//m);
  return { server, port: Number(port), [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() };
}

async function loggedIn(port: number): Promise<GatewayPeer> {
  const peer = await GatewayPeer.connect(port);
  peer.send(LOGIN);
  assert.equal((await peer.answer())[1], 'Code=0');
  return peer;
}

async function clientsOf(peer: GatewayPeer): Promise<ClientRecord[]> {
  peer.send(encodePacket(encodeListClientsRequest({ after: 0, limit: 1000 })));
  return decodeJsonData((await peer.nextPacket()).data) as ClientRecord[];
}

interface Stats {
  readonly connections: { readonly now: number; readonly closed: Readonly<Record<string, number>> };
  readonly workers: Readonly<Record<string, { readonly pid: number; readonly connections: number }>>;
}

async function statsOf({ server }: Gateway): Promise<Stats> {
  const { exitCode, stdout, stderr } = await sluice(['stats', '--json', server.url]);
  assert.equal(exitCode, 0, stderr);
  return JSON.parse(stdout) as Stats;
}

async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  for (const end = performance.now() + 15_000; performance.now() < end; ) {
    if (await holds()) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  assert.fail(`never: ${what}`);
}

for (const extra of [[], ['--workers', '2']]) {
  describe(`the gateway of ${['sluice serve', ...extra].join(' ')}`, () => {
    it('gives each connection an id of its own, whatever carries it, and finds it by that id', async () => {
      await using scratch = await Scratch.make();
      await using gateway = await serve(scratch.folder, extra);
      const peers = await Promise.all(Array.from({ length: 6 }, () => loggedIn(gateway.port)));
      const tcp = await Promise.all(Array.from({ length: 6 }, () => RawPeer.connect(gateway.server.port)));
      for (const peer of tcp) {
        await peer.send(LOGIN);
        await peer.nextPacket();
      }
      const clients = await clientsOf(peers[0]!);
      assert.equal(clients.length, 12);
      assert.equal(new Set(clients.map(({ id }) => id)).size, 12);
      for (const peer of peers) {
        const { port } = peer.socket.address() as { port: number };
        const client = clients.find(({ remoteAddress }) => remoteAddress === `127.0.0.1:${port}`);
        assert.ok(client);
        peers[0]!.send(encodePacket(encodeExplainRequest(client.id)));
        const told = decodeJsonData((await peers[0]!.nextPacket()).data) as ConnectionExplanation;
        assert.equal(told.connection.remoteAddress, client.remoteAddress);
        if (peer === peers[0]) continue;
        peers[0]!.send(encodePacket(encodeKickRequest({ id: client.id })));
        assert.equal((await peers[0]!.answer())[1], 'Code=0');
        assert.deepEqual(await peer.waitForEnd(), { code: 1008, reason: 'kicked' });
      }
      await until('the places are free', async () => (await statsOf(gateway)).connections.now <= 8);
      for (const peer of tcp) peer.destroy();
    });

    it('holds the limit of connections for all of them together, and lets who waits come in', async () => {
      await using scratch = await Scratch.make();
      await using gateway = await serve(scratch.folder, ['--max-connections', '4', '--max-waiting', '1', ...extra]);
      const peers = [await loggedIn(gateway.port), await loggedIn(gateway.port), await loggedIn(gateway.port)];
      using tcp = await RawPeer.connect(gateway.server.port);
      await tcp.send(LOGIN);
      await tcp.nextPacket();
      const waiting = await GatewayPeer.connect(gateway.port);
      waiting.send(LOGIN);
      await until('somebody is refused', async () => {
        await using refused = await GatewayPeer.connect(gateway.port);
        const end = await Promise.race([refused.waitForEnd(), new Promise((resolve) => setTimeout(resolve, 300))]);
        return end !== undefined && (end as { code: number }).code === 1013;
      });
      tcp.send(ACTIVE);
      await tcp.nextPacket();
      peers[0]!.webSocket.close();
      assert.equal((await waiting.answer())[1], 'Code=0');
      for (const peer of [...peers, waiting]) await peer[Symbol.asyncDispose]();
    });

    it('logs in who comes with the cookie of a login and from the own origin, until the logout', async () => {
      await using scratch = await Scratch.make();
      await using gateway = await serve(scratch.folder, extra);
      const origin = `http://127.0.0.1:${gateway.port}`;
      const body = JSON.stringify({ user: 'admin', password: 'admin' });
      const headers = { origin, 'content-type': 'application/json' };
      const login = await fetch(`${origin}/login`, { method: 'POST', headers, body });
      assert.equal(login.status, 204);
      const cookie = login.headers.get('set-cookie')!.split(';')[0]!;
      await assert.rejects(GatewayPeer.connect(gateway.port, { headers: { cookie } }), /403|401/);
      await assert.rejects(
        GatewayPeer.connect(gateway.port, { headers: { cookie }, origin: 'http://elsewhere.example' }),
        /403/,
      );
      const open = () => GatewayPeer.connect(gateway.port, { headers: { cookie }, origin });
      const peers = await Promise.all(Array.from({ length: 4 }, open));
      for (const peer of peers) {
        peer.send(Uint8Array.of(Control), encodePacket(requestText('Active', [['Features', 'all']])));
        assert.equal((await peer.answer())[1], 'Code=0');
      }
      assert.deepEqual(new Set((await clientsOf(peers[0]!)).map(({ user }) => user)), new Set(['admin']));
      await fetch(`${origin}/logout`, { method: 'POST', headers: { origin, cookie } });
      for (const peer of peers) assert.deepEqual(await peer.waitForEnd(), { code: 1008, reason: 'session-ended' });
    });

    it('drains its connections with the others', async () => {
      await using scratch = await Scratch.make();
      await using gateway = await serve(scratch.folder, extra);
      const peers = await Promise.all(Array.from({ length: 4 }, () => loggedIn(gateway.port)));
      gateway.server.command.child.kill('SIGTERM');
      for (const peer of peers) assert.deepEqual(await peer.waitForEnd(), { code: 1001, reason: 'shutdown' });
      assert.equal((await gateway.server.command.ended).exitCode, 0);
    });
  });
}

describe('the gateway of sluice serve --workers', () => {
  it('has its connections in several workers, and gives their places back when a worker dies', async () => {
    await using scratch = await Scratch.make();
    await using gateway = await serve(scratch.folder, ['--workers', '2', '--max-connections', '9']);
    const peers = await Promise.all(Array.from({ length: 8 }, () => loggedIn(gateway.port)));
    const { workers } = await statsOf(gateway);
    const counts = Object.values(workers).map(({ connections }) => connections);
    assert.ok(Math.min(...counts) >= 3, counts.join());
    process.kill(Object.values(workers)[0]!.pid, 'SIGKILL');
    await until('its connections are gone', async () => peers.some(({ ended }) => ended !== undefined));
    await until('their places are free', async () => {
      const { connections } = await statsOf(gateway);
      return connections.now === 1 + peers.filter(({ ended }) => ended === undefined).length;
    });
    const again = await Promise.all(peers.filter(({ ended }) => ended).map(() => loggedIn(gateway.port)));
    assert.ok(again.length >= 3);
    for (const peer of [...peers, ...again]) await peer[Symbol.asyncDispose]();
  });
});
