import {
  Command,
  type Durability,
  encodeDeleteFileRequest,
  encodeEofRequest,
  encodeUploadRequest,
  Feature,
  Key,
  responseInteger,
} from '@sluice/wire';
import type { Connection } from './connection.js';
import { ClientError } from './errors.js';
import type { RemotePath } from './remote-path.js';

/** The requests around the data of an upload, on one connection. */
export class RemoteUpload {
  readonly connection: Connection;
  readonly #remote: RemotePath;

  constructor(connection: Connection, remote: RemotePath) {
    this.connection = connection;
    this.#remote = remote;
  }

  /**
   * Opens the file on the server.
   *
   * @param resume extension: how many of its bytes to keep
   * @returns how many bytes it has
   */
  async open(resume?: number): Promise<number> {
    const text = encodeUploadRequest({
      ...this.#remote,
      resume: resume === undefined ? undefined : BigInt(resume),
    });
    const { response } = await this.connection.request(Command.Upload, text);
    this.connection.hasOpenFile = true;
    const fileSize = Number(responseInteger(response, Key.FileSize));
    if (resume !== undefined && fileSize !== resume) {
      throw new ClientError('ERR_PROTOCOL', `the server was to keep ${resume} bytes and has ${fileSize}`);
    }
    return fileSize;
  }

  /** Starts the open file over, without its bytes. @param bytesOnServer what `open` returned */
  async restart(bytesOnServer: number): Promise<void> {
    if (bytesOnServer === 0) return;
    if (this.connection.supports(Feature.VerifiedResume)) {
      await this.open(0);
      return;
    }
    // An original server may refuse to remove a file that it has open itself: Eof closes it.
    await this.finish(bytesOnServer);
    const { dirName, fileName } = this.#remote;
    await this.connection.request(Command.DeleteFile, encodeDeleteFileRequest({ dirName, names: [fileName] }));
    const left = await this.open();
    if (left > 0) throw new ClientError('ERR_PROTOCOL', `the server has ${left} bytes of a file that it had removed`);
  }

  /**
   * Ends the upload; only now the server has the file.
   *
   * @param size of the whole file: the server compares (C6)
   * @returns how safe the file is, if the server says so
   */
  async finish(size: number): Promise<Durability | undefined> {
    const { response } = await this.connection.request(Command.Eof, encodeEofRequest(size));
    this.connection.hasOpenFile = false;
    const durability = response.text.first(Key.Durability);
    return durability === 'durable' || durability === 'memory' ? durability : undefined;
  }
}
