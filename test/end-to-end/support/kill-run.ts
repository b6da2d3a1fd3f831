import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { randomBytes, randomNumbers } from '@sluice/testkit';
import { Command, type Ended, events, Scratch, ServeCommand } from './command.js';
import { Link } from './link.js';

export interface KillOptions {
  /** SIGKILLs to be sent. */
  readonly count: number;
  /** Of sizes, directions, victims and moments. What the system does meanwhile is not the same twice. */
  readonly seed: number;
  readonly onRound?: (figures: KillFigures) => void;
  /** Asked after each round: whether to end before `count` is reached. @default never */
  readonly isEnough?: () => boolean;
}

/** What happened so far. */
export interface KillFigures {
  kills: number;
  killsOfServer: number;
  killsOfClients: number;
  uploads: number;
  downloads: number;
  /** Transfers that had ended with success when the kill came, or in spite of it. */
  acknowledgedAtFirst: number;
  /** Transfers that were run again, and those of them that did not begin at the start again. */
  runAgain: number;
  resumed: number;
  bytesMoved: number;
  bytesResumed: number;
  /** Comparisons of a file that was acknowledged with its source. */
  comparisons: number;
}

interface Transfer {
  readonly isUpload: boolean;
  readonly name: string;
  readonly source: string;
  readonly target: string;
  readonly bytes: number;
}

const MAX_BYTES = 24 << 20;
const TRANSFERS_AT_ONCE = 3;
/** Acknowledged files that stay, to be compared again after later kills. */
const KEPT_FILES = 24;
/** Longest wait for a kill by time: a client starts and ends within it. */
const MAX_DELAY_MS = 900;
const MAX_RUNS_AGAIN = 4;

/**
 * Transfers between the shipped command and the shipped server, of which one or the other is killed at a random byte or moment; then all is run
 * again. Every file that was acknowledged must be whole from then on, every transfer must come to its end, and nothing may be left behind.
 *
 * @throws {AssertionError} that says what was lost, with the seed
 */
export async function runKills({ count, seed, onRound, isEnough }: KillOptions): Promise<KillFigures> {
  await using scratch = await Scratch.make();
  for (const folder of ['root', 'sources', 'targets']) await mkdir(scratch.path(folder));
  const run = new KillRun(scratch, seed);
  await run.start();
  try {
    while (run.figures.kills < count && !isEnough?.()) {
      await run.round();
      onRound?.(run.figures);
    }
    await run.compareAll();
    return run.figures;
  } catch (error) {
    throw new assert.AssertionError({ message: `${error instanceof Error ? error.message : error} (seed ${seed})` });
  } finally {
    await run.stop();
  }
}

class KillRun {
  readonly figures: KillFigures = {
    kills: 0,
    killsOfServer: 0,
    killsOfClients: 0,
    uploads: 0,
    downloads: 0,
    acknowledgedAtFirst: 0,
    runAgain: 0,
    resumed: 0,
    bytesMoved: 0,
    bytesResumed: 0,
    comparisons: 0,
  };
  readonly #scratch: Scratch;
  readonly #seed: number;
  readonly #random: () => number;
  /** What is on the server, and must be whole: the oldest first. */
  #stored: Transfer[] = [];
  #server: ServeCommand | undefined;
  #link: Link | undefined;
  #transfers = 0;

  constructor(scratch: Scratch, seed: number) {
    this.#scratch = scratch;
    this.#seed = seed;
    this.#random = randomNumbers(seed);
  }

  async start(): Promise<void> {
    this.#server = await ServeCommand.start(this.#scratch.path('root'), [], this.#server?.port ?? 0);
    this.#link ??= await Link.to(this.#server.port);
  }

  async stop(): Promise<void> {
    await this.#server?.[Symbol.asyncDispose]();
    await this.#link?.[Symbol.asyncDispose]();
  }

  async round(): Promise<void> {
    const transfers: Transfer[] = [];
    for (let i = 0; i < TRANSFERS_AT_ONCE; i++) transfers.push(await this.#newTransfer());
    const clients = transfers.map((transfer) => this.#client(transfer, this.#random() < 0.5));
    const early = await this.#kill(clients, transfers);

    const ends = await Promise.all(clients.map(({ ended }) => ended));
    const done = transfers.filter((_, index) => ends[index]!.exitCode === 0);
    this.figures.acknowledgedAtFirst += done.length;
    for (const [index, end] of ends.entries()) if (end.exitCode === 0) this.#count(end, transfers[index]!);
    for (const transfer of early) await this.#compare(transfer);
    for (const transfer of done) await this.#compare(transfer);
    for (const transfer of transfers) if (!done.includes(transfer)) await this.#runAgain(transfer);

    await this.#requireNothingLeft(transfers);
    await this.#keep(transfers);
  }

  /** Compares every file that is on the server yet. */
  async compareAll(): Promise<void> {
    for (const transfer of this.#stored) await this.#compare(transfer);
  }

  /** Waits for the moment, kills, and starts the server again if need be. @returns what had been acknowledged by then */
  async #kill(clients: readonly Command[], transfers: readonly Transfer[]): Promise<readonly Transfer[]> {
    const link = this.#link!;
    const total = transfers.reduce((sum, { bytes }) => sum + bytes, 0);
    const allEnded = Promise.all(clients.map(({ ended }) => ended));
    const moment =
      this.#random() < 0.7
        ? link.holdAfter(1 + Math.floor(this.#random() * total))
        : new Promise((resolve) => setTimeout(resolve, this.#random() * MAX_DELAY_MS));
    await Promise.race([moment, allEnded]);

    const acknowledged = transfers.filter((_, index) => clients[index]!.child.exitCode === 0);
    const who = this.#random();
    const killsServer = who < 0.6;
    const victims = who > 0.4 ? clients.filter(() => this.#random() < 0.6) : [];
    for (const { child } of victims) {
      if (child.exitCode !== null || !child.kill('SIGKILL')) continue;
      this.figures.killsOfClients += 1;
    }
    if (killsServer) {
      await this.#server!.command.kill('SIGKILL');
      this.figures.killsOfServer += 1;
    }
    this.figures.kills = this.figures.killsOfClients + this.figures.killsOfServer;
    if (killsServer) link.cut();
    else link.release();
    if (killsServer) await this.start();
    return acknowledged;
  }

  async #runAgain(transfer: Transfer): Promise<void> {
    this.figures.runAgain += 1;
    for (let runs = 1; ; runs++) {
      const ended = await this.#client(transfer, true).ended;
      if (ended.exitCode !== 0 && runs < MAX_RUNS_AGAIN) continue;
      assert.equal(ended.exitCode, 0, `${this.#words(transfer)} does not come to its end: ${ended.stderr}`);
      const resumed = this.#count(ended, transfer);
      if (resumed > 0) this.figures.resumed += 1;
      break;
    }
    await this.#compare(transfer);
  }

  async #newTransfer(): Promise<Transfer> {
    const name = `file-${this.#transfers++}`;
    const bytes = Math.floor(this.#random() ** 2 * MAX_BYTES);
    const isUpload = this.#random() < 0.6;
    const content = randomBytes(this.#seed + this.#transfers, bytes);
    const source = isUpload ? this.#scratch.path('sources', name) : this.#scratch.path('root', name);
    const target = isUpload ? this.#scratch.path('root', name) : this.#scratch.path('targets', name);
    await writeFile(source, content);
    if (isUpload) this.figures.uploads += 1;
    else this.figures.downloads += 1;
    return { isUpload, name, source, target, bytes };
  }

  #client({ isUpload, name, source, target }: Transfer, goesOn: boolean): Command {
    const url = `sluice://admin:admin@127.0.0.1:${this.#link!.port}/${name}`;
    const retries = ['--json', '--retries', goesOn ? '8' : '0'];
    return new Command(isUpload ? ['put', ...retries, source, url] : ['get', ...retries, url, target]);
  }

  /** @returns the bytes that the run did not have to move */
  #count(ended: Ended, { isUpload }: Transfer): number {
    const event = events(ended).find(({ event }) => event === 'done');
    const resumed = (event?.['bytesResumed'] as number | undefined) ?? 0;
    this.figures.bytesMoved += (event?.[isUpload ? 'bytesSent' : 'bytesReceived'] as number | undefined) ?? 0;
    this.figures.bytesResumed += resumed;
    return resumed;
  }

  async #compare(transfer: Transfer): Promise<void> {
    this.figures.comparisons += 1;
    const [source, target] = await Promise.all([
      readFile(transfer.source),
      readFile(transfer.target).catch(() => undefined),
    ]);
    assert.ok(target?.equals(source), `${this.#words(transfer)} was acknowledged, and is not whole`);
  }

  /** No partial, no lock, no staged file of a transfer that has ended. */
  async #requireNothingLeft(transfers: readonly Transfer[]): Promise<void> {
    const onServer = (await readdir(this.#scratch.path('root'))).filter((name) => name !== '.sluice').sort();
    const expected = [...this.#stored, ...transfers].map(({ name }) => name).sort();
    assert.deepEqual(onServer, expected, 'the server has other files than were uploaded');
    const staged = await readdir(this.#scratch.path('root', '.sluice', 'staging')).catch(() => []);
    assert.deepEqual(staged, [], 'partials of uploads that have ended are left');
    const fetched = (await readdir(this.#scratch.path('targets'))).sort();
    const downloads = transfers.filter(({ isUpload }) => !isUpload).map(({ name }) => name);
    assert.deepEqual(fetched, downloads.sort(), 'the client has left something');
    for (const name of fetched) await rm(this.#scratch.path('targets', name));
  }

  /** Downloads are compared with what is on the server, so these files too stay for a while, to be compared with themselves no more. */
  async #keep(transfers: readonly Transfer[]): Promise<void> {
    for (const transfer of transfers) {
      if (transfer.isUpload) this.#stored.push(transfer);
      else await rm(transfer.source);
    }
    for (const transfer of this.#stored.splice(0, Math.max(0, this.#stored.length - KEPT_FILES))) {
      await this.#compare(transfer);
      for (const file of [transfer.source, transfer.target]) await rm(file);
    }
  }

  #words({ isUpload, name, bytes }: Transfer): string {
    return `${isUpload ? 'the upload' : 'the download'} ${path.basename(name)} of ${bytes} bytes`;
  }
}
