import { rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { buildSharedLibrary, hasCompiler } from '../c-programs.js';
import type { RunningServer } from '../contenders/contender.js';
import { startListeningServer } from '../contenders/listening-server.js';
import { runLoad } from '../contenders/load-client.js';
import { type MessageJob, runMessages } from '../contenders/message-load.js';
import { command, digest, serveArguments, unavailable, user } from '../contenders/sluice.js';
import type { Quantity, Readings } from '../quantities.js';
import type { ReadingContext, ReadingsScenario } from '../readings.js';
import { CONTENT_NAME, Scratch } from '../scratch.js';

const P99: Quantity = { name: 'ping p99 µs', better: 'less', digits: 0, hasRatios: true };
const P50: Quantity = { name: 'ping p50 µs', better: 'less', digits: 0, hasRatios: true };
const RATE: Quantity = { name: 'messages/s', better: 'more', digits: 0 };

const PINGS: MessageJob = { connections: 50, dataBytes: 64, messages: 300_000 };
const WARM_UP: MessageJob = { ...PINGS, messages: 50_000 };
const QUICK_PART = 10;
const UPLOADS = 64;
const UPLOAD_BYTES = 256 * 1024 ** 2;
/** What the system takes of writes before they wait for the disk. */
const TAKES_BYTES = 96 * 1024 ** 2;
/** Until the uploads wait for the disk. */
const STALL_MS = 2_000;
const DEADLINE_MS = 120_000;
const SOURCE = 'test/end-to-end/support/overload/stalled-disk/stalled-disk.c';

/** What those feel of a disk that has stopped who do not use it. */
export const STALLED_DISK_SCENARIO: ReadingsScenario = {
  kind: 'readings',
  name: 'stalled-disk',
  description: `ping-pong of ${PINGS.dataBytes} B over ${PINGS.connections} connections, while ${UPLOADS} uploads wait for a disk that has stopped`,
  quantities: [P99, P50, RATE],
  plainName: 'no-uploads',
  note: ':plain is the ratio to the same without uploads.',
  subjects: [subjectOf('no-uploads', false), subjectOf('stalled-uploads', true)],
};

function subjectOf(name: string, hasUploads: boolean) {
  const missing = hasCompiler ? unavailable : { unavailable: 'no C compiler (cc)' };
  return {
    name,
    description: hasUploads ? 'with uploads onto a disk that does not answer' : 'with nothing else to do',
    ...missing,
    measure: async ({ scratch: given, isQuick }: ReadingContext): Promise<Readings> => {
      using scratch = new Scratch(UPLOAD_BYTES, given.given);
      scratch.serve(0);
      scratch.empty();
      const stall = path.join(scratch.directory, 'stalled');
      await using server = await startListeningServer(command, serveArguments(scratch.receivedRoot), {
        LD_PRELOAD: buildSharedLibrary(SOURCE),
        STALL_ROOT: scratch.receivedRoot,
        STALL_SWITCH: stall,
        STALL_TAKES: String(TAKES_BYTES),
      });
      await runMessages(server, WARM_UP, () => {});
      writeFileSync(stall, '');
      const uploading = hasUploads ? upload(server, scratch) : undefined;
      uploading?.catch(() => {}); // it is awaited below
      if (uploading) await new Promise((resolve) => setTimeout(resolve, STALL_MS));
      const messages = isQuick ? PINGS.messages / QUICK_PART : PINGS.messages;
      const { p50Us, p99Us, seconds } = await runMessages(server, { ...PINGS, messages }, () => {});
      rmSync(stall);
      await uploading;
      if (uploading) await scratch.check('upload', UPLOADS);
      return { [P99.name]: p99Us, [P50.name]: p50Us, [RATE.name]: messages / seconds };
    },
  };
}

async function upload(server: RunningServer, { sourceFile, fetchedDirectory }: Scratch): Promise<void> {
  const transfer = {
    direction: 'upload',
    connections: UPLOADS,
    bytes: UPLOAD_BYTES,
    name: CONTENT_NAME,
    sourceFile,
    fetchedDirectory,
    deadlineMs: DEADLINE_MS,
  } as const;
  await runLoad(server, transfer, { kind: 'sluice', packetBytes: 32 * 1024, user, digest }, () => {});
}
