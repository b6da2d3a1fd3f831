import assert from 'node:assert/strict';
import { mkdir, readFile } from 'node:fs/promises';
import net from 'node:net';
import { describe, it } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { connect } from '@sluice/client';
import {
  decodeCommandText,
  decodeResponse,
  encodePacket,
  ProtocolFlag,
  ResultCode,
  requestText,
  responseRetryAfterMs,
} from '@sluice/wire';
import { Scratch, ServeCommand, sluice, urlOf } from './support/command.js';

/** What came of one attempt: an answer to Active, or a refusal with the time to come back, or nothing. */
type Attempt =
  | { readonly kind: 'served' }
  | { readonly kind: 'told'; readonly retryAfterMs: number }
  | { readonly kind: 'cut' };

const ACTIVE = Buffer.concat([Uint8Array.of(ProtocolFlag.Throughput), encodePacket(requestText('Active', []))]);

/** Connects, asks, holds the connection for a while if it is served, and ends. */
function attempt(port: number, holdMs: number): Promise<Attempt> {
  return new Promise((resolve) => {
    const socket = net.connect(port, '127.0.0.1');
    let received = Buffer.alloc(0);
    let result: Attempt = { kind: 'cut' };
    socket.on('error', () => {});
    socket.on('close', () => resolve(result));
    socket.on('connect', () => socket.write(ACTIVE));
    socket.on('data', (chunk: Buffer) => {
      received = Buffer.concat([received, chunk]);
      if (received.length < 4 || received.length < 4 + received.readUInt32LE(0)) return;
      const response = decodeResponse(decodeCommandText(received, 8, received.length));
      if (response.code === ResultCode.Success) {
        result = { kind: 'served' };
        setTimeout(() => socket.end(), holdMs);
      } else {
        assert.equal(response.code, ResultCode.Busy);
        result = { kind: 'told', retryAfterMs: responseRetryAfterMs(response)! };
        socket.end();
      }
    });
  });
}

/** Seconds of CPU that a process has used. */
async function cpuSeconds(pid: number): Promise<number> {
  const fields = (await readFile(`/proc/${pid}/stat`, 'latin1')).replace(/^.*\) /, '').split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

interface Line {
  readonly time: string;
  readonly event: string;
  readonly reason?: string;
  readonly count?: number;
}

describe('admission of sluice serve', () => {
  it('serves 2,000 clients with 256 descriptors, or tells them when to come back, without a line for each and without spinning', async () => {
    await using scratch = await Scratch.make();
    await mkdir(scratch.path('root'));
    const options = ['--log-format', 'json', '--when-full', 'refuse'];
    await using server = await ServeCommand.start(scratch.path('root'), options, 0, {}, 256);
    let told = 0;
    let cut = 0;
    const client = async (): Promise<void> => {
      for (;;) {
        const result = await attempt(server.port, 20);
        if (result.kind === 'served') return;
        if (result.kind === 'told') {
          told += 1;
          assert.ok(result.retryAfterMs >= 500 && result.retryAfterMs <= 5000, `${result.retryAfterMs}`);
          await pause(result.retryAfterMs * (1 + Math.random() / 2));
        } else {
          cut += 1;
          await pause(500 + 2500 * Math.random());
        }
      }
    };
    await Promise.all(Array.from({ length: 2000 }, client));
    assert.ok(told > 0, 'some were told');

    const pid = server.command.child.pid!;
    const before = await cpuSeconds(pid);
    await pause(1000);
    assert.ok((await cpuSeconds(pid)) - before < 0.3, 'it does not spin');
    await using other = await connect(urlOf(server.port));
    const { exitCode, stdout } = await sluice(['stats', '--json', urlOf(server.port)]);
    assert.equal(exitCode, 0);
    const stats = JSON.parse(stdout) as { descriptors: Record<string, number>; connections: Record<string, number> };
    assert.equal(stats.descriptors['limit'], 256);
    assert.ok(stats.descriptors['connections']! <= 2, 'those of who asks');
    assert.equal(stats.connections['told'], told);
    await other.close();

    const { exitCode: ended, stderr } = await server.command.kill('SIGTERM');
    assert.equal(ended, 0);
    const lines = stderr.split('\n').flatMap((line) => (line.startsWith('{') ? [JSON.parse(line) as Line] : []));
    const refusals = lines.filter(({ event }) => event === 'connections refused');
    assert.equal(
      refusals.reduce((sum, { count = 0 }) => sum + count, 0),
      told + cut,
      'each is in one of the lines',
    );
    for (const reason of new Set(refusals.map((line) => line.reason))) {
      const times = refusals.filter((line) => line.reason === reason).map(({ time }) => Date.parse(time));
      times.pop(); // the end of the server brings the rest
      times.forEach((time, i) => void assert.ok(i === 0 || time - times[i - 1]! > 9000, `${reason} at ${times}`));
    }
  });

  it('lets the clients of this version wait as they are told, and come in', async () => {
    await using scratch = await Scratch.make();
    await mkdir(scratch.path('root'));
    await using server = await ServeCommand.start(scratch.path('root'), [
      '--max-connections',
      '1',
      '--when-full',
      'refuse',
    ]);
    const first = await connect(server.url);
    const pauses: number[] = [];
    const second = connect(server.url, {
      onRetry: ({ delayMs, error }) => {
        pauses.push(delayMs);
        assert.match(error.message, /no room for another connection/);
        void first.close();
      },
    });
    await using client = await second;
    assert.deepEqual(await client.list('/'), []);
    assert.equal(pauses.length, 1);
    assert.ok(pauses[0]! >= 1000 && pauses[0]! <= 7500, `${pauses[0]}`);
  });

  it('holds the limits of an address when they are given, also for this machine', async () => {
    await using scratch = await Scratch.make();
    await mkdir(scratch.path('root'));
    await using server = await ServeCommand.start(scratch.path('root'), ['--max-per-address', '2']);
    const held = await Promise.all([attempt(server.port, 300), attempt(server.port, 300), attempt(server.port, 300)]);
    assert.deepEqual(held.map(({ kind }) => kind).toSorted(), ['served', 'served', 'told']);
    assert.equal((await attempt(server.port, 0)).kind, 'served');
  });

  it('lets in who logs in although 300 silent connections hold all places for those who have not', async () => {
    await using scratch = await Scratch.make();
    await mkdir(scratch.path('root'));
    await using server = await ServeCommand.start(scratch.path('root'), [
      ...['--max-unestablished', '100', '--first-byte-timeout', '1h', '--login-timeout', '1h'],
    ]);
    const silent = Array.from({ length: 300 }, () => net.connect(server.port, '127.0.0.1').on('error', () => {}));
    await Promise.all(silent.map((socket) => new Promise((resolve) => socket.once('connect', resolve))));
    await using client = await connect(server.url);
    assert.deepEqual(await client.list('/'), []);
    for (const socket of silent) socket.destroy();
  });
});
