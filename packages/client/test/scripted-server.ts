import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { connect, type SluiceClient } from '@sluice/client';
import { LengthFieldDecoder } from '@sluice/framing';
import {
  type CommandText,
  commandTextEnd,
  decodeCommandText,
  encodePacket,
  Feature,
  type Field,
  PACKET_HEAD_BYTES,
  packetLayout,
  responseTag,
  responseText,
} from '@sluice/wire';

/** A request as it came. */
export interface ScriptedRequest {
  readonly text: CommandText;
  /** -1 without one. */
  readonly tag: number;
}

/** A server that knows the extensions of RemoteStream, lets everybody in, and answers what a test tells it to. */
export class ScriptedServer implements AsyncDisposable {
  /** Requests with ReadAt that `serveReads` has answered. */
  reads = 0;
  /** Most bytes that were asked for and not answered, at the end of a turn of the event loop. */
  mostAhead = 0;
  readonly #server = net.createServer((socket) => this.#accept(socket));
  readonly #sockets = new Set<net.Socket>();
  readonly #requests: ScriptedRequest[] = [];
  #last: net.Socket | undefined;
  #onRequest: () => void = () => {};
  #fileBytes: number | undefined;
  #unanswered: ScriptedRequest[] = [];

  static async start(): Promise<ScriptedServer> {
    const server = new ScriptedServer();
    server.#server.listen(0, '127.0.0.1');
    await once(server.#server, 'listening');
    return server;
  }

  connect(): Promise<SluiceClient> {
    const { port } = this.#server.address() as net.AddressInfo;
    return connect(`sluice://admin:admin@127.0.0.1:${port}/`, { retries: 0, login: 'digest' });
  }

  /** The next requests, in the order in which they came. */
  async next(count: number): Promise<ScriptedRequest[]> {
    while (this.#requests.length < count) {
      await new Promise<void>((resolve) => {
        this.#onRequest = resolve;
      });
    }
    return this.#requests.splice(0, count);
  }

  /** Answers OpenFile, without a ResumeToken, and the Stat that comes with it. */
  async answerOpening(): Promise<void> {
    const [open, stat] = await this.next(2);
    assert.deepEqual([open!.text.command, stat!.text.command], ['OpenFile', 'Stat']);
    this.answer('OpenFile', [
      ['Tag', open!.tag],
      ['Size', 9],
    ]);
    this.answer('Stat', [
      ['Tag', stat!.tag],
      ['Kind', 'file'],
      ['Size', 9],
      ['ModifiedNs', 1],
    ]);
  }

  answer(command: string, fields: readonly Field[], data?: Uint8Array): void {
    this.#last?.write(encodePacket(responseText(command, 0, fields), data));
  }

  refuse(command: string, code: number, tag: number): void {
    this.#last?.write(encodePacket(responseText(command, code, [['Tag', tag]], 'no')));
  }

  /** Answers every ReadAt from now on, of a file of so many bytes. */
  serveReads(fileBytes: number): void {
    this.#fileBytes = fileBytes;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #accept(socket: net.Socket): void {
    this.#sockets.add(socket);
    this.#last = socket;
    socket.on('error', () => {});
    const decoder = new LengthFieldDecoder(packetLayout(), {
      onFrame: (source, start, end) => {
        const textEnd = commandTextEnd(source, start, end - start);
        this.#onText(socket, decodeCommandText(source, start + PACKET_HEAD_BYTES, textEnd));
        return true;
      },
    });
    let isFirst = true;
    socket.on('data', (chunk: Buffer) => {
      decoder.push(chunk, isFirst ? 1 : 0, chunk.length);
      isFirst = false;
    });
  }

  #onText(socket: net.Socket, text: CommandText): void {
    const { command = '' } = text;
    if (command === 'Login') {
      const features = [Feature.Tag, Feature.RemoteFile, Feature.ResumeFile].join();
      socket.write(encodePacket(responseText('Login', 0, [['Features', features]])));
    } else if (command === 'Active') {
      socket.write(encodePacket(responseText('Active', 0)));
    } else {
      const request = { text, tag: responseTag(text) ?? -1 };
      if (command === 'ReadAt' && this.#fileBytes !== undefined) this.#onRead(request);
      else this.#requests.push(request);
      this.#onRequest();
    }
  }

  #onRead(request: ScriptedRequest): void {
    if (this.#unanswered.length === 0) setImmediate(() => this.#answerReads());
    this.#unanswered.push(request);
  }

  #answerReads(): void {
    const ahead = this.#unanswered.reduce((sum, { text }) => sum + Number(text.first('Count')), 0);
    this.mostAhead = Math.max(this.mostAhead, ahead);
    for (const { text, tag } of this.#unanswered.splice(0)) {
      const left = Math.max(0, this.#fileBytes! - Number(text.first('Position')));
      const count = Math.min(left, Number(text.first('Count')));
      this.reads += 1;
      this.answer(
        'ReadAt',
        [
          ['Tag', tag],
          ['Count', count],
        ],
        new Uint8Array(count),
      );
    }
  }
}
