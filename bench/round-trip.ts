import { mkdtempSync, rmSync } from 'node:fs';
import { mkdir, open, rm } from 'node:fs/promises';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { connect } from '@sluice/client';
import { killAllChildren } from './child-processes.js';
import { startListeningServer } from './contenders/listening-server.js';
import { buildDirectory, repositoryRoot } from './repository.js';

/**
 * One upload over a link with a round trip, by the number of its connections: `node build/bench/round-trip.js [--size MIB] [--rounds N] [--window MIB]`.
 * The window is what the link holds of each connection, as the receive buffer of a real one does. Prints MB/s, the median of the rounds.
 */
const { values } = parseArgs({
  options: {
    size: { type: 'string', default: '1024' },
    rounds: { type: 'string', default: '3' },
    window: { type: 'string', default: '6' },
  },
});
const MIB = 1 << 20;
const sizeBytes = Number(values.size) * MIB;
const STREAMS = [1, 2, 4, 8];
const ROUND_TRIPS_MS = [0, 50];

const directory = mkdtempSync('/dev/shm/sluice-round-trip-');
process.on('exit', () => {
  killAllChildren();
  rmSync(directory, { recursive: true, force: true });
});
await mkdir(path.join(directory, 'root'));
const source = path.join(directory, 'source');
await using file = await open(source, 'w');
for (let at = 0; at < sizeBytes; at += 4 * MIB) await file.write(Buffer.alloc(4 * MIB, at / MIB));

const command = path.join(repositoryRoot, 'node_modules', '.bin', 'sluice');
const args = [
  'serve',
  '--listen',
  '127.0.0.1:0',
  '--http',
  'off',
  '--root',
  path.join(directory, 'root'),
  '--user',
  'bench:bench',
];
await using server = await startListeningServer(command, args);
process.stdout.write(`${values.size} MiB, window ${values.window} MiB\nround trip  streams  MB/s\n`);
for (const roundTripMs of ROUND_TRIPS_MS) {
  const proxyArgs = ['--target', String(server.port), '--delay', String(roundTripMs / 2)];
  const window = ['--window', String(Number(values.window) * MIB)];
  const program = path.join(buildDirectory, 'load', 'delay-proxy.js');
  await using proxy = await startListeningServer(process.execPath, [program, ...proxyArgs, ...window]);
  for (const streams of STREAMS) {
    const speeds: number[] = [];
    for (let round = 0; round < Number(values.rounds); round++) {
      await using client = await connect(`sluice://bench:bench@127.0.0.1:${proxy.port}/`);
      const { seconds } = await client.upload(source, 'up', { streams });
      await client.removeFile('up');
      speeds.push(sizeBytes / 1e6 / seconds);
    }
    const median = speeds.sort((a, b) => a - b)[Math.floor(speeds.length / 2)]!;
    process.stdout.write(
      `${String(roundTripMs).padStart(7)} ms  ${String(streams).padStart(7)}  ${median.toFixed(0).padStart(4)}\n`,
    );
  }
}
await rm(directory, { recursive: true, force: true });
process.exit(0);
