import assert from 'node:assert/strict';
import { createHash, randomFillSync } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { copyFile, open, readFile, stat, truncate, writeFile } from 'node:fs/promises';
import { describe, it } from 'node:test';
import { Command, events, Scratch, ServeCommand, sluice, urlOf } from './support/command.js';
import { Link } from './support/link.js';

const MIB = 1 << 20;
const SIZE = 400 * MIB;
const HELD_AT = 150 * MIB;

async function bigFile(file: string, bytes = SIZE): Promise<void> {
  const block = randomFillSync(Buffer.alloc(MIB));
  await using handle = await open(file, 'w');
  for (let at = 0; at < bytes; at += MIB) {
    block.writeUInt32LE(at / MIB); // so that no two blocks are alike
    await handle.write(block);
  }
}

async function digest(file: string): Promise<string> {
  const hash = createHash('sha1');
  for await (const chunk of createReadStream(file, { highWaterMark: MIB })) hash.update(chunk as Buffer);
  return hash.digest('hex');
}

/** Clearly less than the whole was moved, and what was moved and what was there make the whole. */
function assertResumed(event: Record<string, unknown> | undefined, moved: 'bytesSent' | 'bytesReceived'): void {
  const bytes = event?.[moved] as number;
  assert.ok(bytes > 0 && bytes < SIZE - HELD_AT / 2, `${moved} ${bytes}`);
  assert.equal(bytes + (event?.['bytesResumed'] as number), SIZE);
}

describe('a transfer of 400 MiB that is broken in the middle', () => {
  it('is resumed by the next put when the client was killed', async () => {
    await using scratch = await Scratch.make();
    await bigFile(scratch.path('big'));
    await using server = await ServeCommand.start(scratch.folder);
    await using link = await Link.to(server.port);
    const held = link.holdAfter(HELD_AT);
    await using first = new Command(['put', scratch.path('big'), `${urlOf(link.port)}up`]);
    await held;
    await first.kill('SIGKILL');
    link.release();
    const second = await sluice(['put', '--json', scratch.path('big'), `${server.url}up`]);
    assert.equal(second.exitCode, 0, second.stderr);
    assertResumed(events(second)[0], 'bytesSent');
    assert.equal(await digest(scratch.path('up')), await digest(scratch.path('big')));
  });

  it('is resumed by the running put when the server was killed and started again', async () => {
    await using scratch = await Scratch.make();
    await bigFile(scratch.path('big'));
    const server = await ServeCommand.start(scratch.folder);
    await using link = await Link.to(server.port);
    const held = link.holdAfter(HELD_AT);
    await using put = new Command(['put', '--json', '--retries', '20', scratch.path('big'), `${urlOf(link.port)}up`]);
    await held;
    await server.command.kill('SIGKILL');
    link.cut();
    await using _again = await ServeCommand.start(scratch.folder, [], server.port);
    const ended = await put.ended;
    assert.equal(ended.exitCode, 0, ended.stderr);
    assert.ok((events(ended)[0]?.['attempts'] as number) > 1);
    assert.equal(await digest(scratch.path('up')), await digest(scratch.path('big')));
  });

  it('is resumed by the running put when the link breaks', async () => {
    await using scratch = await Scratch.make();
    await bigFile(scratch.path('big'));
    await using server = await ServeCommand.start(scratch.folder);
    await using link = await Link.to(server.port);
    // One connection: of each, some 20 MB may be on their way when it breaks.
    await using put = new Command(['put', '--json', '--streams', '1', scratch.path('big'), `${urlOf(link.port)}up`]);
    for (let i = 0; i < 3; i++) {
      await link.holdAfter(60 * MIB);
      link.cut();
    }
    const ended = await put.ended;
    assert.equal(ended.exitCode, 0, ended.stderr);
    assert.equal(events(ended)[0]?.['attempts'], 4);
    assert.ok((events(ended)[0]?.['bytesSent'] as number) < SIZE + 100 * MIB);
    assert.equal(await digest(scratch.path('up')), await digest(scratch.path('big')));
  });

  it('is resumed by the next get when the client was killed', async () => {
    await using scratch = await Scratch.make();
    await bigFile(scratch.path('big'));
    await using server = await ServeCommand.start(scratch.folder);
    await using link = await Link.to(server.port);
    const held = link.holdAfter(HELD_AT);
    await using first = new Command(['get', `${urlOf(link.port)}big`, scratch.path('down')]);
    await held;
    await first.kill('SIGKILL');
    link.release();
    await assert.rejects(stat(scratch.path('down')), 'a file that is not complete must not have its name');
    const second = await sluice(['get', '--json', `${server.url}big`, scratch.path('down')]);
    assert.equal(second.exitCode, 0, second.stderr);
    assertResumed(events(second)[0], 'bytesReceived');
    assert.equal(await digest(scratch.path('down')), await digest(scratch.path('big')));
  });

  it('is resumed by the running get when the server was killed and started again', async () => {
    await using scratch = await Scratch.make();
    await bigFile(scratch.path('big'));
    const server = await ServeCommand.start(scratch.folder);
    await using link = await Link.to(server.port);
    const held = link.holdAfter(HELD_AT);
    await using get = new Command(['get', '--json', '--retries', '20', `${urlOf(link.port)}big`, scratch.path('down')]);
    await held;
    await server.command.kill('SIGKILL');
    link.cut();
    await using _again = await ServeCommand.start(scratch.folder, [], server.port);
    const ended = await get.ended;
    assert.equal(ended.exitCode, 0, ended.stderr);
    assert.equal(await digest(scratch.path('down')), await digest(scratch.path('big')));
  });
});

describe('a partial on the server that is not what it seems', () => {
  const damages: [string, (file: string) => Promise<void>][] = [
    [
      'zeroed at its end, as after a power cut',
      async (file) => {
        await using handle = await open(file, 'r+');
        await handle.write(Buffer.alloc(100_000), 0, 100_000, 19 * MIB);
      },
    ],
    ['shorter than what was acknowledged by the link', (file) => truncate(file, 7 * MIB + 3)],
    [
      'changed in one bit',
      async (file) => {
        await using handle = await open(file, 'r+');
        await handle.write(Buffer.of(0xff), 0, 1, 9 * MIB);
      },
    ],
    ['of other content altogether', (file) => writeFile(file, Buffer.alloc(20 * MIB, 1))],
  ];
  for (const [title, damage] of damages) {
    it(`is found out and sent again: ${title}`, async () => {
      await using scratch = await Scratch.make();
      await bigFile(scratch.path('source'), 40 * MIB);
      await copyFile(scratch.path('source'), scratch.path('up'));
      await truncate(scratch.path('up'), 20 * MIB);
      await damage(scratch.path('up'));
      await using server = await ServeCommand.start(scratch.folder);
      const put = await sluice(['put', scratch.path('source'), `${server.url}up`]);
      assert.equal(put.exitCode, 0, put.stderr);
      assert.ok((await readFile(scratch.path('up'))).equals(await readFile(scratch.path('source'))));
    });
  }

  it('is replaced by the whole source when it is longer: staged uploads need no --force (C8)', async () => {
    await using scratch = await Scratch.make();
    await writeFile(scratch.path('source'), 'short');
    await writeFile(scratch.path('up'), 'longer than that');
    await using server = await ServeCommand.start(scratch.folder);
    assert.equal((await sluice(['put', scratch.path('source'), `${server.url}up`])).exitCode, 0);
    assert.equal(await readFile(scratch.path('up'), 'utf8'), 'short');
  });
});
