import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { describe, it } from 'node:test';
import { ClientError, connect, type SluiceClient } from '@sluice/client';
import { RawPeer } from '@sluice/testkit';
import { encodeOpenFileRequest, encodePacket, FileMode, ProtocolFlag, requestText } from '@sluice/wire';
import { Scratch, ServeCommand, sluice, urlOf } from './support/command.js';
import { Link } from './support/link.js';

const TWO = ['--workers', '2'];

async function named(scratch: Scratch): Promise<string[]> {
  return (await readdir(scratch.folder, { recursive: true })).filter((name) => !name.startsWith('.sluice')).sort();
}

/** Through a link that can be cut. */
async function through(link: Link): Promise<SluiceClient> {
  return connect(urlOf(link.port), { retryDelayMs: 1 });
}

async function codeOf(call: Promise<void>): Promise<number | string> {
  try {
    await call;
    return 0;
  } catch (error) {
    assert.ok(error instanceof ClientError, String(error));
    return error.resultCode ?? error.code;
  }
}

describe('renaming', () => {
  it('keeps what was recorded of an upload: sluice verify says that it is intact', async () => {
    await using scratch = await Scratch.make();
    await mkdir(scratch.path('root'));
    await using server = await ServeCommand.start(scratch.path('root'));
    await writeFile(scratch.path('source'), Buffer.alloc(9 << 20, 'sluice'));
    assert.equal((await sluice(['put', scratch.path('source'), `${server.url}u.bin`])).exitCode, 0);
    assert.equal((await sluice(['mkdir', `${server.url}done`])).exitCode, 0);
    const moved = await sluice(['mv', `${server.url}u.bin`, `${server.url}done/`]);
    assert.equal(moved.exitCode, 0, moved.stderr);
    const { exitCode, stdout } = await sluice(['verify', '--json', `${server.url}done/u.bin`]);
    assert.equal(exitCode, 0);
    assert.match(stdout, /"intact"/);
    assert.equal(
      Buffer.compare(await readFile(scratch.path('root', 'done', 'u.bin')), Buffer.alloc(9 << 20, 'sluice')),
      0,
    );
  });

  for (const [what, from, to] of [
    ['a file', 'a', 'sub/c'],
    ['a directory', 'sub', 'other'],
  ] as const) {
    it(`of ${what} is done once when the link breaks before its answer`, async () => {
      await using scratch = await Scratch.make();
      await mkdir(scratch.path('sub'));
      await writeFile(scratch.path('a'), 'content');
      await using server = await ServeCommand.start(scratch.folder);
      await using link = await Link.to(server.port);
      await using client = await through(link);
      link.cutOnAnswer('Command=Rename');
      await client.rename(from, to);
      assert.deepEqual(await named(scratch), from === 'a' ? ['sub', 'sub/c'] : ['a', 'other']);
    });
  }

  it('that the server has refused fails, also when the link breaks before that answer', async () => {
    await using scratch = await Scratch.make();
    await writeFile(scratch.path('a'), 'a');
    await writeFile(scratch.path('b'), 'b');
    await using server = await ServeCommand.start(scratch.folder);
    await using link = await Link.to(server.port);
    await using client = await through(link);
    link.cutOnAnswer('Command=Rename');
    await assert.rejects(client.rename('a', 'b'), { code: 'ERR_EXISTS' });
    await assert.rejects(client.rename('none', 'c'), { resultCode: 9 });
    await client.rename('a', 'b', { ifExists: 'replace' });
    assert.equal(await readFile(scratch.path('b'), 'utf8'), 'a');
  });

  it('knows at every worker what is written at another one', async () => {
    await using scratch = await Scratch.make();
    await writeFile(scratch.path('a'), 'a');
    await writeFile(scratch.path('b'), 'b');
    await using server = await ServeCommand.start(scratch.folder, TWO);
    using writer = await RawPeer.connect(server.port);
    const login = requestText('Login', [
      ['UserName', 'admin'],
      ['Password', '21232f297a57a5a743894a0e4a801fc3'],
    ]);
    const open = encodeOpenFileRequest({ fileName: 'a', mode: FileMode.ReadWrite });
    await writer.send(Uint8Array.of(ProtocolFlag.RemoteStream), encodePacket(login), encodePacket(open));
    for (const _ of [1, 2]) assert.match((await writer.nextPacket()).text, /Code=0/);
    // at either worker: connections are given to them in turn
    const clients = await Promise.all([1, 2, 3, 4].map(() => connect(server.url)));
    for (const client of clients) {
      assert.equal(await codeOf(client.rename('a', 'c')), 11);
      assert.equal(await codeOf(client.rename('b', 'a', { ifExists: 'replace' })), 11);
    }
    await writer.send(encodePacket(requestText('CloseFile')));
    assert.match((await writer.nextPacket()).text, /Code=0/);
    assert.equal(await codeOf(clients[0]!.rename('a', 'c')), 0);
    for (const client of clients) await client.close();
  });

  it('has one winner, whichever workers are asked at once, and loses no file', async () => {
    await using scratch = await Scratch.make();
    await using server = await ServeCommand.start(scratch.folder, TWO);
    const clients = await Promise.all([1, 2, 3, 4, 5, 6].map(() => connect(server.url, { retries: 0 })));
    for (let round = 0; round < 30; round += 1) {
      await writeFile(scratch.path('a'), `${round}`);
      const codes = await Promise.all(clients.map((client, i) => codeOf(client.rename('a', `${round}-${i}`))));
      assert.equal(codes.filter((code) => code === 0).length, 1, String(codes));
      assert.ok(
        codes.every((code) => code === 0 || code === 9 || code === 11),
        String(codes),
      );
      assert.deepEqual(
        (await named(scratch)).filter((name) => name.startsWith(`${round}-`)),
        [`${round}-${codes.indexOf(0)}`],
      );
      // there and back again at once: none of them waits for the other for ever
      await Promise.all([writeFile(scratch.path('x'), 'x'), writeFile(scratch.path('y'), 'y')]);
      await Promise.all(
        clients.map((client, i) =>
          codeOf(
            i % 2 ? client.rename('x', 'y', { ifExists: 'replace' }) : client.rename('y', 'x', { ifExists: 'replace' }),
          ),
        ),
      );
    }
    for (const client of clients) await client.close();
  });
});
