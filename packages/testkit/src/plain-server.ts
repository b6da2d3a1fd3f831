import {
  closeSync,
  fstatSync,
  ftruncateSync,
  openSync,
  readdirSync,
  readSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { LengthFieldDecoder } from '@sluice/framing';
import {
  asciiFold,
  type ClientItem,
  type CommandText,
  commandTextEnd,
  dataResponseText,
  decodeCommandText,
  decodeCyclePacketRequest,
  decodeDeleteFileRequest,
  decodeDigestRequest,
  decodeDirectoryRequest,
  decodeDirRequest,
  decodeDownloadRequest,
  decodeEofRequest,
  decodeFileListRequest,
  decodeLoginRequest,
  decodeUploadRequest,
  digestResponseText,
  encodeCyclePacketResponse,
  encodeDirResponse,
  encodeEofResponse,
  encodeFileListResponse,
  encodeGetClientsResponse,
  encodePacket,
  encodeSendFile,
  encodeUploadResponse,
  encodeWelcome,
  PACKET_HEAD_BYTES,
  ProtocolFlag,
  packetLayout,
  RequestError,
  ResultCode,
  responseText,
} from '@sluice/wire';
import { PlainRemoteStream } from './plain-remote-stream.js';

/** What a {@link PlainServer} does wrong, on purpose. All may be changed at any time. */
export interface PlainServerFaults {
  /** Cut the connection when so many bytes of file content have come in Data packets, in all; once. */
  cutAfterReceivedBytes?: number | undefined;
  /** Cut the connection when so many bytes of file content have been sent in Data packets, in all; once. */
  cutAfterSentBytes?: number | undefined;
  /** Leave the Code out of the answers to this command. */
  omitCodeOf?: string | undefined;
  /** Send every packet one byte at a time. */
  splitsAnswers?: boolean | undefined;
  /** What Upload is answered with, instead of the file's length. */
  uploadFileSize?: number | undefined;
  /** Time between a request and its answer, in milliseconds. */
  answerDelayMs?: number | undefined;
  /** Never answer this command. */
  ignored?: string | undefined;
  /** Answer Eof with this code. */
  eofCode?: number | undefined;
  /** Answer the first Data packet with this code, and go on reading. */
  dataCode?: number | undefined;
  /** Stop reading when so many bytes of file content have come. */
  stallAfterReceivedBytes?: number | undefined;
  /** Send these bytes instead of the answer to this command. */
  garbageFor?: { readonly command: string; readonly bytes: Uint8Array } | undefined;
  /** Send an unasked packet with this text between the Data packets of a download. */
  betweenData?: Uint8Array | undefined;
}

/** How a {@link PlainServer} is set up. */
export interface PlainServerOptions {
  /** The directory that is served. */
  readonly root: string;
  /** MD5 of the password that is accepted, for any user. @default that of `admin` */
  readonly passwordDigest?: string;
  /** Features announced to a client that asks. @default none: the server does not know of them, as the original */
  readonly features?: readonly string[];
  /** Answers Digest, for a server with features. */
  readonly digest?: (path: string, position: number, count: number) => Promise<Uint8Array>;
}

const SERVED_FLAGS: ReadonlySet<number | undefined> = new Set([
  ProtocolFlag.Upload,
  ProtocolFlag.Download,
  ProtocolFlag.RemoteStream,
  ProtocolFlag.Throughput,
  ProtocolFlag.Control,
]);

/** Specification 4.2: the digest of `admin`. */
const ADMIN_DIGEST = '21232f297a57a5a743894a0e4a801fc3';

/**
 * A server as the original one, for tests of clients: Upload, Download and RemoteStream against a directory, CyclePacket and GetClients,
 * no checks that a good client would feel, and faults that can be switched on. Works synchronously and is not meant to be fast, nor safe.
 */
export class PlainServer implements AsyncDisposable {
  readonly root: string;
  readonly faults: PlainServerFaults = {};
  /** The commands of all requests, in the order in which they came; runs of Data are noted once. */
  readonly commands: string[] = [];
  /** The texts of all requests but Data. */
  readonly texts: CommandText[] = [];
  /** Connections accepted so far. */
  acceptedConnections = 0;
  /** Bytes of file content received in Data packets, and sent. */
  receivedDataBytes = 0;
  sentDataBytes = 0;
  /** Length of the longest data part received in a Data packet. */
  largestPacketDataBytes = 0;
  readonly options: PlainServerOptions;
  readonly #server: Server;
  readonly #connections = new Set<PlainConnection>();

  private constructor(options: PlainServerOptions) {
    this.options = options;
    this.root = options.root;
    this.#server = createServer({ noDelay: true }, (socket) => {
      this.acceptedConnections += 1;
      const connection = new PlainConnection(this, socket);
      this.#connections.add(connection);
      socket.on('close', () => this.#connections.delete(connection));
    });
  }

  /** Listens on a port of 127.0.0.1; 0 for any that is free. */
  static async listen(options: PlainServerOptions, port = 0): Promise<PlainServer> {
    await mkdir(options.root, { recursive: true });
    const server = new PlainServer(options);
    await new Promise<void>((resolve, reject) => {
      server.#server.once('error', reject);
      server.#server.listen(port, '127.0.0.1', resolve);
    });
    return server;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** URL of the root, with a user that is let in. */
  get url(): string {
    return `sluice://admin:admin@127.0.0.1:${this.port}/`;
  }

  /** As an original on a machine with US English settings tells them (D23). */
  clientItems(): ClientItem[] {
    return [...this.#connections].flatMap((connection) => connection.item ?? []);
  }

  /** Connections that are open. */
  get openConnections(): number {
    return this.#connections.size;
  }

  /** Cuts all connections with RST, and goes on accepting. */
  cutAll(): void {
    for (const connection of this.#connections) connection.cut();
  }

  /** Cuts all connections and stops listening. May be called twice. */
  async close(): Promise<void> {
    this.cutAll();
    if (!this.#server.listening) return;
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

/** One connection of a {@link PlainServer}. */
class PlainConnection {
  readonly #server: PlainServer;
  readonly #socket: Socket;
  readonly #decoder: LengthFieldDecoder;
  /** Answers leave in the order of the requests, also when one takes its time. */
  #work: Promise<void> = Promise.resolve();
  #answersGoingOn = 0;
  #flag: number | undefined;
  readonly #remoteStream: PlainRemoteStream;
  #openFile: { readonly fd: number; readonly path: string } | undefined;
  #hasRefusedData = false;
  #userName = '';
  readonly #time = new Date().toLocaleString('en-US', { timeZone: 'UTC' });

  constructor(server: PlainServer, socket: Socket) {
    this.#server = server;
    this.#socket = socket;
    this.#remoteStream = new PlainRemoteStream(server.root);
    this.#decoder = new LengthFieldDecoder(packetLayout(), {
      onFrame: (source, start, end) => {
        const textEnd = commandTextEnd(source, start, end - start);
        const text = decodeCommandText(source, start + PACKET_HEAD_BYTES, textEnd);
        this.#onPacket(text, source.subarray(textEnd, end));
        return true;
      },
    });
    socket.on('data', (chunk: Buffer) => this.#onData(chunk));
    socket.on('error', () => {});
    socket.on('close', () => {
      this.#closeFile();
      this.#remoteStream.close();
    });
  }

  get item(): ClientItem | undefined {
    const { localAddress, localPort, remoteAddress, remotePort } = this.#socket;
    const [protocol] = Object.entries(ProtocolFlag).find(([, flag]) => flag === this.#flag) ?? [];
    if (protocol === undefined) return undefined;
    return {
      localAddress: `${localAddress}:${localPort}`,
      remoteAddress: `${remoteAddress}:${remotePort}`,
      protocol,
      userName: this.#userName,
      boundAt: this.#time,
      lastActivityAt: this.#time,
    };
  }

  cut(): void {
    // Node 20 never finishes resetting a socket that is being shut down.
    if (this.#socket.writableEnded) this.#socket.destroy();
    else this.#socket.resetAndDestroy();
  }

  #onData(chunk: Buffer): void {
    let start = 0;
    if (this.#flag === undefined) {
      this.#flag = chunk[0];
      start = 1;
      if (!SERVED_FLAGS.has(this.#flag)) this.#socket.destroy();
    }
    if (!this.#socket.destroyed) this.#decoder.push(chunk, start, chunk.length);
  }

  #onPacket(text: CommandText, data: Uint8Array): void {
    const command = asciiFold(text.command ?? '');
    const { commands, faults, texts } = this.#server;
    if (command !== 'data' || commands.at(-1) !== 'data') commands.push(command);
    if (command === 'data') {
      if (this.#answersGoingOn === 0) this.#onFileData(data);
      else {
        const copy = Uint8Array.from(data);
        this.#work = this.#work.then(() => this.#onFileData(copy));
      }
      return;
    }
    this.#answersGoingOn += 1;
    texts.push(text);
    const copy = Uint8Array.from(data);
    this.#work = this.#work.then(async () => {
      try {
        if (faults.answerDelayMs) await new Promise((resolve) => setTimeout(resolve, faults.answerDelayMs));
        if (this.#socket.destroyed || (faults.ignored !== undefined && asciiFold(faults.ignored) === command)) return;
        if (this.#flag === ProtocolFlag.RemoteStream) await this.#answerRemoteStream(command, text, copy);
        else if (this.#flag === ProtocolFlag.Throughput) await this.#answerThroughput(command, text, copy);
        else await this.#answer(command, text);
      } catch (error) {
        const [code, message] =
          error instanceof RequestError
            ? [error.resultCode, error.message]
            : [ResultCode.UnknownError, 'the server failed'];
        await this.#send(responseText(text.command ?? '', code, [], message.replace(/=/g, ' ')), undefined, command);
      } finally {
        this.#answersGoingOn -= 1;
      }
    });
  }

  async #answerRemoteStream(command: string, text: CommandText, data: Uint8Array): Promise<void> {
    const answer = this.#remoteStream.answer(command, text, data);
    if (answer) await this.#send(answer[0], answer[1], command);
    else this.#socket.destroy(); // FIN: what was sent arrives
  }

  async #answerThroughput(command: string, text: CommandText, data: Uint8Array): Promise<void> {
    if (command !== 'cyclepacket') {
      this.#socket.destroy();
      return;
    }
    const answer = encodeCyclePacketResponse(text.command ?? '', decodeCyclePacketRequest(text));
    await this.#send(answer, data, command);
  }

  async #answer(command: string, text: CommandText): Promise<void> {
    const spelled = text.command ?? '';
    const { faults, options, root } = this.#server;
    switch (command) {
      case 'login': {
        const login = decodeLoginRequest(text);
        if (login.passwordDigest.toLowerCase() !== (options.passwordDigest ?? ADMIN_DIGEST)) {
          throw new RequestError(ResultCode.UserOrPasswordError);
        }
        this.#userName = login.userName;
        return this.#send(encodeWelcome(spelled, login.features && options.features), undefined, command);
      }
      case 'active':
        return this.#send(encodeWelcome(spelled, undefined), undefined, command);
      case 'getclients':
        return this.#send(encodeGetClientsResponse(spelled, this.#server.clientItems()), undefined, command);
      case 'dir': {
        const path = existingDirectory(root, decodeDirRequest(text));
        const entries = readdirSync(path, { withFileTypes: true }).filter((entry) => entry.isDirectory());
        return this.#send(
          encodeDirResponse(
            spelled,
            entries.map((entry) => entry.name),
          ),
          undefined,
          command,
        );
      }
      case 'filelist': {
        const path = existingDirectory(root, decodeFileListRequest(text));
        const entries = readdirSync(path, { withFileTypes: true }).filter((entry) => entry.isFile());
        const files = entries.map(({ name }) => ({ name, size: statSync(join(path, name)).size }));
        return this.#send(encodeFileListResponse(spelled, files), undefined, command);
      }
      case 'createdir': {
        const { parentDir, dirName } = decodeDirectoryRequest(text);
        await mkdir(join(existingDirectory(root, parentDir), dirName), { recursive: true });
        return this.#send(responseText(spelled, ResultCode.Success), undefined, command);
      }
      case 'deletedir': {
        const { parentDir, dirName } = decodeDirectoryRequest(text);
        const path = join(existingDirectory(root, parentDir), dirName);
        if (dirName === '' || !isDirectory(path)) throw new RequestError(ResultCode.DeleteDirError, 'cannot');
        rmSync(path, { recursive: true });
        return this.#send(responseText(spelled, ResultCode.Success), undefined, command);
      }
      case 'deletefile': {
        const { dirName, names } = decodeDeleteFileRequest(text);
        for (const name of names) {
          const path = join(existingDirectory(root, dirName), name);
          // As on the original's system: what is open cannot be removed.
          if (this.#openFile?.path === path) throw new RequestError(ResultCode.DeleteFileFailed, 'in use');
          rmSync(path, { force: true });
        }
        return this.#send(responseText(spelled, ResultCode.Success), undefined, command);
      }
      case 'upload':
        return this.#onUpload(spelled, text);
      case 'eof': {
        if (faults.eofCode !== undefined) throw new RequestError(faults.eofCode as ResultCode, 'as told by the test');
        if (!this.#openFile) throw new RequestError(ResultCode.NotOpenFile);
        const size = decodeEofRequest(text);
        if (size !== undefined && size !== BigInt(fstatSync(this.#openFile.fd).size)) {
          throw new RequestError(ResultCode.FileSizeError);
        }
        this.#closeFile();
        return this.#send(encodeEofResponse(spelled, options.features && 'durable'), undefined, command);
      }
      case 'digest': {
        if (!options.digest) break;
        const { file, position, count } = decodeDigestRequest(text);
        const path = file ? join(root, file.dirName, file.fileName) : this.#openFile?.path;
        if (path === undefined || !isFile(path)) throw new RequestError(ResultCode.FileNotExist);
        const digests = await options.digest(path, Number(position), Number(count));
        return this.#send(digestResponseText(spelled, statSync(path).size), digests, command);
      }
      case 'download':
        return this.#onDownload(spelled, text);
    }
    throw new RequestError(ResultCode.NotExistCommand);
  }

  #onUpload(spelled: string, text: CommandText): Promise<void> {
    const { faults, options, root } = this.#server;
    const { dirName, fileName, resume } = decodeUploadRequest(text);
    const path = join(existingDirectory(root, dirName), fileName);
    if (isDirectory(path)) throw new RequestError(ResultCode.ParameterError);
    this.#closeFile();
    const fd = openSync(path, isFile(path) ? 'r+' : 'w+');
    this.#openFile = { fd, path };
    if (resume !== undefined && options.features) ftruncateSync(fd, Number(resume));
    const size = faults.uploadFileSize ?? fstatSync(fd).size;
    return this.#send(encodeUploadResponse(spelled, size), undefined, 'upload');
  }

  #onFileData(data: Uint8Array): void {
    const server = this.#server;
    const { faults } = server;
    if (this.#socket.destroyed) return; // cut, and this came in the same chunk
    if (!this.#openFile) {
      this.#socket.destroy();
      return;
    }
    if (faults.dataCode !== undefined) {
      if (!this.#hasRefusedData) {
        this.#hasRefusedData = true;
        void this.#send(responseText('Data', faults.dataCode, [], 'disk full'), undefined, 'data');
      }
      return;
    }
    let { length } = data;
    const { cutAfterReceivedBytes = Number.POSITIVE_INFINITY } = faults;
    if (server.receivedDataBytes + length >= cutAfterReceivedBytes)
      length = cutAfterReceivedBytes - server.receivedDataBytes;
    const { fd } = this.#openFile;
    const end = fstatSync(fd).size;
    for (let at = 0; at < length; ) at += writeSync(fd, data, at, length - at, end + at);
    server.receivedDataBytes += length;
    server.largestPacketDataBytes = Math.max(server.largestPacketDataBytes, data.length);
    if (server.receivedDataBytes >= cutAfterReceivedBytes) {
      faults.cutAfterReceivedBytes = undefined;
      this.cut();
    } else if (server.receivedDataBytes >= (faults.stallAfterReceivedBytes ?? Number.POSITIVE_INFINITY)) {
      this.#socket.pause();
    }
  }

  async #onDownload(spelled: string, text: CommandText): Promise<void> {
    const server = this.#server;
    const request = decodeDownloadRequest(text);
    const path = join(server.root, request.dirName, request.fileName);
    if (!isFile(path)) throw new RequestError(ResultCode.FileNotExist, 'file not exists');
    const fd = openSync(path, 'r');
    try {
      let position = Number(request.fileSize);
      const { size } = fstatSync(fd);
      if (position < 0 || position > size) throw new RequestError(ResultCode.ParameterError);
      await this.#send(responseText(spelled, ResultCode.Success), undefined, 'download');
      await this.#send(encodeSendFile(size - position), undefined, 'sendfile');
      const buffer = new Uint8Array(Number(request.packetSize));
      while (position < size && !this.#socket.destroyed) {
        const bytes = readSync(fd, buffer, 0, Math.min(buffer.length, size - position), position);
        position += bytes;
        server.sentDataBytes += bytes;
        await this.#send(dataResponseText(), buffer.subarray(0, bytes), 'data');
        if (server.faults.betweenData) await this.#send(server.faults.betweenData, undefined, 'active');
        if (server.sentDataBytes >= (server.faults.cutAfterSentBytes ?? Number.POSITIVE_INFINITY)) {
          server.faults.cutAfterSentBytes = undefined;
          this.#socket.destroy(); // FIN: what was sent arrives
        }
      }
    } finally {
      closeSync(fd);
    }
  }

  async #send(text: Uint8Array, data: Uint8Array | undefined, command: string): Promise<void> {
    const { faults } = this.#server;
    let packet = encodePacket(text, data);
    if (faults.omitCodeOf !== undefined && asciiFold(faults.omitCodeOf) === command) {
      const withoutCode = new TextDecoder().decode(text).replace(/\r\nCode=-?[0-9]+/, '\r\nNoCode=0');
      packet = encodePacket(new TextEncoder().encode(withoutCode), data);
    }
    if (faults.garbageFor && asciiFold(faults.garbageFor.command) === command) packet = faults.garbageFor.bytes;
    if (!faults.splitsAnswers) return this.#write(packet);
    for (let at = 0; at < packet.length; at++) {
      await this.#write(packet.subarray(at, at + 1));
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  /** Settles when the system has taken the bytes, or the connection is gone. */
  #write(bytes: Uint8Array): Promise<void> {
    return new Promise((resolve) => {
      if (this.#socket.destroyed) resolve();
      else this.#socket.write(bytes, () => resolve());
    });
  }

  #closeFile(): void {
    if (this.#openFile) closeSync(this.#openFile.fd);
    this.#openFile = undefined;
  }
}

function existingDirectory(root: string, dirName: string): string {
  const path = join(root, dirName.replaceAll('\\', '/'));
  if (!isDirectory(path)) throw new RequestError(ResultCode.DirNotExist);
  return path;
}

function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() ?? false;
}
