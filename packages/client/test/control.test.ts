import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, it } from 'node:test';
import { ClientError, type ControlClient, connectControl, OptionsError } from '@sluice/client';
import { PlainServer } from '@sluice/testkit';

async function plainServer(): Promise<AsyncDisposable & { server: PlainServer; control: ControlClient }> {
  const root = await mkdtemp(path.join(tmpdir(), 'sluice-control-'));
  const server = await PlainServer.listen({ root });
  const control = await connectControl(server.url, { retryDelayMs: 1 });
  return {
    server,
    control,
    async [Symbol.asyncDispose]() {
      await control.close();
      await server.close();
      await rm(root, { recursive: true, force: true });
    },
  };
}

describe('a ControlClient of an original server', () => {
  it('lists what GetClients tells, with the times as they are (V6, D23)', async () => {
    await using place = await plainServer();
    const [own] = await place.control.list();
    assert.equal(own?.protocol, 'Control');
    assert.equal(own.user, 'admin');
    assert.match(own.connectedAt, /^\d+\/\d+\/\d{4}, /);
    assert.equal(own.id, undefined);
  });

  it('watches by asking again and again, and goes on after a broken link', async () => {
    await using place = await plainServer();
    const seen: number[] = [];
    for await (const clients of place.control.watch({ intervalMs: 200 })) {
      seen.push(clients.length);
      if (seen.length === 2) place.server.cutAll();
      if (seen.length === 4) break;
    }
    assert.deepEqual(seen, [1, 1, 1, 1]);
  });

  it('says that it cannot do what only Sluice can', async () => {
    await using place = await plainServer();
    const { control } = place;
    for (const call of [
      control.kick({ id: 1 }),
      control.stats(),
      control.drain(),
      control.readOnly(),
      control.reload(),
      control.listUsers(),
      control.setUser({ name: 'ada', role: 'user' }),
      control.removeUser('ada'),
    ])
      await assert.rejects(call, (error) => error instanceof ClientError && error.code === 'ERR_UNSUPPORTED');
    assert.equal((await control.list()).length, 1);
  });
});

describe('watching', () => {
  it('refuses an interval outside 200 to 60,000 ms', async () => {
    await using place = await plainServer();
    for (const intervalMs of [0, 199, 60_001, Number.NaN])
      await assert.rejects(place.control.watch({ intervalMs }).next(), OptionsError);
  });

  it('ends with the reason of its signal, and with the client', async () => {
    await using place = await plainServer();
    const abort = new AbortController();
    const watched = place.control.watch({ signal: abort.signal });
    await watched.next();
    abort.abort(new Error('enough'));
    await assert.rejects(watched.next(), /enough/);
    const other = place.control.watch();
    await other.next();
    const next = other.next();
    await place.control.close();
    await assert.rejects(next, (error) => error instanceof ClientError && error.code === 'ERR_CLOSED');
  });
});
