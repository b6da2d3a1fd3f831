import { mkdir, open, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { Scratch, ServeCommand } from '../command.js';
import type { AttackingPeer } from './attacking-peer.js';
import {
  type Attack,
  declareAndBeSilent,
  floodLog,
  followLog,
  LARGE_DIRECTORY,
  LARGE_FILE,
  neverRead,
  neverReadDownload,
  neverReadListings,
  neverReadRemoteFile,
  sendHalf,
  sendUpload,
  upload,
} from './attacks.js';
import { Bystander, type BystanderFigures } from './bystander.js';
import { type ProcessState, processState } from './server-process.js';
import { StalledDisk } from './stalled-disk.js';

/** A way to overload a server. */
export interface Scenario {
  readonly name: string;
  readonly what: string;
  readonly attack: Attack;
  /** Connections in the full size. */
  readonly connections: number;
  /** The disk stops answering when the connections are set up. */
  readonly stallsDisk?: boolean;
  /** What each connection does then. */
  readonly goOn?: (peer: AttackingPeer) => void;
  /** Needs the large directory. */
  readonly lists?: boolean;
  /** What goes on beside. */
  readonly beside?: (port: number, ms: number) => Promise<void>;
}

export const SCENARIOS: readonly Scenario[] = [
  { name: 'silent', what: 'declare 10 MiB and go silent', attack: declareAndBeSilent, connections: 2000 },
  { name: 'half', what: 'declare 10 MiB, send 5 MiB slowly', attack: sendHalf, connections: 2000 },
  { name: 'unread', what: 'ask for large answers and never read', attack: neverRead, connections: 2000, lists: true },
  {
    name: 'listings',
    what: 'ask for large listings and never read',
    attack: neverReadListings,
    connections: 2000,
    lists: true,
  },
  { name: 'reads', what: 'ask for 10 MiB of a file and never read', attack: neverReadRemoteFile, connections: 2000 },
  { name: 'downloads', what: 'begin downloads and never read', attack: neverReadDownload, connections: 2000 },
  {
    name: 'stalled',
    what: 'upload onto a stalled disk',
    attack: upload,
    connections: 200,
    stallsDisk: true,
    goOn: sendUpload,
  },
  { name: 'log', what: 'follow a flooded log and never read', attack: followLog, connections: 500, beside: floodLog },
];

export interface OverloadOptions {
  readonly connections: number;
  /** How long the attack stands once it is there, in milliseconds. */
  readonly standsMs: number;
  /** Files in the large directory. @default 20,000 */
  readonly largeFiles?: number;
  /** Options of `sluice serve`. */
  readonly serve: readonly string[];
  readonly onNote?: (note: string) => void;
}

export interface OverloadFigures {
  readonly before: ProcessState;
  /** When the attack stood. */
  readonly during: ProcessState;
  /** When what they had was given back, or 40 s after they had gone. */
  readonly after: ProcessState;
  /** Attackers that were let in and had set up what they wanted. */
  readonly established: number;
  /** Of these, those that the server has closed before the end. */
  readonly closed: number;
  readonly bystander: BystanderFigures;
}

const SMALL_DIRECTORY = 'few';
const SMALL_FILES = 20;
const LARGE_LISTING_FILES = 20_000;
const LARGE_FILE_BYTES = 64 << 20;
const AT_ONCE = 64;
const SETTLE_MS = 40_000;

/** Memory and descriptors have returned when there is no more than this beside what there was before. */
const SETTLED_BYTES = 48 << 20;
const SETTLED_DESCRIPTORS = 8;

/** Overloads the shipped server in one way, and looks at what that does to it and to others. */
export async function runScenario(scenario: Scenario, options: OverloadOptions): Promise<OverloadFigures> {
  await using scratch = await Scratch.make();
  const root = scratch.path('root');
  await makeRoot(root, options.largeFiles ?? LARGE_LISTING_FILES, scenario.lists === true);
  const disk = scenario.stallsDisk ? await StalledDisk.make(scratch.folder, root) : undefined;
  const logFile = ['--log-file', scratch.path('log')];
  await using server = await ServeCommand.start(root, [...options.serve, ...logFile], 0, disk?.environment);
  const { pid = 0 } = server.command.child;
  const bystander = new Bystander(server.port, SMALL_DIRECTORY);
  await bystander.visited(3);
  const before = await processState(pid);
  bystander.reset();
  const peers: AttackingPeer[] = [];
  try {
    const beside = scenario.beside?.(server.port, options.standsMs);
    await establish(scenario, server.port, options, peers);
    options.onNote?.(`${peers.length} stand`);
    await disk?.stall();
    if (scenario.goOn) for (const peer of peers) scenario.goOn(peer);
    await pause(options.standsMs);
    await beside;
    const during = await processState(pid);
    const figures = await bystander.stop();
    const closed = peers.filter(({ isClosed }) => isClosed).length;
    for (const peer of peers) peer.destroy();
    await disk?.goOn();
    const after = await settled(pid, before);
    return { before, during, after, established: peers.length, closed, bystander: figures };
  } finally {
    for (const peer of peers) peer.destroy();
    await disk?.goOn();
    await bystander.stop();
  }
}

async function settled(pid: number, before: ProcessState): Promise<ProcessState> {
  const endMs = performance.now() + SETTLE_MS;
  for (;;) {
    const state = await processState(pid);
    const hasSettled =
      state.residentBytes <= before.residentBytes + SETTLED_BYTES &&
      state.descriptors <= before.descriptors + SETTLED_DESCRIPTORS;
    if (hasSettled || performance.now() >= endMs) return state;
    await pause(500);
  }
}

async function establish(
  { attack }: Scenario,
  port: number,
  { connections, onNote }: OverloadOptions,
  peers: AttackingPeer[],
): Promise<void> {
  let next = 0;
  let failed = 0;
  const startedMs = performance.now();
  const lane = async (): Promise<void> => {
    while (next < connections && performance.now() - startedMs < 60_000) {
      const number = next;
      next += 1;
      try {
        const peer = attack(port, number);
        peers.push(await withinTime(peer, (late) => late.destroy()));
      } catch {
        failed += 1; // refused: that is one of the things a server may do
      }
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, lane));
  if (failed > 0) onNote?.(`${failed} were not let in`);
}

/** @param onLate gets what the work brings when nobody waits for it any more */
async function withinTime<T>(work: Promise<T>, onLate: (result: T) => void): Promise<T> {
  const timer = new AbortController();
  try {
    return await Promise.race([
      work,
      pause(5000, undefined, { signal: timer.signal }).then(() => {
        work.then(onLate, () => {});
        throw new Error('not within 5 s');
      }),
    ]);
  } finally {
    timer.abort();
  }
}

async function makeRoot(root: string, largeFiles: number, lists: boolean): Promise<void> {
  for (const [directory, files] of [
    [SMALL_DIRECTORY, SMALL_FILES],
    [LARGE_DIRECTORY, lists ? largeFiles : 0],
  ] as const) {
    await mkdir(path.join(root, directory), { recursive: true });
    for (let i = 0; i < files; i++)
      await writeFile(path.join(root, directory, `${'n'.repeat(180)}-${String(i).padStart(6, '0')}`), '');
  }
  await using file = await open(path.join(root, LARGE_FILE), 'w');
  await file.truncate(LARGE_FILE_BYTES);
}
