import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { appendFile, readFile, rm, writeFile } from 'node:fs/promises';
import { describe, it } from 'node:test';
import { Command, events, Scratch, ServeCommand, sluice, urlOf } from './support/command.js';
import { Link } from './support/link.js';

const MIB = 1 << 20;

describe('sluice cat', () => {
  it('brings a file whole although the link breaks', async () => {
    await using scratch = await Scratch.make();
    const content = randomBytes(24 * MIB).toString('hex');
    await writeFile(scratch.path('a'), content);
    await using server = await ServeCommand.start(scratch.folder);
    await using link = await Link.to(server.port);
    const held = link.holdAfter(20 * MIB);
    await using cat = new Command(['cat', `${urlOf(link.port)}a`]);
    await held;
    link.cut();
    const { exitCode, stdout, stderr } = await cat.ended;
    assert.equal(exitCode, 0, stderr);
    assert.ok(stdout === content);
  });

  it('fails when the file has changed while the link was broken', async () => {
    await using scratch = await Scratch.make();
    await writeFile(scratch.path('a'), randomBytes(24 * MIB));
    await using server = await ServeCommand.start(scratch.folder);
    await using link = await Link.to(server.port);
    const held = link.holdAfter(10 * MIB);
    await using cat = new Command(['cat', `${urlOf(link.port)}a`]);
    await held;
    await appendFile(scratch.path('a'), 'more');
    link.cut();
    const { exitCode, stderr } = await cat.ended;
    assert.equal(exitCode, 1);
    assert.match(stderr, /^sluice: a changed on the server while the connection was broken/);
  });

  it('ends without a word when the reader of its output goes away, and leaves nothing open', async () => {
    await using scratch = await Scratch.make();
    await writeFile(scratch.path('a'), Buffer.alloc(32 * MIB, 'x'));
    await using server = await ServeCommand.start(scratch.folder);
    await using cat = new Command(['cat', `${server.url}a`]);
    await cat.output(/x/);
    cat.child.stdout?.destroy();
    const { exitCode, stderr } = await cat.ended;
    assert.equal(exitCode, 1);
    assert.equal(stderr, '');
    const written = await sluice(['write', '--json', `${server.url}a`], { input: 'y' });
    assert.equal(written.exitCode, 0, written.stderr);
  });

  it('follows a file that others write to, also when the server starts again, and ends at the length it was given', async () => {
    await using scratch = await Scratch.make();
    await writeFile(scratch.path('log'), 'none of this: one\n');
    const server = await ServeCommand.start(scratch.folder);
    await using cat = new Command([
      'cat',
      '-f',
      '--retries',
      '100',
      '--tail',
      '4',
      '--length',
      '26',
      `${server.url}log`,
    ]);
    await cat.output(/^one\n$/);
    await appendFile(scratch.path('log'), 'two\n');
    await cat.output(/two\n$/);
    const written = await sluice(['write', '--offset', '22', `${server.url}log`], { input: 'three\n' });
    assert.equal(written.exitCode, 0, written.stderr);
    await cat.output(/three\n$/);
    await server[Symbol.asyncDispose]();
    await appendFile(scratch.path('log'), 'four\n');
    await using _ = await ServeCommand.start(scratch.folder, [], server.port);
    await cat.output(/four\n$/);
    await appendFile(scratch.path('log'), 'five, and more');
    const { exitCode, stdout, stderr } = await cat.ended;
    assert.equal(exitCode, 0, stderr);
    assert.equal(stdout, 'one\ntwo\nthree\nfour\nfive, a');
  });

  it('begins a followed file again that has become shorter, and waits for one that is gone', async () => {
    await using scratch = await Scratch.make();
    await writeFile(scratch.path('log'), 'a long line\n');
    await using server = await ServeCommand.start(scratch.folder);
    await using cat = new Command(['cat', '-f', `${server.url}log`]);
    await cat.output(/^a long line\n$/);
    await rm(scratch.path('log'));
    await cat.said(/log is not there any more/);
    await writeFile(scratch.path('log'), 'new\n');
    await cat.output(/new\n$/);
    assert.equal((await cat.kill('SIGINT')).exitCode, 130);
  });
});

describe('sluice write', () => {
  it('writes into the middle of a file although the link breaks, and ends when it is on the disk', async () => {
    await using scratch = await Scratch.make();
    const before = randomBytes(30 * MIB);
    const content = randomBytes(20 * MIB);
    await writeFile(scratch.path('a'), before);
    await using server = await ServeCommand.start(scratch.folder);
    await using link = await Link.to(server.port);
    const held = link.holdAfter(10 * MIB);
    await using write = new Command(['write', '--json', '--offset', '1m', `${urlOf(link.port)}a`], { input: content });
    await held;
    link.cut();
    const ended = await write.ended;
    assert.equal(ended.exitCode, 0, ended.stderr);
    const { seconds: _, ...event } = events(ended)[0] ?? {};
    assert.deepEqual(event, {
      event: 'done',
      target: `sluice://127.0.0.1:${link.port}/a`,
      offset: MIB,
      bytes: content.length,
      size: before.length,
      synced: true,
    });
    const after = await readFile(scratch.path('a'));
    content.copy(before, MIB);
    assert.ok(before.equals(after));
  });

  it('is refused a file that somebody has open', async () => {
    await using scratch = await Scratch.make();
    await using server = await ServeCommand.start(scratch.folder);
    await using first = new Command(['write', `${server.url}a`], { endsInput: false });
    first.child.stdin?.write('x');
    for (let tries = 0; tries < 400 && !(await readFile(scratch.path('a'), 'utf8').catch(() => '')); tries++)
      await new Promise((resolve) => setTimeout(resolve, 10));
    const second = await sluice(['write', `${server.url}a`], { input: 'y' });
    assert.equal(second.exitCode, 1);
    assert.match(second.stderr, /in use/);
    first.child.stdin?.end();
    assert.equal((await first.ended).exitCode, 0);
    assert.equal(await readFile(scratch.path('a'), 'utf8'), 'x');
  });
});
