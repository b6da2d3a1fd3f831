import net from 'node:net';
import { LengthFieldDecoder } from '@sluice/framing';
import { commandTextEnd, PACKET_HEAD_BYTES, packetLayout } from '@sluice/wire';
import { bytesOf, textOf } from '../byte-text.js';

/** What is changed of one of the server's packets, counted over all connections. */
export interface Lie {
  readonly packet: number;
  readonly how:
    | { readonly kind: 'drop' | 'double' | 'end' | 'reset' | 'no-data' }
    /** Lines of the text that begin with `key=`. */
    | { readonly kind: 'value' | 'extra'; readonly key: string; readonly value: string }
    | { readonly kind: 'text' | 'data' | 'raw'; readonly bytes: string }
    | { readonly kind: 'length'; readonly at: 0 | 4; readonly value: number };
}

/** Somebody in front of a server who changes what it says. */
export class LyingServer {
  readonly #server: net.Server;
  readonly #targetPort: number;
  readonly #sockets = new Set<net.Socket>();
  #lies: readonly Lie[] = [];
  #packets = 0;

  private constructor(targetPort: number) {
    this.#targetPort = targetPort;
    this.#server = net.createServer({ allowHalfOpen: false }, (client) => this.#connect(client));
  }

  static async before(targetPort: number): Promise<LyingServer> {
    const liar = new LyingServer(targetPort);
    await new Promise<void>((resolve) => liar.#server.listen(0, '127.0.0.1', resolve));
    return liar;
  }

  get port(): number {
    return (this.#server.address() as net.AddressInfo).port;
  }

  /** Begins to count packets anew. */
  tell(lies: readonly Lie[]): void {
    this.#lies = lies;
    this.#packets = 0;
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #connect(client: net.Socket): void {
    const server = net.connect({ host: '127.0.0.1', port: this.#targetPort });
    for (const [one, other] of [
      [client, server],
      [server, client],
    ] as const) {
      this.#sockets.add(one);
      one.on('error', () => other.destroy());
      one.on('close', () => {
        other.destroy();
        this.#sockets.delete(one);
      });
    }
    client.pipe(server);
    const decoder = new LengthFieldDecoder(packetLayout(), {
      onFrame: (source, start, end) => {
        this.#say(client, Buffer.from(source.subarray(start, end)));
        return true;
      },
    });
    server.on('data', (chunk: Buffer) => decoder.push(chunk, 0, chunk.length));
  }

  #say(client: net.Socket, packet: Buffer): void {
    const index = this.#packets++;
    let said: Buffer = packet;
    for (const { packet: wanted, how } of this.#lies) {
      if (wanted !== index) continue;
      if (how.kind === 'end') client.end();
      else if (how.kind === 'reset') client.resetAndDestroy();
      else said = changed(said, how);
    }
    if (!client.destroyed && client.writable) client.write(said);
  }
}

function changed(packet: Buffer, how: Lie['how']): Buffer {
  if (packet.length < PACKET_HEAD_BYTES) return packet;
  const textEnd = Math.min(commandTextEnd(packet, 0, Number.POSITIVE_INFINITY), packet.length);
  const [text, data] = [textOf(packet.subarray(PACKET_HEAD_BYTES, textEnd)), packet.subarray(textEnd)];
  switch (how.kind) {
    case 'drop':
      return Buffer.alloc(0);
    case 'double':
      return Buffer.concat([packet, packet]);
    case 'no-data':
      return packed(text, Buffer.alloc(0));
    case 'value': {
      const lines = text
        .split('\r\n')
        .map((line) => (line.startsWith(`${how.key}=`) ? `${how.key}=${how.value}` : line));
      return packed(lines.join('\r\n'), data);
    }
    case 'extra':
      return packed(`${text}\r\n${how.key}=${how.value}`, data);
    case 'text':
      return packed(how.bytes, data);
    case 'data':
      return packed(text, bytesOf(how.bytes));
    case 'raw':
      return bytesOf(how.bytes);
    case 'length': {
      const lying = Buffer.from(packet);
      lying.writeUInt32LE(how.value >>> 0, how.at);
      return lying;
    }
    default:
      return packet;
  }
}

function packed(text: string, data: Uint8Array): Buffer {
  const head = Buffer.alloc(PACKET_HEAD_BYTES);
  head.writeUInt32LE(4 + text.length + data.length);
  head.writeUInt32LE(text.length, 4);
  return Buffer.concat([head, bytesOf(text), data]);
}
