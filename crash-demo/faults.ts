import { copyFileSync, mkdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { CONTENT_NAME, type Contender } from './contenders/contender.js';
import { type Damage, edit, extend, flipBit, truncateTail, zeroBlock, zeroTail } from './damage.js';
import { Link } from './link.js';
import type { Ended } from './program.js';
import { Trial } from './trial.js';

/** Of the whole content; not a multiple of anything. */
export const CONTENT_BYTES = (24 << 20) + 4_321;
const BROKEN_AFTER_BYTES = 13 << 20;
const SMALL_DISK_MIB = 16;
const ROOMY_DISK_MIB = 160;
const WRITERS_MEET_AFTER_BYTES = 6 << 20;
/** A second writer that waits for the first does not get so far. */
const MEETING_DEADLINE_MS = 2_000;
const OVERTAKING_DEADLINE_MS = 4_000;
const WRITER_DEADLINE_MS = 45_000;

export type Outcome = 'detected and repaired' | 'detected' | 'silent corruption' | 'whole' | 'n/a';

/** What became of a contender before a fault. */
export interface Result {
  readonly outcome: Outcome;
  /** What the reader should know of it. */
  readonly note?: string;
  /** What the client said last. */
  readonly said?: string;
}

/** Two files of the content's size, for trials to copy. */
export interface Contents {
  readonly first: string;
  readonly second: string;
}

/** Something that happens in the middle of a transfer: one column of the table. */
export interface Fault {
  readonly name: string;
  readonly title: string;
  readonly description: string;
  run(contender: Contender, contents: Contents): Promise<Result>;
}

const damages: readonly [string, string, string, Damage][] = [
  ['tail-zeroed', 'power cut: tail zeroed', 'the last 1 MiB of the partial reads as zeros', zeroTail],
  ['tail-lost', 'power cut: tail lost', 'the partial is 1 MiB shorter', truncateTail],
  ['block-zeroed', 'block zeroed', '64 KiB in the first half of the partial read as zeros', zeroBlock],
  ['bit-flipped', 'bit flipped', 'one bit in the first half of the partial is another', flipBit],
  ['extended', 'extended', 'the partial has 300 kB of other bytes behind its own', extend],
];

/** In the order of the table. */
export const FAULTS: readonly Fault[] = [
  {
    name: 'killed',
    title: 'server killed',
    description: 'SIGKILL to the server in the middle',
    async run(contender, { first }) {
      await using trial = new Trial(contender, first);
      await trial.breakAfter(BROKEN_AFTER_BYTES, 'server');
      await trial.startServer();
      return judge(trial, await trial.runToEnd('resume'));
    },
  },
  ...damages.map(
    ([name, title, description, damage]): Fault => ({
      name,
      title,
      description: `the link breaks, the server is killed, ${description}`,
      async run(contender, { first }) {
        await using trial = new Trial(contender, first);
        await trial.breakAfter(BROKEN_AFTER_BYTES, 'link');
        await trial.killServer();
        const partial = trial.partial();
        if (partial === undefined) return { outcome: 'n/a', note: 'keeps no partial: everything is sent again' };
        damage(partial);
        await trial.startServer();
        return judge(trial, await trial.runToEnd('resume'));
      },
    }),
  ),
  {
    name: 'source-edited',
    title: 'source edited',
    description: 'the link breaks; 64 KiB of the source that were sent already are written anew, with a later time',
    async run(contender, { first }) {
      await using trial = new Trial(contender, first);
      await trial.breakAfter(BROKEN_AFTER_BYTES, 'link');
      edit(trial.source);
      return judge(trial, await trial.runToEnd('resume'));
    },
  },
  {
    name: 'disk-full',
    title: 'disk full',
    description: `the disk has ${SMALL_DISK_MIB} MiB for 24; then there is room, and the client is started again`,
    run: fillDisk,
  },
  {
    name: 'two-writers',
    title: 'two writers',
    description:
      'two clients upload different files to one name; the second begins when the first is at a quarter, and overtakes it',
    run: meet,
  },
];

/** What the last attempt said, against what is there. */
function judge(trial: Trial, { code, output }: Ended): Result {
  if (code !== 0) return { outcome: 'detected', said: output };
  const isWhole = trial.received()?.equals(readFileSync(trial.source)) ?? false;
  return { outcome: isWhole ? 'detected and repaired' : 'silent corruption', said: output };
}

async function fillDisk(contender: Contender, { first }: Contents): Promise<Result> {
  await using trial = new Trial(contender, first);
  const enlarge = trial.place.mountSmall(trial.receivingFolder, SMALL_DISK_MIB);
  if (!enlarge) return { outcome: 'n/a', note: 'a small file system can be mounted by root only' };
  if (trial.isUpload) copyFileSync(first, trial.source);
  await trial.startServer();
  const full = await trial.runToEnd('first');
  if (full.code === 0) return judge(trial, full);
  enlarge(ROOMY_DISK_MIB);
  return judge(trial, await trial.runToEnd('resume'));
}

async function meet(contender: Contender, { first, second }: Contents): Promise<Result> {
  if (contender.direction === 'download') return { outcome: 'n/a', note: 'a fault of uploads' };
  if (contender.writersNeverMeet !== undefined) return { outcome: 'n/a', note: contender.writersNeverMeet };
  await using trial = new Trial(contender, first);
  await trial.startServer();
  const other = path.join(trial.place.other, 'writer', CONTENT_NAME);
  mkdirSync(path.dirname(other));
  copyFileSync(second, other);
  await using otherLink = await Link.to(trial.serverPort);

  const one = trial.attempt('first');
  await within(trial.link.holdAfter(WRITERS_MEET_AFTER_BYTES), MEETING_DEADLINE_MS);
  const two = trial.attempt('first', otherLink.port, other);
  await within(otherLink.holdAfter(WRITERS_MEET_AFTER_BYTES), MEETING_DEADLINE_MS);
  otherLink.release();
  await within(two.ended, OVERTAKING_DEADLINE_MS);
  trial.link.release();
  const ends = await Promise.all([one.endsWithin(WRITER_DEADLINE_MS), two.endsWithin(WRITER_DEADLINE_MS)]);

  const said = ends.map(({ output }) => output).join('\n');
  const succeeded = ends.map(({ code }) => code === 0);
  const received = trial.received();
  const isThere = [first, second].map((file) => received?.equals(readFileSync(file)) ?? false);
  if (!succeeded.includes(true)) return { outcome: 'detected', said };
  if (!isThere.some((there, index) => there && succeeded[index])) {
    const note = succeeded.includes(false) ? 'to one of the two clients; the other ends with an error' : undefined;
    return { outcome: 'silent corruption', said, ...(note && { note }) };
  }
  return { outcome: succeeded.includes(false) ? 'detected' : 'whole', said };
}

async function within(work: Promise<unknown>, deadlineMs: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, deadlineMs);
  });
  await Promise.race([work, late]);
  clearTimeout(timer);
}
