import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomFillSync } from 'node:crypto';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { describe, it } from 'node:test';
import tls from 'node:tls';
import { fileURLToPath } from 'node:url';
import { RawPeer } from '@sluice/testkit';
import {
  encodeBeginUploadRequest,
  encodeOpenFileRequest,
  encodePacket,
  FileMode,
  ProtocolFlag,
  requestText,
} from '@sluice/wire';
import { Command, events, Scratch, ServeCommand, sluice, urlOf } from './support/command.js';
import { Link } from './support/link.js';

const vectorFile = new URL('../../../../packages/wire/test/vectors.json', import.meta.url);
const vectors = JSON.parse(await readFile(fileURLToPath(vectorFile), 'utf8')) as { name: string; hex: string }[];
const LOGIN = Buffer.from(
  vectors.find(({ name }) => name === 'Login request (user admin, password admin)')!.hex,
  'hex',
);

interface WorkerFigures {
  readonly pid: number;
  readonly connections: number;
}

/** What `sluice stats` tells of a server. */
interface Stats {
  readonly connections: { readonly now: number; readonly accepted: number; readonly max: number };
  readonly restarts: number;
  readonly workers: Readonly<Record<string, WorkerFigures>>;
}

async function statsOf(server: ServeCommand): Promise<Stats> {
  const { exitCode, stdout, stderr } = await sluice(['stats', '--json', server.url]);
  assert.equal(exitCode, 0, stderr);
  return JSON.parse(stdout) as Stats;
}

async function workersOf(server: ServeCommand): Promise<(WorkerFigures & { readonly number: number })[]> {
  const { workers } = await statsOf(server);
  return Object.entries(workers).map(([number, figures]) => ({ ...figures, number: Number(number) }));
}

/** A connection that has logged in and said that it knows extensions. */
async function loggedIn(port: number, flag: number): Promise<RawPeer> {
  const peer = await RawPeer.connect(port);
  await peer.send(Uint8Array.of(flag), LOGIN);
  assert.match((await peer.nextPacket()).text, /Code=0/);
  await peer.send(encodePacket(requestText('Active', [['Features', 'all']])));
  assert.match((await peer.nextPacket()).text, /Code=0/);
  return peer;
}

/** Asks again and again until something holds. @throws after 15 s */
async function until(what: string, holds: () => Promise<boolean> | boolean): Promise<void> {
  for (const end = performance.now() + 15_000; performance.now() < end; ) {
    if (await holds()) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  assert.fail(`never: ${what}`);
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return !/^State:\s+Z/m.test(execFileSync('cat', [`/proc/${pid}/status`], { encoding: 'utf8', stdio: 'pipe' }));
  } catch {
    return false;
  }
}

/** What a server has logged. */
function said(server: ServeCommand): string {
  return server.command.stderr;
}

const TWO = ['--workers', '2'];

describe('sluice serve --workers', () => {
  it('says once where it listens, when all workers are ready, and names its processes', async () => {
    await using scratch = await Scratch.make();
    await using server = await ServeCommand.start(scratch.folder, ['--workers', '3']);
    assert.equal(server.command.stdout.match(/listening on/g)?.length, 1);
    const workers = await workersOf(server);
    assert.equal(workers.length, 3);
    const titleOf = async (pid: number) => (await readFile(`/proc/${pid}/cmdline`, 'latin1')).split('\0')[0];
    for (const { pid, number } of workers) assert.equal(await titleOf(pid), `sluice serve: worker ${number}`);
    const supervisor = execFileSync('ps', ['-o', 'ppid=', '-p', String(workers[0]!.pid)], { encoding: 'utf8' });
    assert.equal(await titleOf(Number(supervisor)), 'sluice serve: supervisor of 3 workers');
  });

  it('refuses a number that makes no sense', async () => {
    await using scratch = await Scratch.make();
    for (const workers of ['0', '257', 'many', '-1']) {
      const ended = await sluice(['serve', '--root', scratch.folder, `--workers=${workers}`]);
      assert.deepEqual([ended.exitCode, ended.stdout], [2, '']);
      assert.match(ended.stderr, /--workers needs a number from 1 to 256, or auto/);
    }
  });

  it('shares 200 connections among its workers, within 20 %, and counts them together', async () => {
    await using scratch = await Scratch.make();
    await using server = await ServeCommand.start(scratch.folder, TWO);
    const peers: RawPeer[] = [];
    for (let i = 0; i < 200; i += 1) peers.push(await RawPeer.connect(server.port));
    try {
      const { connections, workers } = await statsOf(server);
      assert.deepEqual([connections.now, connections.accepted], [201, 201]);
      for (const { connections } of Object.values(workers))
        assert.ok(Math.abs(connections - 100) <= 20, `${connections}`);
    } finally {
      for (const peer of peers) peer.destroy();
    }
    await until('places are free again', async () => (await statsOf(server)).connections.now === 1);
  });

  it('holds the limit of connections for all workers together', async () => {
    await using scratch = await Scratch.make();
    const limits = ['--max-connections', '3', '--when-full', 'refuse'];
    await using server = await ServeCommand.start(scratch.folder, [...TWO, ...limits]);
    const peers = await Promise.all([1, 2, 3].map(() => loggedIn(server.port, ProtocolFlag.Download)));
    using fourth = await RawPeer.connect(server.port);
    await fourth.send(Uint8Array.of(ProtocolFlag.Download), LOGIN);
    assert.match((await fourth.nextPacket()).text, /Code=12\r\n(?:.*\r\n)*RetryAfterMs=/);
    peers[1]?.destroy();
    await until('a place is free', async () => {
      using peer = await RawPeer.connect(server.port);
      await peer.send(Uint8Array.of(ProtocolFlag.Download), LOGIN);
      return /Code=0/.test((await peer.nextPacket()).text);
    });
    for (const peer of peers) peer.destroy();
  });

  it('lets one connection write a file, whatever worker has it, and a newer upload take over', async () => {
    await using scratch = await Scratch.make();
    await using server = await ServeCommand.start(scratch.folder, TWO);
    const open = encodePacket(encodeOpenFileRequest({ fileName: 'f', mode: FileMode.ReadWrite }));
    using first = await loggedIn(server.port, ProtocolFlag.RemoteStream);
    using second = await loggedIn(server.port, ProtocolFlag.RemoteStream);
    await first.send(open);
    assert.match((await first.nextPacket()).text, /Code=0/);
    await second.send(open);
    assert.match((await second.nextPacket()).text, /Code=11\b/);
    first.destroy();
    await until('the file is free', async () => {
      await second.send(open);
      return /Code=0/.test((await second.nextPacket()).text);
    });

    const begin = { dirName: '', fileName: 'up', fileSize: 10 << 20, sourceId: 'one source' };
    const request = encodePacket(encodeBeginUploadRequest(begin));
    using older = await loggedIn(server.port, ProtocolFlag.Upload);
    using newer = await loggedIn(server.port, ProtocolFlag.Upload);
    await older.send(request);
    assert.match((await older.nextPacket()).text, /Code=0/);
    await newer.send(request);
    assert.match((await newer.nextPacket()).text, /Code=0/);
    assert.match((await older.nextPacket()).text, /a newer upload has taken over/);
    await older.waitForClose();
    await until('both have logged, in two workers', () => {
      const lines = said(server).match(/upload begins.*worker=\d+/g) ?? [];
      return new Set(lines.map((line) => line.at(-1))).size === 2;
    });
  });

  it('takes the parts of one upload by connections of several workers', async () => {
    await using scratch = await Scratch.make();
    await using server = await ServeCommand.start(scratch.folder, [...TWO, '--log-level', 'debug']);
    const source = scratch.path('source');
    await writeFile(source, randomFillSync(Buffer.alloc(96 << 20)));
    await using link = await Link.to(server.port);
    const put = await sluice(['put', '--json', '--streams', '4', source, `${urlOf(link.port)}target`]);
    assert.equal(put.exitCode, 0, put.stderr);
    assert.equal(events(put)[0]?.['bytesSent'], 96 << 20);
    assert.equal(Buffer.compare(await readFile(scratch.path('target')), await readFile(source)), 0);
    const workers = new Set(
      said(server)
        .match(/an upload was joined.*worker=\d+/g)
        ?.map((line) => line.at(-1)),
    );
    assert.equal(workers.size, 2, said(server));
  });

  it('goes on with a TLS session at any worker', async () => {
    await using scratch = await Scratch.make();
    assert.equal((await sluice(['tls', '--out', scratch.folder, 'self-signed'])).exitCode, 0);
    const files = ['--tls-cert', scratch.path('server.crt'), '--tls-key', scratch.path('server.key')];
    await using server = await ServeCommand.start(scratch.folder, [...TWO, ...files]);
    let session: Buffer | undefined;
    const reused: boolean[] = [];
    for (let i = 0; i < 4; i += 1) {
      const options = { port: server.port, host: '127.0.0.1', rejectUnauthorized: false };
      const socket = tls.connect({ ...options, ...(session && { session }) });
      const told = new Promise<Buffer>((resolve) => socket.once('session', resolve));
      await once(socket, 'secureConnect');
      reused.push(socket.isSessionReused());
      session ??= await told;
      socket.destroy();
    }
    assert.deepEqual(reused, [false, true, true, true]);
  });

  it('shows and ends the connections of all workers, and switches all of them', async () => {
    await using scratch = await Scratch.make();
    await using server = await ServeCommand.start(scratch.folder, TWO);
    const peers = await Promise.all([1, 2, 3, 4].map(() => loggedIn(server.port, ProtocolFlag.Upload)));
    const listed = (await sluice(['clients', '--json', server.url])).stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    const ids = listed.filter(({ protocol }) => protocol === 'Upload').map(({ id }) => id as number);
    assert.equal(new Set(ids).size, 4);
    const gone = Promise.all(peers.slice(0, 2).map((peer) => peer.waitForClose()));
    for (const id of ids.slice(0, 2))
      assert.equal((await sluice(['kick', server.url, '--id', String(id)])).exitCode, 0);
    await gone;
    assert.equal((await sluice(['read-only', server.url, 'on'])).exitCode, 0);
    for (const peer of peers.slice(2)) {
      await peer.send(encodePacket(encodeBeginUploadRequest({ dirName: '', fileName: 'no', fileSize: 1 })));
      assert.match((await peer.nextPacket()).text, /Code=13\b/);
      peer.destroy();
    }
    const explained = await sluice(['explain', '--json', server.url, String(ids[0])]);
    assert.equal(explained.exitCode, 0, explained.stderr);
    assert.match(explained.stdout, /kicked/);
    const logs = await sluice(['logs', '--json', '--lines', '1000', server.url]);
    const workers = new Set(logs.stdout.match(/"worker":(\d+)/g));
    assert.equal(workers.size, 2, 'one log, with the lines of both');
  });

  it('loses only the connections of a worker that is killed, replaces it, and clients go on with another one', async () => {
    await using scratch = await Scratch.make();
    await using server = await ServeCommand.start(scratch.folder, TWO);
    const peers = await Promise.all(Array.from({ length: 6 }, () => loggedIn(server.port, ProtocolFlag.Download)));
    const gone = new Set<RawPeer>();
    for (const peer of peers) void peer.waitForClose().then(() => gone.add(peer));
    const source = scratch.path('source');
    await writeFile(source, Buffer.alloc(64 << 20, 'sluice'));
    await using link = await Link.to(server.port);
    const held = link.holdAfter(20 << 20);
    await using put = new Command([
      'put',
      '--json',
      '--streams',
      '1',
      '--retries',
      '20',
      source,
      `${urlOf(link.port)}target`,
    ]);
    await held;
    const before = await workersOf(server);
    const { pid } = before.find(
      ({ connections }) => connections === Math.max(...before.map((one) => one.connections)),
    )!;
    const putWorker = Number(/upload begins.*worker=(\d+)/.exec(said(server))?.[1]);
    const victim = before.find(({ number }) => number === putWorker) ?? { pid, number: 0, connections: 0 };
    process.kill(victim.pid, 'SIGKILL');
    link.release();
    const ended = await put.ended;
    assert.equal(ended.exitCode, 0, ended.stderr);
    assert.ok((events(ended)[0]?.['attempts'] as number) > 1);
    assert.equal(Buffer.compare(await readFile(scratch.path('target')), await readFile(source)), 0);
    await until('there are two workers again', async () => (await workersOf(server)).length === 2);
    const { restarts, connections } = await statsOf(server);
    assert.equal(restarts, 1);
    await until('those of the dead one are gone', () => gone.size === 3);
    const left = peers.filter((peer) => !gone.has(peer));
    assert.equal(left.length, 3, 'the others are there');
    assert.equal(connections.now, left.length + 1);
    for (const peer of left) {
      await peer.send(encodePacket(requestText('Active')));
      assert.match((await peer.nextPacket()).text, /Code=0/);
      peer.destroy();
    }
    assert.match(said(server), /a worker has died worker=\d signal=SIGKILL connections=\d/);
  });

  it('gets new workers by sluice reload, while the old ones end what is begun and nobody is refused', async () => {
    await using scratch = await Scratch.make();
    await using server = await ServeCommand.start(scratch.folder, TWO);
    const source = scratch.path('source');
    await writeFile(source, Buffer.alloc(64 << 20, 'sluice'));
    await using link = await Link.to(server.port);
    const held = link.holdAfter(20 << 20);
    await using put = new Command(['put', '--json', '--streams', '1', source, `${urlOf(link.port)}target`]);
    await held;
    const before = new Set((await workersOf(server)).map(({ pid }) => pid));
    let isReloaded = false;
    const refused: string[] = [];
    const knocking = (async () => {
      while (!isReloaded) {
        const ended = await sluice(['ls', server.url]);
        if (ended.exitCode !== 0) refused.push(ended.stderr);
      }
    })();
    const reload = await sluice(['reload', server.url]);
    assert.equal(reload.exitCode, 0, reload.stderr);
    const now = (await workersOf(server)).filter(({ pid }) => !before.has(pid));
    assert.equal(now.length, 2);
    isReloaded = true;
    await knocking;
    assert.deepEqual(refused, []);
    link.release();
    const ended = await put.ended;
    assert.equal(ended.exitCode, 0, ended.stderr);
    assert.equal(events(ended)[0]?.['attempts'], 1, 'the old worker has ended the upload');
    await until('the old ones have ended', () => [...before].every((pid) => !isAlive(pid)));
  });

  it('ends by SIGTERM when all workers are done, and at once by a second one', async () => {
    await using scratch = await Scratch.make();
    for (const count of [1, 2]) {
      await using server = await ServeCommand.start(scratch.folder, [...TWO, '--drain-timeout', '1m']);
      const pids = (await workersOf(server)).map(({ pid }) => pid);
      using idle = await loggedIn(server.port, ProtocolFlag.Download);
      using busy = await loggedIn(server.port, ProtocolFlag.Upload);
      if (count === 2) {
        await busy.send(encodePacket(encodeBeginUploadRequest({ dirName: '', fileName: 'up', fileSize: 10 })));
        assert.match((await busy.nextPacket()).text, /Code=0/);
      }
      const closed = idle.waitForClose();
      server.command.child.kill('SIGTERM');
      await closed;
      if (count === 2) {
        assert.equal(server.command.child.exitCode, null, 'an upload goes on');
        server.command.child.kill('SIGTERM');
      }
      const { exitCode, signal } = await server.command.ended;
      assert.deepEqual([exitCode, signal], [0, null]);
      assert.ok(pids.every((pid) => !isAlive(pid)));
    }
  });

  it('leaves no worker behind when the supervisor is killed', async () => {
    await using scratch = await Scratch.make();
    await using server = await ServeCommand.start(scratch.folder, TWO);
    const workers = await workersOf(server);
    const parent = execFileSync('ps', ['-o', 'ppid=', '-p', String(workers[0]!.pid)], { encoding: 'utf8' });
    process.kill(Number(parent), 'SIGKILL');
    await until('the workers have ended', () => workers.every(({ pid }) => !isAlive(pid)));
  });
});
