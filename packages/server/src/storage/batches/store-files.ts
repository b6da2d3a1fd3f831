import {
  type BigIntStats,
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  fsyncSync,
  futimesSync,
  linkSync,
  lstatSync,
  openSync,
  readFileSync,
  renameSync,
  type Stats,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { xxh64 } from '@sluice/files';
import { storageErrorFrom, systemCodeOf } from '../storage-error.js';
import { type BatchedFile, type BatchJob, type BatchJobResult, type BatchOutcome, filesOf } from './batch-job.js';

const CREATE = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;

/** Stores the files of a job with a few synchronous calls each, which cost a tenth of what they cost through the thread pool. */
export function storeFiles(job: BatchJob): BatchJobResult {
  const startedMs = performance.now();
  let failure: string | undefined;
  const outcomes: BatchOutcome[] = [];
  const versions = new BigInt64Array(2 * job.digests.length);
  for (const file of filesOf(job)) {
    const index = outcomes.length;
    try {
      const outcome = store(job, file, `${job.temporaryPrefix}${index}.batch`, (modifiedNs, inode) => {
        versions[2 * index] = modifiedNs;
        versions[2 * index + 1] = inode;
      });
      outcomes.push(outcome);
    } catch (error) {
      const { code, cause } = storageErrorFrom(error, 'file');
      if (code === 'ERR_IO' || code === 'ERR_DISK_FULL') failure ??= systemCodeOf(cause) ?? code;
      outcomes.push(code);
    }
  }
  const elapsedMs = performance.now() - startedMs;
  return { bytes: job.bytes, outcomes: outcomes.join(), versions, failure, elapsedMs };
}

/** Told of a file that was written. */
type OnWritten = (modifiedNs: bigint, inode: bigint) => void;

/** @throws the system's error */
function store(job: BatchJob, file: BatchedFile, temporary: string, onWritten: OnWritten): BatchOutcome {
  const content = job.bytes.subarray(file.at, file.at + file.size);
  if (xxh64(content) !== file.digest) return 'damaged';
  const found = lstatSync(file.path, { throwIfNoEntry: false });
  if (found && !found.isFile()) return 'ERR_NOT_A_FILE';
  if (found && job.ifExists !== 'replace') {
    if (job.ifExists === 'newer' ? !isNewer(file, found) : !isSame(file, found)) return 'kept';
    // The file is this very one: the answer that said so was lost, and the batch has come again.
    if (job.ifExists !== 'newer') return 'stored';
  }
  const { mtimeNs, ino } = write(temporary, content, file, found, job.isDurable);
  try {
    if (job.ifExists === 'replace' || found) renameSync(temporary, file.path);
    else if (!linkNew(temporary, file.path)) return 'kept';
  } catch (error) {
    unlinkSync(temporary);
    throw error;
  }
  onWritten(mtimeNs, ino);
  return 'stored';
}

/** Writes a file that nobody can see yet; it is gone again when that fails. */
function write(
  path: string,
  content: Uint8Array,
  { modifiedUs, mode }: BatchedFile,
  found: Stats | undefined,
  isDurable: boolean,
): BigIntStats {
  const descriptor = openSync(path, CREATE, 0o666);
  let isWritten = false;
  try {
    for (let at = 0; at < content.length; ) at += writeSync(descriptor, content, at);
    const wantedMode = mode ?? (found && found.mode & 0o777);
    if (wantedMode !== undefined) fchmodSync(descriptor, wantedMode);
    if (modifiedUs !== undefined) {
      const seconds = (modifiedUs + 0.5) / 1e6; // what is below a microsecond is cut off
      futimesSync(descriptor, seconds, seconds);
    }
    if (isDurable) fsyncSync(descriptor);
    const written = fstatSync(descriptor, { bigint: true });
    isWritten = true;
    return written;
  } finally {
    try {
      closeSync(descriptor);
    } finally {
      if (!isWritten) unlinkSync(path);
    }
  }
}

/** Gives the file its name unless something has it by now. */
function linkNew(temporary: string, path: string): boolean {
  let isNew = true;
  try {
    linkSync(temporary, path);
  } catch (error) {
    if (systemCodeOf(error) !== 'EEXIST') throw error;
    isNew = false;
  }
  unlinkSync(temporary);
  return isNew;
}

function isNewer({ modifiedUs }: BatchedFile, found: Stats): boolean {
  return modifiedUs === undefined || modifiedUs > modifiedUsOf(found);
}

function isSame({ path, size, digest, modifiedUs }: BatchedFile, found: Stats): boolean {
  if (found.size !== size || (modifiedUs !== undefined && modifiedUs !== modifiedUsOf(found))) return false;
  return xxh64(readFileSync(path)) === digest;
}

function modifiedUsOf({ mtimeMs }: Stats): number {
  return Math.floor(mtimeMs * 1000);
}
