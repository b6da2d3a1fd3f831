import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, it } from 'node:test';
import { measureSpeed, type ProcessUse } from '@sluice/client';
import { PlainServer } from '@sluice/testkit';
import { summaryOf } from '../../../packages/client/dist/speed/latency.js';
import { limitingFactor } from '../../../packages/client/dist/speed/limiting-factor.js';

async function plainServer(): Promise<AsyncDisposable & { server: PlainServer }> {
  const root = await mkdtemp(path.join(tmpdir(), 'sluice-speed-'));
  const server = await PlainServer.listen({ root });
  return {
    server,
    async [Symbol.asyncDispose]() {
      await server.close();
      await rm(root, { recursive: true, force: true });
    },
  };
}

describe('measureSpeed of an original server', () => {
  it('sends packets that come back, in both directions, and says so', async () => {
    await using place = await plainServer();
    const result = await measureSpeed(place.server.url, { direction: 'up', streams: 2, bytes: 1_000_001 });
    assert.equal(result.method, 'cycle-packet');
    assert.ok(result.up!.bytes >= 1_000_001);
    assert.deepEqual(result.up, result.down);
    assert.equal(result.server, undefined);
    assert.ok(result.idleLatency.roundTrips >= 3);
    assert.ok(['unknown', 'client-cpu'].includes(result.limit));
    assert.deepEqual([...new Set(place.server.commands)], ['active', 'cyclepacket']);
    assert.equal(place.server.commands.filter((command) => command === 'active').length, 1, 'it is asked once');
  });

  it('ends when the time is over', async () => {
    await using place = await plainServer();
    const { seconds, up } = await measureSpeed(place.server.url, { seconds: 0.05 });
    assert.ok(seconds > 0.04 && up!.bytes > 0);
  });

  it('takes a server that does not answer the question about extensions for one', async () => {
    await using place = await plainServer();
    place.server.faults.ignored = 'Active';
    const result = await measureSpeed(place.server.url, { bytes: 100_000, responseTimeoutMs: 500 });
    assert.equal(result.method, 'cycle-packet');
  });

  it('fails when the server goes away', async () => {
    await using place = await plainServer();
    const measuring = measureSpeed(place.server.url, {
      seconds: 60,
      onInterval: () => place.server.cutAll(),
      intervalMs: 100,
    });
    await assert.rejects(measuring, { code: 'ERR_CONNECTION_LOST' });
    await place.server.close();
    await assert.rejects(measureSpeed(`sluice://127.0.0.1:1/`), { code: 'ERR_CONNECT' });
  });
});

describe('what limits the speed', () => {
  const use = (busyShare: number): ProcessUse => ({ cpuSeconds: 1, cpuShare: busyShare, busyShare });
  const flow = { bytes: 100, seconds: 1, bytesPerSecond: 100 };

  for (const [client, server, expected] of [
    [0.95, 0.5, 'client-cpu'],
    [0.5, 0.95, 'server-cpu'],
    [0.95, 0.95, 'both-cpus'],
    [0.5, 0.5, 'link'],
    [0.8, 0.5, 'unknown'],
    [0.5, 0.8, 'unknown'],
    [0.95, undefined, 'client-cpu'],
    [0.1, undefined, 'unknown'],
  ] as const) {
    it(`is ${expected} when the client is at work for ${client}, the server for ${server ?? 'nobody knows how long'}`, () => {
      const measured = { client: use(client), server: server === undefined ? undefined : use(server) };
      assert.equal(limitingFactor({ ...measured, serverCap: undefined, flows: [flow] }), expected);
    });
  }

  it('is not the link when an end has had to share its core: nobody knows what it would have done with all of it', () => {
    const starved = { cpuSeconds: 1, cpuShare: 0.2, busyShare: 0.5 };
    for (const [client, server] of [
      [starved, use(0.5)],
      [use(0.5), starved],
    ] as const)
      assert.equal(limitingFactor({ client, server, serverCap: undefined, flows: [flow] }), 'unknown');
    const resting = { cpuSeconds: 0, cpuShare: 0.01, busyShare: 0.05 };
    assert.equal(limitingFactor({ client: resting, server: resting, serverCap: undefined, flows: [flow] }), 'link');
  });

  it('is the rate of the server when that is reached, whatever else', () => {
    const measured = { client: use(0.99), server: use(0.99), flows: [flow] };
    assert.equal(limitingFactor({ ...measured, serverCap: 105 }), 'server-cap');
    assert.equal(limitingFactor({ ...measured, serverCap: 200 }), 'both-cpus');
  });
});

describe('round trips', () => {
  it('are summed up by the nearest rank', () => {
    const samples = Array.from({ length: 200 }, (_, i) => 200 - i);
    assert.deepEqual(summaryOf(samples), {
      roundTrips: 200,
      minMs: 1,
      medianMs: 100,
      p95Ms: 190,
      p99Ms: 198,
      maxMs: 200,
    });
    assert.deepEqual(summaryOf([7])?.p99Ms, 7);
    assert.equal(summaryOf([]), undefined);
  });
});
