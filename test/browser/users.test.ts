import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { describe, it } from 'node:test';
import { type BrowserConnectOptions, connect, connectControl } from '@sluice/client/browser';
import { addUser } from '@sluice/server';
import { Scratch, ServeCommand } from '../end-to-end/support/command.js';
import { openSocket } from './support/browser-scene.js';

describe('A page that manages users', () => {
  it('makes, changes and removes one, whose password does not leave the page', async () => {
    await using scratch = await Scratch.make();
    await mkdir(scratch.path('root'));
    const file = scratch.path('users.json');
    await addUser(file, 'admin', 'admin', { settings: { role: 'admin' } });
    await using server = await ServeCommand.start(scratch.path('root'), ['--users', file, '--http', '127.0.0.1:0']);
    const [, url] = await server.command.output(/^dashboard on (http:\/\/[^/]+)\/$/m);
    const sent: Buffer[] = [];
    const open = (address: string, protocol: string): WebSocket => {
      const socket = openSocket(address, protocol);
      const send = socket.send.bind(socket);
      socket.send = (data) => {
        sent.push(Buffer.from(data as Uint8Array<ArrayBuffer>));
        send(data);
      };
      return socket;
    };
    const as = (userName: string, password: string): BrowserConnectOptions => ({
      url: url!,
      openSocket: open,
      session: false,
      userName,
      password,
    });
    await using control = await connectControl(as('admin', 'admin'));
    await control.setUser({ name: 'ada', isNew: true, role: 'read-only', password: 'correct horse' });
    const text = Buffer.concat(sent).toString('latin1');
    assert.match(text, /Command=SetUser\r\nUserName=ada\r\nNew=yes/);
    assert.doesNotMatch(text, /correct horse/);
    assert.deepEqual(
      (await control.listUsers()).users.map(({ name, role }) => [name, role]),
      [
        ['ada', 'read-only'],
        ['admin', 'admin'],
      ],
    );
    await using ada = await connect(as('ada', 'correct horse'));
    await ada.ping();
    await control.setUser({ name: 'ada', isDisabled: true });
    await assert.rejects(connect(as('ada', 'correct horse')), { code: 'ERR_LOGIN_REFUSED' });
    await control.removeUser('ada');
    await assert.rejects(control.removeUser('ada'), { code: 'ERR_REMOTE', resultCode: 6 });
  });
});
