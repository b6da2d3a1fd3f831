import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import type { SluiceClient, TreeEntry } from '@sluice/client';
import { encodeDirResponse, encodePacket } from '@sluice/wire';
import { Fixture } from './fixture.js';

async function entriesOf(client: SluiceClient, path: string): Promise<TreeEntry[]> {
  const entries: TreeEntry[] = [];
  for await (const entry of client.listTree(path)) entries.push(entry);
  return entries;
}

async function plant(fixture: Fixture, paths: readonly string[]): Promise<void> {
  for (const path of paths) {
    await mkdir(join(fixture.server.root, path, '..'), { recursive: true });
    await writeFile(join(fixture.server.root, path), path);
  }
}

describe('listTree with an original server', () => {
  it('lists directory by directory, in the order of the command that the server does not have', async () => {
    await using fixture = await Fixture.make();
    const many = Array.from({ length: 9 }, (_, i) => `t/d${i}/f`);
    await plant(fixture, ['t/b', 't/a/z', 't/a/y/x', ...many]);
    assert.deepEqual(await entriesOf(fixture.client, '/t/'), [
      { path: 'b', kind: 'file', size: 3 },
      { path: 'a', kind: 'directory' },
      { path: 'a/z', kind: 'file', size: 5 },
      { path: 'a/y', kind: 'directory' },
      { path: 'a/y/x', kind: 'file', size: 7 },
      ...many.flatMap((_, i) => [
        { path: `d${i}`, kind: 'directory' },
        { path: `d${i}/f`, kind: 'file', size: 6 },
      ]),
    ]);
    assert.equal((await entriesOf(fixture.client, '')).length, 24);
  });

  it('rejects when there is no such directory', async () => {
    await using fixture = await Fixture.make();
    await assert.rejects(entriesOf(fixture.client, 'none'), { code: 'ERR_REMOTE', resultCode: 0x02000001 });
  });

  it('tells of names that mean another place, and goes into none of them', async () => {
    await using fixture = await Fixture.make();
    await plant(fixture, ['t/good/x']);
    fixture.server.faults.garbageFor = {
      command: 'Dir',
      bytes: encodePacket(encodeDirResponse('Dir', ['..', 'a\\b', 'good', ''])),
    };
    const problems = (await entriesOf(fixture.client, 't')).filter(({ problem }) => problem === 'unsafe-name');
    assert.ok(problems.some(({ path }) => path === '..'));
    assert.ok(problems.some(({ path }) => path === 'a\\b'));
  });

  it('stops asking when nobody wants more', async () => {
    await using fixture = await Fixture.make();
    await plant(fixture, ['a', 'b']);
    for await (const { path } of fixture.client.listTree('')) {
      assert.equal(path, 'a');
      break;
    }
    const controller = new AbortController();
    controller.abort(new Error('enough'));
    await assert.rejects(async () => {
      for await (const _ of fixture.client.listTree('', { signal: controller.signal })) assert.fail();
    }, /enough/);
  });
});

describe('verify with an original server', () => {
  it('says that the server cannot, at once, also when a file here is named', async () => {
    await using fixture = await Fixture.make();
    await plant(fixture, ['f']);
    const local = await fixture.writeLocal('here', Buffer.from('f'));
    for (const options of [{}, { local }]) {
      await assert.rejects(fixture.client.verify('f', options), { code: 'ERR_UNSUPPORTED', retryable: false });
    }
  });
});
