// The load of random reads in Node: keeps a number of reads of 4 KiB in flight over one connection, with the SDK of Sluice or with the sftp client of
// the npm package ssh2. Same arguments, checks and output as random-reads.c.
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { connect } from '@sluice/client';

const READ_BYTES = 4096;

/** Reads at a place, and hands over what came. */
type Read = (position: number, onData: (data: Uint8Array) => void) => void;

const { values } = parseArgs({
  options: {
    kind: { type: 'string' },
    port: { type: 'string' },
    path: { type: 'string' },
    file: { type: 'string' },
    depth: { type: 'string' },
    reads: { type: 'string' },
    user: { type: 'string' },
    password: { type: 'string', default: '' },
    key: { type: 'string' },
    'deadline-seconds': { type: 'string', default: '120' },
  },
});
const content = readFileSync(values.file!);
const depth = Number(values.depth);
const blocks = Math.floor(content.length / READ_BYTES);
setTimeout(() => fail(new Error('deadline passed')), Number(values['deadline-seconds']) * 1000).unref();

const read = values.kind === 'sluice' ? await openWithSluice() : await openWithSsh2();
await run(read, 500);
process.stdout.write('ready\n');
await new Promise<void>((resolve) => process.stdin.once('data', () => resolve()));
process.stdin.destroy();

const cpuBefore = process.cpuUsage();
const startMs = performance.now();
await run(read, Number(values.reads));
const seconds = (performance.now() - startMs) / 1000;
const { user, system } = process.cpuUsage(cpuBefore);
const report = {
  bytes: Number(values.reads) * READ_BYTES,
  seconds,
  cpuSeconds: (user + system) / 1e6,
  setupSeconds: 0,
};
process.stdout.write(`${JSON.stringify(report)}\n`, () => process.exit(0));

async function openWithSluice(): Promise<Read> {
  const client = await connect(`sluice://${values.user}:${values.password}@127.0.0.1:${values.port}/`);
  const file = await client.openRemoteFile(values.path!);
  return (position, onData) => {
    file.readAt(position, READ_BYTES).then(onData, fail);
  };
}

async function openWithSsh2(): Promise<Read> {
  const { Client } = (await import('ssh2')).default;
  const client = new Client();
  await new Promise<void>((resolve) => {
    client.on('error', fail).on('ready', () => {
      client.setNoDelay(true); // it waits for acknowledgements otherwise, which costs nine tenths of its rate
      resolve();
    });
    client.connect({
      host: '127.0.0.1',
      port: Number(values.port),
      username: values.user!,
      privateKey: readFileSync(values.key!),
    });
  });
  return new Promise((resolve) => {
    client.sftp((error, session) => {
      if (error) return fail(error);
      session.open(values.path!, 'r', (failure, handle) => {
        if (failure) return fail(failure);
        resolve((position, onData) => {
          const target = Buffer.allocUnsafeSlow(READ_BYTES); // as the SDK: memory of its own for each read
          session.read(handle, target, 0, READ_BYTES, position, (reason, bytes) => {
            if (reason) fail(reason);
            else onData(target.subarray(0, bytes));
          });
        });
      });
    });
  });
}

/** Settles when so many reads are answered, each with the bytes that the file has there. */
function run(read: Read, reads: number): Promise<void> {
  return new Promise((resolve) => {
    let begun = 0;
    let done = 0;
    const begin = (): void => {
      if (begun === reads) return;
      begun += 1;
      const position = Math.floor(Math.random() * blocks) * READ_BYTES;
      read(position, (data) => {
        if (Buffer.compare(data, content.subarray(position, position + READ_BYTES)) !== 0)
          fail(new Error(`wrong bytes at ${position}`));
        done += 1;
        if (done === reads) resolve();
        else begin();
      });
    };
    for (let i = 0; i < depth; i++) begin();
  });
}

function fail(error: unknown): void {
  process.stderr.write(`random-reads: ${error instanceof Error ? error.message : error}\n`);
  process.exit(1);
}
