import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { ClientError, connect, connectControl, OptionsError, type SluiceClient } from '@sluice/client';
import type { RandomSource } from '@sluice/testkit';
import { Key } from '@sluice/wire';
import { mutateBytes, textOf } from '../byte-text.js';
import type { FuzzTarget } from '../fuzz-target.js';
import { FuzzedServer } from './fuzzed-server.js';
import { type Lie, LyingServer } from './lying-server.js';
import { randomValue } from './random-message.js';

interface Deceived {
  readonly operation: string;
  readonly lies: readonly Lie[];
}

/** A call that has not settled after so long never does. */
const SETTLE_LIMIT_MS = 20_000;

/** @param local a directory of its own */
type Operation = (client: SluiceClient, local: string) => Promise<unknown>;

const OPERATIONS: Readonly<Record<string, Operation>> = {
  list: (client) => client.list(''),
  stat: (client) => client.stat('sub/c'),
  listTree: async (client) => {
    for await (const _ of client.listTree('')) {
      // all of them
    }
  },
  download: (client, local) => client.download('sub/c', path.join(local, 'c')),
  downloadTree: (client, local) => client.downloadTree('', path.join(local, 'tree')),
  upload: (client, local) => client.upload(path.join(local, 'source'), 'uploaded'),
  uploadStream: (client) => client.upload(streamOf('streamed'), 'streamed'),
  uploadTree: (client, local) => client.uploadTree(path.join(local, 'source-tree'), 'tree'),
  verify: (client) => client.verify('sub/c'),
  removeFile: (client) => client.removeFile('nothing'),
  rename: (client) => client.rename('sub/c', 'renamed'),
  makeDirectory: (client) => client.makeDirectory('made'),
  listPartials: (client) => client.listPartials(),
  remoteFile: async (client) => {
    await using file = await client.openRemoteFile('sub/c');
    await file.read(100);
    await file.stat();
  },
};

const NAMES = [...Object.keys(OPERATIONS), 'control'];
const KEYS = Object.values(Key);

/** The SDK against a server that lies: every call settles, with a result or one of its own errors, and nothing is written where it was not asked to. */
export function sdk(): FuzzTarget<Deceived> {
  let server: FuzzedServer;
  let liar: LyingServer;
  return {
    name: 'sdk',
    generate: (random) => ({
      operation: random.pick(NAMES),
      lies: Array.from({ length: random.between(1, 2) }, () => lie(random)),
    }),
    mutate({ operation, lies }, random) {
      const kept = lies.filter(() => random.chance(0.8));
      return { operation: random.chance(0.1) ? random.pick(NAMES) : operation, lies: [...kept, lie(random)].slice(-3) };
    },
    async run({ operation, lies }) {
      const directory = await mkdtemp(path.join(os.tmpdir(), 'sluice-fuzz-sdk-'));
      try {
        const local = path.join(directory, 'local');
        await mkdir(path.join(local, 'source-tree', 'sub'), { recursive: true });
        await writeFile(path.join(local, 'source'), 'y'.repeat(5000));
        await writeFile(path.join(local, 'source-tree', 'sub', 'one'), 'one');
        liar.tell(lies);
        const outcome = await settled(call(operation, liar.port, local));
        assert.deepEqual(await readdir(directory), ['local'], 'what was written beside the target');
        const expected = ['c', 'c.sluice-part', 'c.sluice-part.journal', 'source', 'source-tree', 'tree'];
        for (const name of await readdir(local))
          assert.ok(expected.includes(name) || name.startsWith('c.sluice'), `${name} was written`);
        return `${operation} ${outcome}`;
      } finally {
        await rm(directory, { recursive: true, force: true });
      }
    },
    split: ({ lies }) => lies,
    join: (parts, input) => ({ ...input, lies: parts as Lie[] }),
    async open() {
      server = await FuzzedServer.start();
      liar = await LyingServer.before(server.server.address.port);
    },
    async close() {
      await liar.stop();
      await server.stop();
    },
  };
}

async function call(operation: string, port: number, local: string): Promise<unknown> {
  const options = {
    retries: 1,
    retryDelayMs: 1,
    responseTimeoutMs: 100,
    connectTimeoutMs: 2000,
    login: 'digest',
  } as const;
  const url = `sluice://admin:admin@127.0.0.1:${port}`;
  if (operation === 'control') {
    const control = await connectControl(url, options);
    try {
      return [await control.list(), await control.stats()];
    } finally {
      await control.close();
    }
  }
  const client = await connect(url, options);
  try {
    return await OPERATIONS[operation]!(client, local);
  } finally {
    await client.close();
  }
}

/** @returns `done`, or the code of the error; @throws any other error, and when nothing comes */
async function settled(called: Promise<unknown>): Promise<string> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not settled after ${SETTLE_LIMIT_MS} ms`)), SETTLE_LIMIT_MS);
  });
  try {
    await Promise.race([called, limit]);
    return 'done';
  } catch (error) {
    if (error instanceof ClientError || error instanceof OptionsError) return error.code;
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

function lie(random: RandomSource): Lie {
  const packet = random.between(0, 6);
  const [key, value] = [random.pick(KEYS), randomValue(random)];
  const kind = random.weighted({
    value: 8,
    extra: 2,
    drop: 0.1,
    double: 1,
    end: 1,
    reset: 1,
    'no-data': 1,
    text: 1,
    data: 3,
    raw: 0.5,
    length: 0.5,
  });
  switch (kind) {
    case 'value':
    case 'extra':
      return {
        packet,
        how: {
          kind,
          key: random.chance(0.3) ? random.pick(['Code', 'Count', 'FileSize', 'Item', 'Size']) : key,
          value,
        },
      };
    case 'text':
      return { packet, how: { kind, bytes: mutateBytes('[Response]\r\nCommand=Dir\r\nCode=0', random) } };
    case 'data':
      return {
        packet,
        how: {
          kind,
          bytes: random.chance(0.5)
            ? textOf(random.bytes(random.between(1, 300)))
            : mutateBytes('{"path":"../../x","kind":"file","size":1}\n', random, ['../', '/', '\0', '..']),
        },
      };
    case 'raw':
      return { packet, how: { kind, bytes: textOf(random.bytes(random.between(1, 100))) } };
    case 'length':
      return {
        packet,
        how: { kind, at: random.pick([0, 4]), value: random.pick([0, 3, 4, 9, 10_485_760, 10_485_761, 0xffff_ffff]) },
      };
    default:
      return { packet, how: { kind } };
  }
}

async function* streamOf(text: string): AsyncIterable<Uint8Array> {
  yield Buffer.from(text);
}
