import { createHash } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import {
  Command,
  encodeLoginRequest,
  encodePacket,
  encodeUploadRequest,
  ProtocolFlag,
  requestText,
} from '@sluice/wire';

/** How a client goes away. */
export const ENDINGS = ['fin', 'reset', 'half-close', 'mid-frame', 'mid-upload', 'silent'] as const;

export type Ending = (typeof ENDINGS)[number];

export type ChurnFigures = Record<Ending | 'unanswered', number>;

const FLAG = Uint8Array.of(ProtocolFlag.Upload);
const ACTIVE = encodePacket(requestText(Command.Active));
const LOGIN = encodePacket(
  encodeLoginRequest({
    userName: 'admin',
    passwordDigest: createHash('md5').update('admin').digest('hex'),
    features: undefined,
  }),
);
/** Those that say nothing any more: no more than so many are waiting for the server to end them. */
const MAX_SILENT = 400;
const WAIT_MS = 20_000;
const SOURCES = 60;

/** Clients that connect, get an answer and vanish, each in its way. */
export class Churn {
  readonly figures: ChurnFigures = {
    fin: 0,
    reset: 0,
    'half-close': 0,
    'mid-frame': 0,
    'mid-upload': 0,
    silent: 0,
    unanswered: 0,
  };
  readonly #port: number;
  readonly #random: () => number;
  readonly #silent = new Set<Socket>();
  #cycles = 0;

  constructor(port: number, random: () => number) {
    this.#port = port;
    this.#random = random;
  }

  get cycles(): number {
    return this.#cycles;
  }

  /** Connections that wait for the server to end them. */
  get silent(): number {
    return this.#silent.size;
  }

  /** Runs cycles, so many at once, until there were `count` of them or the signal aborts. @param pauseMs behind each cycle of a lane */
  async run(options: { count: number; atOnce: number; pauseMs?: number; signal: AbortSignal }): Promise<void> {
    const { count, atOnce, pauseMs = 0, signal } = options;
    let begun = 0;
    const lane = async () => {
      while (begun < count && !signal.aborted) {
        begun += 1;
        await this.#cycle();
        this.#cycles += 1;
        if (pauseMs > 0) await new Promise((resolve) => setTimeout(resolve, pauseMs));
      }
    };
    await Promise.all(Array.from({ length: atOnce }, lane));
  }

  /** Ends those that are still silent. */
  dispose(): void {
    for (const socket of this.#silent) socket.destroy();
  }

  async #cycle(): Promise<void> {
    let ending = ENDINGS[Math.floor(this.#random() * ENDINGS.length)]!;
    if (ending === 'silent' && this.#silent.size >= MAX_SILENT) ending = 'reset';
    const localAddress = `127.0.0.${2 + Math.floor(this.#random() * SOURCES)}`;
    const socket = connect({ port: this.#port, host: '127.0.0.1', localAddress, allowHalfOpen: true, noDelay: true });
    socket.on('error', () => {}); // whatever becomes of it, it has vanished
    const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
    const timer = setTimeout(() => socket.destroy(), WAIT_MS);
    socket.write(Buffer.concat([FLAG, ending === 'mid-upload' ? LOGIN : ACTIVE]));
    const isAnswered = await new Promise<boolean>((resolve) => {
      socket.once('data', () => resolve(true));
      socket.once('close', () => resolve(false));
    });
    if (isAnswered) this.figures[ending] += 1;
    else this.figures.unanswered += 1;
    if (isAnswered && ending === 'silent') {
      clearTimeout(timer);
      socket.write(ACTIVE.subarray(0, 10));
      this.#silent.add(socket);
      socket.on('end', () => socket.destroy()).resume();
      socket.once('close', () => this.#silent.delete(socket));
      return;
    }
    if (isAnswered) this.#leave(socket, ending);
    await closed;
    clearTimeout(timer);
  }

  #leave(socket: Socket, ending: Ending): void {
    const part = 1 + Math.floor(this.#random() * (ACTIVE.length - 1));
    switch (ending) {
      case 'fin':
        socket.destroy();
        break;
      case 'reset':
        socket.resetAndDestroy();
        break;
      case 'half-close':
        socket.on('end', () => socket.destroy()).resume();
        socket.end(ACTIVE);
        break;
      case 'mid-frame':
        socket.write(ACTIVE.subarray(0, part), () => socket.destroy());
        break;
      default: {
        const name = `churn-${Math.floor(this.#random() * 50)}`;
        const upload = encodePacket(encodeUploadRequest({ dirName: '', fileName: name }));
        const data = encodePacket(requestText(Command.Data), Buffer.alloc(4096));
        const begun = Buffer.concat([upload, data, data.subarray(0, 100 + part)]);
        socket.write(begun, () => {
          if (part % 2 === 0) socket.destroy();
          else socket.resetAndDestroy();
        });
      }
    }
  }
}
