// Moves a file or a directory with the SDK of Sluice. Moves another one first, prints `ready`, waits for a line, works, and prints a line of JSON.
import { parseArgs } from 'node:util';
import { connect } from '@sluice/client';

const { values } = parseArgs({
  options: {
    url: { type: 'string' },
    /** `file` or `tree`. */
    what: { type: 'string' },
    direction: { type: 'string' },
    local: { type: 'string' },
    remote: { type: 'string' },
    'warm-up-local': { type: 'string' },
    'warm-up-remote': { type: 'string' },
    'deadline-seconds': { type: 'string', default: '120' },
  },
});
setTimeout(() => fail(new Error('deadline passed')), Number(values['deadline-seconds']) * 1000).unref();

const client = await connect(values.url!);
await move(values['warm-up-local']!, values['warm-up-remote']!);
process.stdout.write('ready\n');
await new Promise<void>((resolve) => process.stdin.once('data', () => resolve()));
process.stdin.destroy();

const cpuBefore = process.cpuUsage();
const startMs = performance.now();
const bytes = await move(values.local!, values.remote!);
const seconds = (performance.now() - startMs) / 1000;
const { user, system } = process.cpuUsage(cpuBefore);
const report = { bytes, seconds, cpuSeconds: (user + system) / 1e6, setupSeconds: 0 };
process.stdout.write(`${JSON.stringify(report)}\n`, () => process.exit(0));

/** @returns bytes that were moved */
async function move(local: string, remote: string): Promise<number> {
  const isUpload = values.direction === 'upload';
  if (values.what === 'file')
    return (await (isUpload ? client.upload(local, remote) : client.download(remote, local))).bytes;
  const { bytes, failed } = await (isUpload ? client.uploadTree(local, remote) : client.downloadTree(remote, local));
  if (failed > 0) fail(new Error(`${failed} files failed`));
  return bytes;
}

function fail(error: unknown): void {
  process.stderr.write(`sdk-load: ${error instanceof Error ? error.message : error}\n`);
  process.exit(1);
}
