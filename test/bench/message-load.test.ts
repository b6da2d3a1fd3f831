import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import path from 'node:path';
import { describe, it } from 'node:test';
import { startListeningServer } from '#bench/contenders/listening-server.js';
import { plainNet } from '#bench/contenders/message-server.js';
import { buildDirectory } from '#bench/repository.js';

describe('the load of messages in Node', () => {
  it('exchanges so many messages with the plain rival, one at a time, several at a time, and in turns', async () => {
    await using server = await plainNet.start();
    for (const how of [[], ['--depth', '8'], ['--under-way', '3']]) {
      const { code, output } = await load(server.port, ['--connections', '10', '--messages', '500', ...how]);
      assert.equal(code, 0, output);
      assert.match(output, /^ready\n\{"messages":500,/);
    }
  });

  it('exchanges messages that come in many pieces', async () => {
    await using server = await plainNet.start();
    const { code, output } = await load(server.port, ['--data', String(1 << 20), '--messages', '5']);
    assert.equal(code, 0, output);
  });

  it('fails when an answer is not what it has to be', async () => {
    const wrong = `require('net').createServer((s) => s.on('data', (b) => s.write(Buffer.alloc(b.length, 1))).on('error', () => {}))
      .listen(0, '127.0.0.1', function () { console.log('listening on 127.0.0.1:' + this.address().port) })`;
    await using server = await startListeningServer(process.execPath, ['-e', wrong]);
    const { code, output } = await load(server.port, ['--messages', '5']);
    assert.equal(code, 1);
    assert.match(output, /message-load: an answer is not as expected/);
  });
});

function load(port: number, args: readonly string[]): Promise<{ code: number | null; output: string }> {
  const program = path.join(buildDirectory, 'load', 'message-load.js');
  const all = [program, '--port', String(port), '--data', '64', '--deadline-seconds', '60', ...args];
  const child = spawn(process.execPath, all, { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  }
  return new Promise((resolve) => child.once('close', (code) => resolve({ code, output })));
}
