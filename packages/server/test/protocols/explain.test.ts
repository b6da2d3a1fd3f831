import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { describe, it } from 'node:test';
import { addUser, UserStore } from '@sluice/server';
import { ManualClock, type RawPeer } from '@sluice/testkit';
import {
  type ClosedConnection,
  type ConnectionExplanation,
  decodeJsonData,
  encodeExplainRequest,
  encodePacket,
  Key,
  ProtocolFlag,
} from '@sluice/wire';
import { ADMIN_DIGEST, answer, ask, eventually, request, TestServer } from '../support/test-server.js';

const { Control, Upload } = ProtocolFlag;

async function explain(peer: RawPeer, id?: number): Promise<{ text: string; json: string }> {
  await peer.send(encodePacket(encodeExplainRequest(id)));
  const { text, data } = await peer.nextPacket();
  return { text, json: Buffer.from(data).toString() };
}

async function explained(peer: RawPeer, id: number): Promise<ConnectionExplanation> {
  return JSON.parse((await explain(peer, id)).json) as ConnectionExplanation;
}

async function closed(peer: RawPeer): Promise<ClosedConnection[]> {
  return decodeJsonData(Buffer.from((await explain(peer)).json)) as ClosedConnection[];
}

describe('Explain (docs/protocol.md, section 17.18)', () => {
  it('tells what an upload has done, in order and at the times of the clock, without password, content or file name', async () => {
    const clock = new ManualClock();
    await using server = await TestServer.start({ clock });
    using control = await server.login(Control);
    using upload = await server.login(Upload);
    clock.advance(1500);
    await ask(upload, 'Upload', [
      [Key.DirName, ''],
      [Key.FileName, 'salary-list.txt'],
      [Key.FileSize, 19],
    ]);
    await upload.send(request('Data', [], Buffer.from('content of the file')));
    await ask(upload, 'Eof');
    const { connection, events, lostEvents } = await explained(control, 2);
    assert.deepEqual([connection.protocol, connection.user, lostEvents], ['Upload', 'admin', 0]);
    const told = events.map(({ direction = '', event }) => `${direction} ${event}`);
    assert.deepEqual(told, [
      'in protocol-byte',
      ' protocol-chosen',
      'in Login',
      ' login-accepted',
      'out Login',
      'in Upload',
      'out Upload',
      'in Data',
      'in Eof',
      'out Eof',
    ]);
    assert.deepEqual([events[2]?.atMs, events[5]?.atMs], [0, 1500]);
    upload.destroy();
    await eventually('the end', async () => (await closed(control)).length === 1);
    for (const json of [(await explain(control, 2)).json, (await explain(control)).json])
      for (const secret of [ADMIN_DIGEST, 'content', 'salary'])
        assert.ok(!json.includes(secret), `${secret} in ${json}`);
  });

  it('tells of a connection that has ended why, for 15 minutes', async () => {
    const clock = new ManualClock();
    await using server = await TestServer.start({ clock, idleTimeoutMs: 0 });
    using control = await server.login(Control);
    using stranger = await server.connect();
    await stranger.send(Uint8Array.of(200));
    await eventually('closing', async () =>
      (await explained(control, 2)).events.some(({ event }) => event === 'closing'),
    );
    stranger.destroy();
    await eventually('the end', async () => (await closed(control)).length === 1);
    const { connection, events } = await explained(control, 2);
    assert.deepEqual([connection.protocol, connection.reason, connection.durationMs], ['', 'unknown-protocol', 0]);
    assert.equal(events.at(-1)?.event, 'gone');
    clock.advance(15 * 60_000 - 1000);
    assert.equal((await closed(control)).length, 1);
    clock.advance(2000);
    assert.deepEqual(await closed(control), []);
    assert.match((await explain(control, 2)).text, /Code=6/);
  });

  it('refuses an id that nobody has had, and one that is none, and who is no admin', async () => {
    await using server = await TestServer.start();
    using control = await server.login(Control);
    assert.match((await explain(control, 99)).text, /Code=6\r\nMessage=connection 99 is not open/);
    assert.match((await ask(control, 'Explain', [[Key.Id, '0']])).join(), /Code=6/);
    using stranger = await server.connect();
    await stranger.send(Uint8Array.of(Control));
    await stranger.send(encodePacket(encodeExplainRequest(1)));
    assert.deepEqual((await answer(stranger)).slice(0, 2), ['Command=Explain', 'Code=8']);
  });

  it('is not for a user who is no admin, not even of connections of his own', async () => {
    const directory = await mkdtemp(path.join(os.tmpdir(), 'sluice-users-'));
    const file = path.join(directory, 'users.json');
    await addUser(file, 'ada', 'ada', { settings: { role: 'user', root: 'home' } });
    await using server = await TestServer.start({ users: await UserStore.load(file) });
    using peer = await server.connect();
    const login = request('Login', [
      ['UserName', 'ada'],
      ['Password', createHash('md5').update('ada').digest('hex')],
    ]);
    await peer.send(Uint8Array.of(Control), login);
    assert.equal((await answer(peer))[1], 'Code=0');
    for (const id of [undefined, 1]) {
      const { text, json } = await explain(peer, id);
      assert.match(text, /Code=13\r\nMessage=this needs the role admin/);
      assert.equal(json, '');
    }
    await rm(directory, { recursive: true });
  });
});
