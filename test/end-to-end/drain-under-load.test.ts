import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { describe, it } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { connect, type SluiceClient } from '@sluice/client';
import { randomBytes } from '@sluice/testkit';
import { Command, Scratch, ServeCommand, urlOf } from './support/command.js';

const FILE_BYTES = 2 << 20;
const BYTES_PER_SECOND = 2 << 20;
const UPLOADS = 6;
const DOWNLOADS = 4;

interface Outcome {
  readonly name: string;
  readonly isUpload: boolean;
  readonly isAcknowledged: boolean;
}

/** Clients whose transfers take a second each, one after the other, over a slow link, until the server lets them no more. */
class Load {
  readonly outcomes: Outcome[] = [];
  /** Names of transfers of which the server has something, and which have not ended. */
  readonly running = new Set<string>();
  readonly #scratch: Scratch;
  readonly #clients: SluiceClient[];
  readonly work: Promise<unknown>;

  constructor(scratch: Scratch, clients: SluiceClient[]) {
    this.#scratch = scratch;
    this.#clients = clients;
    this.work = Promise.all(clients.map((client, i) => this.#lane(client, i)));
  }

  async #lane(client: SluiceClient, lane: number): Promise<void> {
    const isUpload = lane < UPLOADS;
    for (let round = 0; ; round++) {
      const name = isUpload ? `up-${lane}-${round}` : `down-${lane}`;
      const onProgress = ({ bytesDone }: { readonly bytesDone: number }) => {
        if (bytesDone > 0) this.running.add(name);
      };
      const isAcknowledged = await (isUpload
        ? client.upload(this.#scratch.path(`source-${lane}`), name, { streams: 1, onProgress })
        : client.download(name, this.#scratch.path(`target-${lane}`), { streams: 1, resume: 'never', onProgress })
      ).then(
        () => true,
        () => false,
      );
      this.running.delete(name);
      this.outcomes.push({ name, isUpload, isAcknowledged });
      if (!isAcknowledged) return;
    }
  }

  async close(): Promise<void> {
    for (const client of this.#clients) await client.close();
  }
}

/** @param graceText of the server's drain */
async function drainUnderLoad(graceText: string) {
  await using scratch = await Scratch.make();
  await mkdir(scratch.path('root'));
  const contents = Array.from({ length: UPLOADS + DOWNLOADS }, (_, lane) => randomBytes(lane + 1, FILE_BYTES));
  for (const [lane, bytes] of contents.entries()) {
    await writeFile(scratch.path(lane < UPLOADS ? `source-${lane}` : `root/down-${lane}`), bytes);
  }
  await using server = await ServeCommand.start(scratch.path('root'), ['--drain-timeout', graceText]);
  const throttle = ['--throttle', String(BYTES_PER_SECOND)];
  await using proxy = new Command(['chaos', 'proxy', ...throttle, `127.0.0.1:${server.port}`]);
  const port = Number((await proxy.output(/^listening on 127\.0\.0\.1:(\d+)$/m))[1]);
  const clients = await Promise.all(contents.map(() => connect(urlOf(port), { retries: 0, connectTimeoutMs: 5000 })));
  const load = new Load(scratch, clients);
  // until everyone has had a file acknowledged, and most are in the middle of the next one
  while (load.outcomes.length < contents.length || load.running.size < contents.length / 2) await pause(5);
  const [atSignal, inTheMiddle] = [load.outcomes.length, [...load.running]];
  const ended = await server.command.kill('SIGTERM');
  await load.work;
  await load.close();
  const stored = new Map<string, Buffer>();
  for (const name of await readdir(scratch.path('root')))
    if (name.startsWith('up-')) stored.set(name, await readFile(scratch.path('root', name)));
  return { ended, outcomes: load.outcomes, atSignal, inTheMiddle, stored, contents };
}

/** Every acknowledged upload is there, whole; whatever has a name is whole. */
function assertNothingLost({ outcomes, stored, contents }: Awaited<ReturnType<typeof drainUnderLoad>>): void {
  for (const { name, isUpload, isAcknowledged } of outcomes)
    if (isUpload && isAcknowledged) assert.ok(stored.has(name), `${name} was acknowledged, and is not there`);
  for (const [name, bytes] of stored) {
    const lane = Number(/^up-(\d+)-/.exec(name)![1]);
    assert.ok(bytes.equals(contents[lane]!), `${name} is not what was sent`);
  }
}

describe('SIGTERM under load', () => {
  it('cuts no transfer that fits into the grace time, and loses nothing that was acknowledged', async () => {
    const result = await drainUnderLoad('30s');
    const { ended, outcomes, atSignal, inTheMiddle } = result;
    assert.equal(ended.exitCode, 0);
    const afterwards = outcomes.slice(atSignal);
    const cut = inTheMiddle.filter((name) => !afterwards.find((each) => each.name === name)?.isAcknowledged);
    assert.ok(inTheMiddle.length >= (UPLOADS + DOWNLOADS) / 2);
    assert.deepEqual(cut, []);
    assertNothingLost(result);
  });

  it('cuts what does not fit, and loses nothing that was acknowledged', async () => {
    const result = await drainUnderLoad('100ms');
    assert.equal(result.ended.exitCode, 0);
    assert.ok(result.outcomes.slice(result.atSignal).some(({ isAcknowledged }) => !isAcknowledged));
    assertNothingLost(result);
  });
});
