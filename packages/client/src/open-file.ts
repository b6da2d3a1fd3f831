import {
  Command,
  decodeStatResponse,
  encodeCloseFileRequest,
  encodeGetSizeRequest,
  encodeReadAtRequest,
  encodeReadRequest,
  encodeSetPositionRequest,
  encodeSetSizeRequest,
  encodeStatRequest,
  encodeSyncRequest,
  encodeWriteAtRequest,
  encodeWriteRequest,
  Key,
  ProtocolError,
  responseInteger,
} from '@sluice/wire';
import type { Answer, Connection } from './connection.js';
import { ClientError } from './errors.js';

/** What a server tells about an open file. */
export interface RemoteFileStatus {
  /** In bytes. */
  readonly size: number;
  /** When its content was last changed, in nanoseconds since 1970-01-01 UTC. Missing when the server does not say: an original. */
  readonly modifiedNs?: bigint;
}

/** A file that is open on a connection, which serves nothing else. Every call may be made again: it does the same twice as once. */
export interface OpenFile {
  readonly connection: Connection;
  /** @param count at most `MAX_READ_BYTES` @returns fewer bytes only at the end of the file */
  readAt(position: number, count: number): Promise<Uint8Array>;
  /** @param data must stay as they are until the promise settles; they fit into a packet */
  writeAt(position: number, data: Uint8Array): Promise<void>;
  truncate(size: number): Promise<void>;
  /** @throws {ClientError} `ERR_UNSUPPORTED` */
  sync(): Promise<void>;
  status(): Promise<RemoteFileStatus>;
  close(): Promise<void>;
}

/** With a server that has the features Tag and RemoteFile: calls do not wait for one another. docs/protocol.md, sections 17.5 and 17.6. */
export class TaggedFile implements OpenFile {
  readonly connection: Connection;

  constructor(connection: Connection) {
    this.connection = connection;
  }

  readAt(position: number, count: number): Promise<Uint8Array> {
    const encode = (tag: number) => encodeReadAtRequest({ position, count }, { tag });
    return this.connection.requestTagged(Command.ReadAt, encode).then((answer) => readBytes(answer, count));
  }

  async writeAt(position: number, data: Uint8Array): Promise<void> {
    const count = data.length;
    const encode = (tag: number) => encodeWriteAtRequest({ position, count }, { tag });
    requireCount(await this.connection.requestTagged(Command.WriteAt, encode, data), count);
  }

  async truncate(size: number): Promise<void> {
    await this.connection.requestTagged(Command.SetSize, (tag) => encodeSetSizeRequest(size, { tag }));
  }

  async sync(): Promise<void> {
    await this.connection.requestTagged(Command.Sync, (tag) => encodeSyncRequest({ tag }));
  }

  async status(): Promise<RemoteFileStatus> {
    const encode = (tag: number) => encodeStatRequest(undefined, { tag });
    const { response } = await this.connection.requestTagged(Command.Stat, encode);
    const { size, modifiedNs } = decodeStatResponse(response);
    return { size: Number(size), modifiedNs };
  }

  async close(): Promise<void> {
    await this.connection.requestTagged(Command.CloseFile, (tag) => encodeCloseFileRequest({ tag }));
  }
}

/** With a server that knows the ten commands of the original only: one request after the other, and the place before the bytes. Specification 8. */
export class SerialFile implements OpenFile {
  readonly connection: Connection;
  /** Where the server stands; `undefined` when it is not sure. */
  #position: number | undefined = 0;
  #last: Promise<unknown> = Promise.resolve();

  constructor(connection: Connection) {
    this.connection = connection;
  }

  readAt(position: number, count: number): Promise<Uint8Array> {
    return this.#at(position, async () => {
      const data = readBytes(await this.connection.request(Command.Read, encodeReadRequest(count)), count);
      return [data, data.length];
    });
  }

  async writeAt(position: number, data: Uint8Array): Promise<void> {
    const count = data.length;
    await this.#at(position, async () => {
      const answer = await this.connection.request(Command.Write, encodeWriteRequest(count), data);
      requireCount(answer, count);
      return [undefined, count];
    });
  }

  async truncate(size: number): Promise<void> {
    await this.#serially(async () => {
      this.#position = undefined; // one beyond a shorter end moves there
      await this.connection.request(Command.SetSize, encodeSetSizeRequest(size));
    });
  }

  async sync(): Promise<void> {
    throw new ClientError('ERR_UNSUPPORTED', 'this server has no sync: it is an original, or an older one');
  }

  status(): Promise<RemoteFileStatus> {
    return this.#serially(async () => {
      const { response } = await this.connection.request(Command.GetSize, encodeGetSizeRequest());
      return { size: Number(responseInteger(response, Key.Size)) };
    });
  }

  async close(): Promise<void> {
    await this.#serially(() => this.connection.request(Command.CloseFile, encodeCloseFileRequest()));
  }

  /** @param move begins at the position, and says how many bytes it has moved */
  #at<T>(position: number, move: () => Promise<readonly [result: T, bytes: number]>): Promise<T> {
    return this.#serially(async () => {
      if (this.#position !== position)
        await this.connection.request(Command.SetPosition, encodeSetPositionRequest(position));
      this.#position = undefined;
      const [result, bytes] = await move();
      this.#position = position + bytes;
      return result;
    });
  }

  #serially<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#last.then(work);
    this.#last = result.catch(() => {});
    return result;
  }
}

/** @throws {ProtocolError} when the server has sent more than was asked for, or other than it says */
function readBytes({ response, data }: Answer, asked: number): Uint8Array {
  const count = Number(responseInteger(response, Key.Count));
  if (data.length !== count || count > asked)
    throw new ProtocolError(
      'ERR_RESPONSE_INVALID',
      `${asked} bytes were asked for: ${count} announced, ${data.length} sent`,
    );
  return data;
}

function requireCount({ response }: Answer, sent: number): void {
  const count = Number(responseInteger(response, Key.Count));
  if (count !== sent) throw new ProtocolError('ERR_RESPONSE_INVALID', `${sent} bytes were sent, and ${count} written`);
}
