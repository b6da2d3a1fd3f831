import { closeSync, constants, fstatSync, ftruncateSync, openSync, readSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import {
  type CommandText,
  decodeFileExistsRequest,
  decodeOpenFileRequest,
  decodeReadRequest,
  decodeSeekRequest,
  decodeSetPositionRequest,
  decodeSetSizeRequest,
  encodeCountResponse,
  encodePositionResponse,
  encodeSeekResponse,
  encodeSizeResponse,
  FileMode,
  RequestError,
  ResultCode,
  responseText,
  SeekOrigin,
} from '@sluice/wire';

/** An answer: text, and data if there is any. */
export type PlainAnswer = readonly [text: Uint8Array, data?: Uint8Array];

/** One file of a RemoteStream connection, as the original has it: ten commands, one open file, no extension. Specification 8. */
export class PlainRemoteStream {
  readonly #root: string;
  #fd: number | undefined;
  #position = 0;

  /** @param root directory that names are relative to */
  constructor(root: string) {
    this.#root = root;
  }

  /**
   * @param command in small letters
   * @returns `undefined` for a command that the original closes the connection on: all but the ten, Login and Active too
   * @throws {RequestError} what is answered instead
   */
  answer(command: string, text: CommandText, data: Uint8Array): PlainAnswer | undefined {
    const spelled = text.command ?? '';
    const done = responseText(spelled, ResultCode.Success);
    switch (command) {
      case 'fileexists': {
        const path = this.#pathOf(decodeFileExistsRequest(text));
        const exists = statSync(path, { throwIfNoEntry: false })?.isFile() === true;
        return [exists ? done : responseText(spelled, ResultCode.FileNotExist, [], 'file not exists')];
      }
      case 'openfile': {
        const { fileName, mode } = decodeOpenFileRequest(text);
        this.close();
        // As the original: a missing file is made, whatever the mode (D38).
        const access = mode === FileMode.Read ? constants.O_RDONLY : constants.O_RDWR;
        this.#fd = openSync(this.#pathOf(fileName), access | constants.O_CREAT);
        this.#position = 0;
        return [done];
      }
      case 'setsize': {
        const size = decodeSetSizeRequest(text);
        ftruncateSync(this.#open, size);
        this.#position = Math.min(this.#position, size);
        return [done];
      }
      case 'getsize':
        return [encodeSizeResponse(spelled, fstatSync(this.#open).size)];
      case 'setposition': {
        const position = decodeSetPositionRequest(text);
        void this.#open;
        this.#position = position;
        return [done];
      }
      case 'getposition':
        void this.#open;
        return [encodePositionResponse(spelled, this.#position)];
      case 'read': {
        const bytes = new Uint8Array(decodeReadRequest(text));
        const count = readSync(this.#open, bytes, 0, bytes.length, this.#position);
        this.#position += count;
        return [encodeCountResponse(spelled, count), bytes.subarray(0, count)];
      }
      case 'write': {
        const fd = this.#open;
        for (let at = 0; at < data.length; ) at += writeSync(fd, data, at, data.length - at, this.#position + at);
        this.#position += data.length;
        return [encodeCountResponse(spelled, data.length)];
      }
      case 'seek': {
        const { offset, origin } = decodeSeekRequest(text);
        const starts = {
          [SeekOrigin.Start]: 0,
          [SeekOrigin.Current]: this.#position,
          [SeekOrigin.End]: fstatSync(this.#open).size,
        };
        const position = starts[origin] + Number(offset);
        if (position < 0) throw new RequestError(ResultCode.ParameterError);
        this.#position = position;
        return [encodeSeekResponse(spelled, position)];
      }
      case 'closefile':
        void this.#open;
        this.close();
        return [done];
    }
    return undefined;
  }

  /** Closes what is open. */
  close(): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }

  get #open(): number {
    if (this.#fd === undefined) throw new RequestError(ResultCode.NotOpenFile);
    return this.#fd;
  }

  #pathOf(name: string): string {
    return join(this.#root, name.replaceAll('\\', '/'));
  }
}
