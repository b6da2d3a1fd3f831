import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { chmod, readFile, writeFile } from 'node:fs/promises';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, it } from 'node:test';
import { programHook, UPLOAD_EVENTS, type UploadEvent, type UploadHooks, UploadRefused } from '@sluice/server';
import { ManualClock } from '@sluice/testkit';
import type { Field } from '@sluice/wire';
import { ask, eventually, request, TestServer } from '../support/test-server.js';

const ALL = new Set(UPLOAD_EVENTS);
const SECRET = Buffer.from('0123456789abcdef');
const EMPTY_DIGEST = 'ef46db3751d8e999';

/** Uploads an empty file. @returns the code of BeginUpload, or of CommitUpload, and the message */
async function upload(server: TestServer, name = 'f.bin'): Promise<{ code: string; message: string }> {
  using peer = await server.login(2, [['Features', 'Staging']]);
  const begin: Field[] = [
    ['DirName', ''],
    ['FileName', name],
    ['FileSize', 0],
  ];
  let answer = await ask(peer, 'BeginUpload', begin);
  if (answer[1] === 'Code=0')
    answer = await ask(peer, 'CommitUpload', [
      ['FileSize', 0],
      ['Digest', EMPTY_DIGEST],
    ]);
  const valueAt = (index: number): string => answer[index]?.split('=')[1] ?? '';
  return { code: valueAt(1), message: answer[2]?.startsWith('Message=') ? valueAt(2) : '' };
}

/** An address that takes events, and answers as it is told. */
class Receiver implements AsyncDisposable {
  readonly #server: Server;
  readonly received: { readonly event: UploadEvent; readonly headers: IncomingHttpHeaders; readonly body: string }[] =
    [];
  status = 204;
  text = '';

  private constructor() {
    this.#server = createServer(async (message, response) => {
      let body = '';
      for await (const piece of message) body += piece;
      this.received.push({ event: JSON.parse(body) as UploadEvent, headers: message.headers, body });
      response.writeHead(this.status).end(this.text);
    });
  }

  static async start(): Promise<Receiver> {
    const receiver = new Receiver();
    await new Promise<void>((resolve) => receiver.#server.listen(0, '127.0.0.1', resolve));
    return receiver;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/hook`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

describe('hooks of uploads', () => {
  it('are told before an upload, after its commit, and when it has failed', async () => {
    const events: UploadEvent[] = [];
    const push = (event: UploadEvent): void => void events.push(event);
    await using server = await TestServer.start({
      hooks: [{ beforeUpload: push, afterCommit: push, onFailure: push }],
    });
    assert.equal((await upload(server)).code, '0');
    {
      using peer = await server.login(2, [['Features', 'Staging']]);
      await ask(peer, 'BeginUpload', [
        ['DirName', ''],
        ['FileName', 'g.bin'],
        ['FileSize', 5],
      ]);
    }
    await eventually('the failure is told', () => events.length === 4);
    assert.deepEqual(
      events.map(({ kind, files, user, durability, reason }) => ({ kind, files, user, durability, reason })),
      [
        {
          kind: 'before-upload',
          files: [{ name: 'f.bin', size: 0 }],
          user: 'admin',
          durability: undefined,
          reason: undefined,
        },
        {
          kind: 'after-commit',
          files: [{ name: 'f.bin', size: 0, digest: EMPTY_DIGEST }],
          user: 'admin',
          durability: 'durable',
          reason: undefined,
        },
        {
          kind: 'before-upload',
          files: [{ name: 'g.bin', size: 5 }],
          user: 'admin',
          durability: undefined,
          reason: undefined,
        },
        {
          kind: 'upload-failed',
          files: [{ name: 'g.bin', size: 5 }],
          user: 'admin',
          durability: undefined,
          reason: 'broken off',
        },
      ],
    );
  });

  it('hear of uploads of old clients too', async () => {
    const kinds: string[] = [];
    const push = ({ kind, files }: UploadEvent): void => void kinds.push(`${kind} ${files[0]?.name} ${files[0]?.size}`);
    await using server = await TestServer.start({ hooks: [{ beforeUpload: push, afterCommit: push }] });
    using peer = await server.login(2);
    await ask(peer, 'Upload', [
      ['DirName', ''],
      ['FileName', 'old.bin'],
    ]);
    await peer.send(request('Data', [], Buffer.from('four')));
    await ask(peer, 'Eof');
    await eventually('it is told', () => kinds.length === 2);
    assert.deepEqual(kinds, ['before-upload old.bin undefined', 'after-commit old.bin 4']);
  });

  it('may refuse an upload, and say why; one that fails refuses it without', async () => {
    const answers: [UploadHooks, string, string][] = [
      [{ beforeUpload: () => Promise.reject(new UploadRefused('no films')) }, '13', 'no films'],
      [
        { beforeUpload: () => Promise.reject(new Error('/secret/path')) },
        '4',
        'the server could not ask whether this may be uploaded',
      ],
    ];
    for (const [hooks, code, message] of answers) {
      await using server = await TestServer.start({ hooks: [hooks] });
      assert.deepEqual(await upload(server), { code, message });
    }
  });

  it('that fail afterwards are a line of the log, and nothing else', async () => {
    await using server = await TestServer.start({ hooks: [{ afterCommit: () => Promise.reject(new Error('down')) }] });
    assert.equal((await upload(server)).code, '0');
    await eventually('it is logged', () => server.events.some(({ event }) => event === 'a hook failed'));
  });
});

describe('a program as a hook', () => {
  it('gets the event as its argument and as JSON, and refuses by its exit code', async () => {
    await using server = await TestServer.start();
    const [program, seen] = [server.path('hook.sh'), server.path('seen')];
    await writeFile(
      program,
      `#!/bin/sh\necho "$1" >> ${seen}\ncat >> ${seen}\necho >> ${seen}\ncase "$(cat ${seen})" in *films*) echo "no films"; exit 1;; esac\n`,
    );
    await chmod(program, 0o755);
    await using told = await TestServer.start({ hooks: [programHook(program, ALL)] });
    assert.equal((await upload(told)).code, '0');
    await eventually(
      'it has run twice',
      async () => (await readFile(seen, 'utf8').catch(() => '')).split('\n').length > 4,
    );
    const [first, json = '', second] = (await readFile(seen, 'utf8')).split('\n');
    assert.deepEqual([first, second], ['before-upload', 'after-commit']);
    assert.equal((JSON.parse(json) as UploadEvent).files[0]?.name, 'f.bin');
    assert.deepEqual(await upload(told, 'films.mkv'), { code: '13', message: 'no films' });
  });

  it('that is missing refuses uploads that it was to be asked about', async () => {
    await using server = await TestServer.start({ hooks: [programHook('/no/such/program', ALL)] });
    assert.equal((await upload(server)).code, '4');
  });
});

describe('a webhook', () => {
  it('gets signed requests', async () => {
    await using receiver = await Receiver.start();
    await using server = await TestServer.start({ webhooks: [{ url: receiver.url, secret: SECRET, kinds: ALL }] });
    assert.equal((await upload(server)).code, '0');
    await eventually('both are told', () => receiver.received.length === 2);
    assert.deepEqual(
      receiver.received.map(({ event }) => event.kind),
      ['before-upload', 'after-commit'],
    );
    for (const { event, headers, body } of receiver.received) {
      const signed = `${headers['webhook-id']}.${headers['webhook-timestamp']}.${body}`;
      assert.equal(headers['webhook-signature'], `v1,${createHmac('sha256', SECRET).update(signed).digest('base64')}`);
      assert.equal(headers['webhook-id'], event.id);
    }
  });

  it('refuses an upload with 403, and its text is what the client is told', async () => {
    await using receiver = await Receiver.start();
    await using server = await TestServer.start({ webhooks: [{ url: receiver.url, secret: SECRET, kinds: ALL }] });
    [receiver.status, receiver.text] = [403, 'not today\nsecond line'];
    assert.deepEqual(await upload(server), { code: '13', message: 'not today' });
    receiver.status = 500;
    assert.equal((await upload(server)).code, '4');
  });

  it('is told again, later and later, until it answers 2xx', async () => {
    const clock = new ManualClock();
    await using receiver = await Receiver.start();
    receiver.status = 503;
    await using server = await TestServer.start({
      clock,
      webhooks: [{ url: receiver.url, secret: SECRET, kinds: new Set(['after-commit']) }],
    });
    await upload(server);
    const refusals = (): number =>
      server.events.filter(({ event }) => event === 'a webhook did not take an event').length;
    for (const attempt of [1, 2, 3]) {
      await eventually(`attempt ${attempt}`, () => refusals() === attempt);
      if (attempt === 3) receiver.status = 200;
      clock.advance(1000 * 2 ** (attempt - 1));
    }
    await eventually('the last attempt', () => receiver.received.length === 4);
    assert.equal(new Set(receiver.received.map(({ event }) => event.id)).size, 1);
    clock.advance(600_000);
    await upload(server, 'another.bin');
    await eventually('only the new one is told', () => receiver.received.length === 5);
  });

  it('is told after a restart what it has not taken before', async () => {
    await using receiver = await Receiver.start();
    receiver.status = 503;
    const webhooks = [{ url: receiver.url, secret: SECRET, kinds: ALL }];
    await using first = await TestServer.start({ webhooks: [{ ...webhooks[0]!, kinds: new Set(['after-commit']) }] });
    await upload(first);
    await eventually('it was not taken', () => receiver.received.length > 0);
    await first.server.close();
    receiver.status = 200;
    await using _second = await TestServer.start({ root: first.root, webhooks });
    await eventually('it is told', () => receiver.received.length > 1);
    assert.equal(new Set(receiver.received.map(({ event }) => event.id)).size, 1);
  });
});
