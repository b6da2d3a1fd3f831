// The load in Node, for machines without a C compiler, for TLS (--tls), and by way of the gateway (--gateway): otherwise the same arguments, checks and output as
// sluice-load.c. It needs more CPU than the C program, so it may be what limits the figures; compare its CPU with the server's.

import { once } from 'node:events';
import { closeSync, ftruncateSync, openSync, readSync, writeSync } from 'node:fs';
import net from 'node:net';
import type { Duplex } from 'node:stream';
import tls from 'node:tls';
import { parseArgs } from 'node:util';
import { createWebSocketStream, WebSocket } from 'ws';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    port: { type: 'string' },
    dir: { type: 'string', default: '' },
    name: { type: 'string', default: 'load.bin' },
    bytes: { type: 'string' },
    connections: { type: 'string', default: '1' },
    'deadline-seconds': { type: 'string', default: '120' },
    file: { type: 'string' },
    out: { type: 'string' },
    packet: { type: 'string', default: String(32 * 1024) },
    user: { type: 'string', default: '' },
    digest: { type: 'string', default: '' },
    http: { type: 'boolean', default: false },
    gate: { type: 'boolean', default: false },
    tls: { type: 'boolean', default: false },
    gateway: { type: 'boolean', default: false },
  },
});
const isPut = positionals[0] === 'put';
const bytes = Number(values.bytes);
const packetBytes = values.http ? 256 * 1024 : Number(values.packet);
const connections = Number(values.connections);
const file = isPut ? openSync(values.file!, 'r') : openSync(values.out!, 'w');
if (!isPut) ftruncateSync(file, bytes * connections);

interface Message {
  readonly text: string;
  readonly dataBytes: number;
}

/** One connection: heads of packets or of an HTTP answer come out one by one, content goes straight to the file. */
class LoadConnection {
  readonly #index: number;
  readonly #socket: Duplex;
  readonly #isOpen: Promise<unknown>;
  #head: Buffer = Buffer.alloc(0);
  #contentLeft = 0;
  #received = 0;
  readonly #messages: Message[] = [];
  #wake: () => void = () => {};

  constructor(index: number) {
    this.#index = index;
    const { socket, isOpen } = values.gateway ? connectToGateway() : connectToPort();
    this.#socket = socket;
    this.#isOpen = isOpen;
    this.#socket.on('data', (chunk) => this.#onData(chunk));
    this.#socket.on('error', fail);
    this.#socket.on('close', () => fail(new Error(`connection ${index}: closed by the server`)));
  }

  async prepare(): Promise<void> {
    await this.#isOpen;
    if (values.http) return;
    this.#socket.write(Buffer.of(isPut ? 2 : 3)); // the flag byte picks the protocol
    this.#send(`[Request]\r\nCommand=Login\r\nUserName=${values.user}\r\nPassword=${values.digest}`);
    await this.#expect('Login');
  }

  async transfer(): Promise<void> {
    if (values.http) await this.#transferHttp();
    else if (isPut) await this.#upload();
    else await this.#download();
    this.#socket.removeAllListeners('close').destroy();
  }

  async #upload(): Promise<void> {
    this.#send(`[Request]\r\nCommand=Upload\r\nDirName=${values.dir}\r\nFileName=${this.#name}`);
    requireNumber(await this.#expect('Upload'), 'FileSize=', 0);
    await this.#sendContent((part) => packet('[Request]\r\nCommand=Data', part.length));
    this.#send(`[Request]\r\nCommand=Eof\r\nFileSize=${bytes}`);
    await this.#expect('Eof');
  }

  async #download(): Promise<void> {
    const request = `DirName=${values.dir}\r\nFileName=${this.#name}\r\nFileSize=0\r\nPacketSize=${packetBytes}`;
    this.#send(`[Request]\r\nCommand=Download\r\n${request}`);
    await this.#expect('Download');
    requireNumber(await this.#expect('SendFile'), 'FileSize=', bytes);
    for (let announced = 0; announced < bytes; ) announced += (await this.#expect('Data')).dataBytes;
    await this.#allReceived();
  }

  async #transferHttp(): Promise<void> {
    const length = isPut ? `Content-Length: ${bytes}\r\n` : '';
    const target = `/${values.dir}/${this.#name}`;
    this.#socket.write(`${isPut ? 'PUT' : 'GET'} ${target} HTTP/1.1\r\nHost: 127.0.0.1\r\n${length}\r\n`);
    if (isPut) await this.#sendContent(() => Buffer.alloc(0));
    const { text } = await this.#message();
    if (!/^HTTP\/1\.1 2\d\d /.test(text)) throw new Error(`answer: ${text}`);
    if (!isPut) await this.#allReceived();
  }

  get #name(): string {
    return connections === 1 ? values.name : `${values.name}-${this.#index}`;
  }

  #send(text: string): void {
    this.#socket.write(packet(text, 0));
  }

  async #sendContent(headOf: (part: Buffer) => Buffer): Promise<void> {
    for (let at = 0; at < bytes; at += packetBytes) {
      const part = Buffer.allocUnsafe(Math.min(packetBytes, bytes - at));
      if (readSync(file, part, 0, part.length, this.#index * bytes + at) !== part.length) {
        throw new Error(`${values.file} is too short`);
      }
      const head = headOf(part);
      this.#socket.cork();
      if (head.length > 0) this.#socket.write(head);
      const takesMore = this.#socket.write(part);
      this.#socket.uncork();
      if (!takesMore) await new Promise((resolve) => this.#socket.once('drain', resolve));
    }
  }

  #onData(chunk: Buffer): void {
    let rest = this.#head.length === 0 ? chunk : Buffer.concat([this.#head, chunk]);
    this.#head = Buffer.alloc(0);
    while (rest.length > 0) {
      if (this.#contentLeft > 0) {
        const part = rest.subarray(0, this.#contentLeft);
        writeSync(file, part, 0, part.length, this.#index * bytes + this.#received);
        this.#received += part.length;
        this.#contentLeft -= part.length;
        rest = rest.subarray(part.length);
        continue;
      }
      const head = values.http ? httpHead(rest) : packetHead(rest);
      if (head === undefined) {
        this.#head = Buffer.from(rest);
        break;
      }
      rest = rest.subarray(head.headBytes);
      this.#contentLeft = head.dataBytes;
      if (isPut ? head.dataBytes > 0 : this.#received + head.dataBytes > bytes) {
        fail(new Error(`connection ${this.#index}: more data than announced`));
      }
      this.#messages.push(head);
    }
    this.#wake();
  }

  async #message(): Promise<Message> {
    while (this.#messages.length === 0) await this.#more();
    return this.#messages.shift()!;
  }

  async #expect(command: string): Promise<Message> {
    const message = await this.#message();
    if (!message.text.includes(`\r\nCommand=${command}\r\n`)) throw new Error(`unexpected answer: ${message.text}`);
    requireNumber(message, 'Code=', 0);
    return message;
  }

  async #allReceived(): Promise<void> {
    while (this.#received < bytes) await this.#more();
  }

  #more(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }
}

interface Opening {
  readonly socket: Duplex;
  readonly isOpen: Promise<unknown>;
}

function connectToPort(): Opening {
  const plain = net.connect({ host: '127.0.0.1', port: Number(values.port), noDelay: true });
  if (!values.tls) return { socket: plain, isOpen: once(plain, 'connect') };
  // The certificate is one of this run's own; nothing is learned by checking it.
  const socket = tls.connect({ socket: plain, servername: 'localhost', rejectUnauthorized: false });
  return { socket, isOpen: once(socket, 'secureConnect') };
}

function connectToGateway(): Opening {
  const webSocket = new WebSocket(`ws://127.0.0.1:${values.port}/gateway`, 'sluice', { perMessageDeflate: false });
  const socket = createWebSocketStream(webSocket, { highWaterMark: 4 << 20 });
  return { socket, isOpen: once(webSocket, 'open') };
}

function packet(text: string, dataBytes: number): Buffer {
  const head = Buffer.alloc(8 + Buffer.byteLength(text));
  head.writeUInt32LE(head.length - 4 + dataBytes, 0);
  head.writeUInt32LE(head.length - 8, 4);
  head.write(text, 8);
  return head;
}

function packetHead(from: Buffer): (Message & { headBytes: number }) | undefined {
  if (from.length < 8) return undefined;
  const textBytes = from.readUInt32LE(4);
  if (textBytes > 1024) fail(new Error('malformed packet header'));
  const headBytes = 8 + textBytes;
  if (from.length < headBytes) return undefined;
  return { text: from.toString('utf8', 8, headBytes), dataBytes: from.readUInt32LE(0) + 4 - headBytes, headBytes };
}

function httpHead(from: Buffer): (Message & { headBytes: number }) | undefined {
  const end = from.indexOf('\r\n\r\n');
  if (end < 0) return undefined;
  const text = from.toString('latin1', 0, end);
  if (!isPut) requireNumber({ text, dataBytes: 0 }, 'Content-Length: ', bytes);
  return { text, dataBytes: isPut ? 0 : bytes, headBytes: end + 4 };
}

function requireNumber({ text }: Message, key: string, expected: number): void {
  const value = new RegExp(`^${key}(-?\\d+)\r?$`, 'im').exec(text)?.[1];
  if (value !== String(expected)) fail(new Error(`expected ${key}${expected} in: ${text}`));
}

function fail(error: Error): never {
  console.error(`node-load: ${error.message}`);
  process.exit(1);
}

setTimeout(() => fail(new Error('deadline passed')), Number(values['deadline-seconds']) * 1000).unref();
process.on('uncaughtException', fail);
const setupStartMs = performance.now();
const all = Array.from({ length: connections }, (_, index) => new LoadConnection(index));
await Promise.all(all.map((connection) => connection.prepare()));
const setupSeconds = (performance.now() - setupStartMs) / 1000;
console.log('ready');
if (values.gate) await new Promise((resolve) => process.stdin.once('data', resolve));
process.stdin.destroy();
const startMs = performance.now();
const cpuStart = process.cpuUsage();
await Promise.all(all.map((connection) => connection.transfer()));
const { user, system } = process.cpuUsage(cpuStart);
const seconds = (performance.now() - startMs) / 1000;
closeSync(file);
console.log(JSON.stringify({ bytes: bytes * connections, seconds, cpuSeconds: (user + system) / 1e6, setupSeconds }));
