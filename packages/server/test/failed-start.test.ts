import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readdir, readlink, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { it } from 'node:test';
import { ServerLog, SluiceServer, UserStore } from '@sluice/server';
import { ManualClock } from '@sluice/testkit';

/** What this process has open below a directory. */
async function openBelow(directory: string): Promise<string[]> {
  const targets = (await readdir('/proc/self/fd')).map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => ''));
  return (await Promise.all(targets)).filter((target) => target.startsWith(directory));
}

it('a server that cannot start leaves neither a timer nor an open directory behind', async () => {
  const root = await mkdtemp(path.join(os.tmpdir(), 'sluice-start-'));
  const clock = new ManualClock();
  const log = new ServerLog({ level: 'error', sinks: [] });
  const users = await UserStore.fromPairs([{ name: 'admin', password: 'admin' }]);
  const webhooks = [
    { url: 'http://127.0.0.1:1/', secret: Buffer.alloc(16), kinds: new Set(['after-commit'] as const) },
  ];
  const options = { host: '127.0.0.1', root, users, log, clock };
  try {
    const running = await SluiceServer.start({ ...options, port: 0 });
    const before = [clock.pendingTimers, (await openBelow(root)).length];
    await assert.rejects(SluiceServer.start({ ...options, port: running.address.port }), { code: 'EADDRINUSE' });
    assert.deepEqual([clock.pendingTimers, (await openBelow(root)).length], before);
    await running.close();

    await rm(path.join(root, '.sluice'), { recursive: true, force: true });
    await mkdir(path.join(root, '.sluice'));
    await writeFile(path.join(root, '.sluice', 'hooks'), '');
    await assert.rejects(SluiceServer.start({ ...options, port: 0, webhooks }), { code: 'ERR_NOT_A_DIRECTORY' });
    assert.deepEqual([clock.pendingTimers, await openBelow(root)], [0, []]);
  } finally {
    await rm(root, { recursive: true, force: true });
  }
});
