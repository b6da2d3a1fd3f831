import assert from 'node:assert/strict';
import { mkdir, readFile } from 'node:fs/promises';
import { describe, it } from 'node:test';
import { type ControlClient, connect, connectControl } from '@sluice/client';
import { addUser } from '@sluice/server';
import { Scratch, ServeCommand, sluice } from './support/command.js';

/** A server whose only user, admin with the password admin, comes from a file. */
class UsersScene implements AsyncDisposable {
  readonly scratch: Scratch;
  readonly server: ServeCommand;
  readonly origin: string;

  private constructor(scratch: Scratch, server: ServeCommand, origin: string) {
    this.scratch = scratch;
    this.server = server;
    this.origin = origin;
  }

  static async open(...options: string[]): Promise<UsersScene> {
    const scratch = await Scratch.make();
    await mkdir(scratch.path('root'));
    const file = scratch.path('users.json');
    await addUser(file, 'admin', 'admin', { settings: { role: 'admin' } });
    const asked = ['--users', file, '--http', '127.0.0.1:0', ...options];
    const server = await ServeCommand.start(scratch.path('root'), asked);
    const [, origin] = await server.command.output(/^dashboard on (http:\/\/[^/]+)\/$/m);
    return new UsersScene(scratch, server, origin!);
  }

  control(password = 'admin', userName = 'admin'): Promise<ControlClient> {
    return connectControl({ host: '127.0.0.1', port: this.server.port, userName, password }, { retries: 0 });
  }

  /** The status of a login by HTTP. */
  async httpLogin(user: string, password: string): Promise<number> {
    const headers = { 'content-type': 'application/json', origin: this.origin };
    const body = JSON.stringify({ user, password });
    return (await fetch(`${this.origin}/login`, { method: 'POST', headers, body })).status;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server[Symbol.asyncDispose]();
    await this.scratch[Symbol.asyncDispose]();
  }
}

const ended = (error: unknown): boolean =>
  ['ERR_LOGIN_REFUSED', 'ERR_REMOTE'].includes((error as { code: string }).code);

describe('users of a server that runs', () => {
  it('are made by an admin, log in by SCRAM and by HTTP, and are seen by sluice user', async () => {
    await using scene = await UsersScene.open();
    await using control = await scene.control();
    const made = { name: 'ada', isNew: true, root: 'home/ada', quotaBytes: 1024, password: 'pass wörd' } as const;
    await control.setUser(made);
    await assert.rejects(control.setUser(made), { code: 'ERR_REMOTE', resultCode: 6 });
    const { users, source } = await control.listUsers();
    assert.equal(source, 'file');
    assert.deepEqual(
      users.map(({ name, role, root, quotaBytes }) => [name, role, root, quotaBytes]),
      [
        ['ada', 'user', 'home/ada', 1024],
        ['admin', 'admin', '', undefined],
      ],
    );
    await using ada = await scene.control('pass wörd', 'ada');
    await assert.rejects(ada.listUsers(), { code: 'ERR_REMOTE', resultCode: 13 });
    assert.equal(await scene.httpLogin('ada', 'pass wörd'), 204);
    assert.equal(await scene.httpLogin('ada', 'wrong'), 401);
    const told = await sluice(['user', 'list', '--json', '--users', scene.scratch.path('users.json')]);
    assert.match(told.stdout, /"name":"ada".*"logins":\["scram"\]/);
    assert.doesNotMatch(await readFile(scene.scratch.path('users.json'), 'utf8'), /pass w/);
  });

  it('are changed and removed in all workers before the answer', async () => {
    await using scene = await UsersScene.open('--workers', '2');
    await using control = await scene.control();
    await control.setUser({ name: 'ada', isNew: true, password: 'first' });
    const address = { host: '127.0.0.1', port: scene.server.port, userName: 'ada', password: 'first' };
    const clients = await Promise.all(Array.from({ length: 6 }, () => connect(address, { retries: 0 })));
    const count = async (): Promise<number> => (await control.list()).filter(({ user }) => user === 'ada').length;
    assert.equal(await count(), 6);
    await control.setUser({ name: 'ada', password: 'second' });
    assert.equal(await count(), 0);
    // whichever worker gets them
    for (let i = 0; i < 4; i++) await assert.rejects(connect(address, { retries: 0 }), ended);
    await using again = await connect({ ...address, password: 'second' }, { retries: 0 });
    await again.ping();
    await control.removeUser('ada');
    assert.equal(await count(), 0);
    for (let i = 0; i < 4; i++)
      await assert.rejects(connect({ ...address, password: 'second' }, { retries: 0 }), ended);
    for (const client of clients) await client.close();
  });

  it('are told when an admin changes his own password, and the old one does not let in any more', async () => {
    await using scene = await UsersScene.open();
    await using control = await scene.control();
    await control.setUser({ name: 'admin', password: 'other' });
    await assert.rejects(scene.control(), ended);
    await using again = await scene.control('other');
    await assert.rejects(again.removeUser('admin'), { code: 'ERR_REMOTE', resultCode: 13 });
    await assert.rejects(again.setUser({ name: 'admin', password: '' }), { name: 'OptionsError' });
  });
});
