import assert from 'node:assert/strict';
import { existsSync, statSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { describe, it } from 'node:test';
import { RawPeer } from '@sluice/testkit';
import { encodePacket, ProtocolFlag, requestText } from '@sluice/wire';
import { Command } from './support/command.js';

const ADMIN_DIGEST = '21232f297a57a5a743894a0e4a801fc3';
const ROUNDS = 20;
const UPLOADS_PER_ROUND = 2500;

/** Two lines of the log for each upload: that it begins, and that it is complete. */
const UPLOAD = Buffer.concat([
  encodePacket(
    requestText('Upload', [
      ['DirName', ''],
      ['FileName', 'f'],
    ]),
  ),
  encodePacket(requestText('Eof')),
]);

interface Line {
  readonly seq: number;
  readonly event?: string;
  readonly missed?: number;
}

async function serve(root: string, port: number): Promise<{ server: Command; port: number }> {
  const options = ['--durability', 'memory', '--log-history', '64M', '--user', 'admin:admin'];
  const server = new Command(['serve', '--listen', `127.0.0.1:${port}`, '--root', root, ...options]);
  const [, listening = ''] = await server.output(/listening on 127\.0\.0\.1:(\d+)/);
  return { server, port: Number(listening) };
}

async function upload(port: number, count: number): Promise<void> {
  using peer = await RawPeer.connect(port);
  const login = requestText('Login', [
    ['UserName', 'admin'],
    ['Password', ADMIN_DIGEST],
  ]);
  await peer.send(Uint8Array.of(ProtocolFlag.Upload), encodePacket(login));
  await peer.nextPacket();
  for (let done = 0; done < count; done += 100) {
    await peer.send(Buffer.concat(Array.from({ length: 100 }, () => UPLOAD)));
    for (let answered = 0; answered < 200; answered += 1) await peer.nextPacket();
  }
}

async function linesOf(file: string): Promise<Line[]> {
  const text = await readFile(file, 'utf8');
  return text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Line);
}

describe('sluice logs --output', () => {
  it('has every line of 100,000 exactly once, although it is killed 20 times and the server starts again', async () => {
    const directory = await mkdtemp(path.join(os.tmpdir(), 'sluice-logs-'));
    const [root, copy] = [path.join(directory, 'files'), path.join(directory, 'copy.jsonl')];
    await import('node:fs/promises').then(({ mkdir }) => mkdir(root));
    let { server, port } = await serve(root, 0);
    try {
      const args = ['logs', `sluice://admin:admin@127.0.0.1:${port}/`, '--output', copy, '--lines', '1000000'];
      for (let round = 0; round < ROUNDS; round += 1) {
        const before = existsSync(copy) ? statSync(copy).size : 0;
        await using reader = new Command([...args, '--follow']);
        const uploading = upload(port, UPLOADS_PER_ROUND);
        while ((existsSync(copy) ? statSync(copy).size : 0) <= before)
          await new Promise((resolve) => setTimeout(resolve, 5));
        await reader.kill('SIGKILL');
        await uploading;
        if (round === ROUNDS / 2) {
          assert.equal((await server.kill('SIGTERM')).exitCode, 0);
          ({ server } = await serve(root, port));
        }
      }
      await using last = new Command(args);
      const { exitCode, stderr } = await last.ended;
      assert.deepEqual([exitCode, stderr], [0, '']);

      const lines = await linesOf(copy);
      assert.ok(lines.every(({ missed }) => missed === undefined));
      const first = lines[0]!.seq;
      assert.equal(first, 1);
      const wrong = lines.findIndex(({ seq }, index) => seq !== first + index);
      assert.equal(wrong, -1, `line ${wrong} has the number ${lines[wrong]?.seq}`);
      const uploads = ROUNDS * UPLOADS_PER_ROUND;
      for (const event of ['upload begins', 'upload complete'])
        assert.equal(lines.filter((line) => line.event === event).length, uploads, event);
    } finally {
      await server.kill('SIGKILL');
      await rm(directory, { recursive: true, force: true });
    }
  });
});
