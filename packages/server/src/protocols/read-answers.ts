import { Command, ReadAnswer } from '@sluice/wire';
import type { Session } from '../protocol.js';
import type { RemoteFile } from './remote-file.js';

/** Up to so many bytes are read to where they are sent from, and leave with the other answers of a tick in one write. */
const MAX_IN_PLACE_BYTES = 32 << 10;

/** What stands in front of the data is shorter. */
const MAX_HEAD_BYTES = 128;

const canonical = new Map(
  [Command.Read, Command.ReadAt].map((command) => [command as string, new ReadAnswer(command)]),
);

/** Bytes of a file that a client asks for. */
export interface ReadCall {
  readonly command: string;
  readonly tag: number | undefined;
  readonly position: number;
  readonly count: number;
}

/**
 * Reads, and answers with what was read.
 *
 * @param done told how many bytes were read, before they are sent
 * @returns a promise when the thread pool reads
 * @throws {StorageError}
 */
export function answerRead(
  session: Session,
  file: RemoteFile,
  call: ReadCall,
  done: (got: number) => void = nothing,
): void | Promise<void> {
  const room = call.count > MAX_IN_PLACE_BYTES ? session.memory.roomToSend(call.count) : undefined;
  if (room) return room.then(() => readAndAnswer(session, file, call, done));
  return readAndAnswer(session, file, call, done);
}

function readAndAnswer(
  session: Session,
  file: RemoteFile,
  call: ReadCall,
  done: (got: number) => void,
): void | Promise<void> {
  const { tag, position, count } = call;
  const answer = canonical.get(call.command) ?? new ReadAnswer(call.command);
  if (!file.readsDirectly(count)) return readPooled(session, file, call, answer, done);
  if (count > MAX_IN_PLACE_BYTES) {
    const buffer = Buffer.allocUnsafeSlow(MAX_HEAD_BYTES + count);
    const got = file.readNow(buffer, MAX_HEAD_BYTES, count, position);
    done(got);
    sendFrom(session, buffer, answer, tag, got);
    return;
  }
  session.replyInPlace(MAX_HEAD_BYTES + count, (target, at) => {
    const dataAt = at + answer.headBytes(tag, count);
    const got = file.readNow(target, dataAt, count, position);
    done(got);
    const end = answer.writeHead(target, at, tag, got);
    if (end !== dataAt) target.copyWithin(end, dataAt, dataAt + got); // the end of the file: a Count of fewer digits
    return end + got - at;
  });
}

async function readPooled(
  session: Session,
  file: RemoteFile,
  { tag, position, count }: ReadCall,
  answer: ReadAnswer,
  done: (got: number) => void,
): Promise<void> {
  using _held = await session.memory.holdWhenRoom(count);
  const buffer = Buffer.allocUnsafeSlow(MAX_HEAD_BYTES + count);
  const got = await file.read(buffer, MAX_HEAD_BYTES, count, position);
  done(got);
  if (got > MAX_IN_PLACE_BYTES) return sendFrom(session, buffer, answer, tag, got);
  session.replyInPlace(MAX_HEAD_BYTES + got, (target, at) => {
    const end = answer.writeHead(target, at, tag, got);
    target.set(buffer.subarray(MAX_HEAD_BYTES, MAX_HEAD_BYTES + got), end);
    return end + got - at;
  });
}

/** Sends a buffer whose data begin behind room for the head. */
function sendFrom(session: Session, buffer: Buffer, answer: ReadAnswer, tag: number | undefined, got: number): void {
  const start = MAX_HEAD_BYTES - answer.headBytes(tag, got);
  answer.writeHead(buffer, start, tag, got);
  const packet = buffer.subarray(start, MAX_HEAD_BYTES + got);
  // At the end of a file: the whole buffer is not kept for the few bytes that were there.
  session.sendOwned(packet.length < buffer.length / 2 ? Uint8Array.from(packet) : packet, 1, nothing);
}

function nothing(): void {}
