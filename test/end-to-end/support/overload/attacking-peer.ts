import { createHash, createHmac, pbkdf2Sync, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { LengthFieldDecoder } from '@sluice/framing';
import {
  commandTextEnd,
  decodeCommandText,
  decodeResponse,
  decodeSaslMessage,
  decodeScramServerFirst,
  encodePacket,
  encodeSaslLoginRequest,
  encodeScramClientFinal,
  Feature,
  makeScramClientFirst,
  PACKET_HEAD_BYTES,
  type ProtocolFlag,
  packetLayout,
  preparePassword,
  type Response,
  ResultCode,
  type ScramHash,
  ScramMechanism,
  scramAuthMessage,
  scramProof,
  scramWithoutProof,
} from '@sluice/wire';

const hash: ScramHash = {
  hash: (data) => createHash('sha256').update(data).digest(),
  hmac: (key, data) => createHmac('sha256', key).update(data).digest(),
};

const saltedPasswords = new Map<string, Buffer>();

/** A connection that speaks the protocol until it has what it wants, and then behaves badly: it does not read, or does not go on. */
export class AttackingPeer {
  readonly socket: Socket;
  readonly #decoder: LengthFieldDecoder;
  #answers: Response[] = [];
  #wake: (() => void) | undefined;

  private constructor(socket: Socket) {
    this.socket = socket;
    this.#decoder = new LengthFieldDecoder(packetLayout(), {
      onFrame: (source, start, end) => {
        const textEnd = commandTextEnd(source, start, end - start);
        this.#answers.push(decodeResponse(decodeCommandText(source, start + PACKET_HEAD_BYTES, textEnd)));
        return true;
      },
    });
    socket.on('error', () => {}); // the server may end it: that is what this is about
    socket.on('data', (chunk: Buffer) => {
      this.#decoder.push(chunk, 0, chunk.length);
      this.#wake?.();
    });
    socket.on('close', () => this.#wake?.());
  }

  /** Connects to a port of 127.0.0.1 and sends the byte that chooses a protocol. */
  static async connect(port: number, flag: ProtocolFlag): Promise<AttackingPeer> {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    await once(socket, 'connect');
    socket.write(Uint8Array.of(flag));
    return new AttackingPeer(socket);
  }

  /** As `connect`, and logs in as admin, password admin. */
  static async connectLoggedIn(port: number, flag: ProtocolFlag): Promise<AttackingPeer> {
    const peer = await AttackingPeer.connect(port, flag);
    await peer.#logIn('admin', 'admin');
    return peer;
  }

  get isClosed(): boolean {
    return this.socket.destroyed;
  }

  /** Sends a request; nobody waits for the answer. */
  request(text: Uint8Array, data?: Uint8Array): void {
    this.socket.write(encodePacket(text, data));
  }

  /** Sends a request. @returns the next answer @throws when the connection ends */
  async ask(text: Uint8Array): Promise<Response> {
    this.request(text);
    for (;;) {
      const answer = this.#answers.shift();
      if (answer) return answer;
      if (this.isClosed) throw new Error('the server has ended the connection');
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  /** Reads nothing more. */
  stopReading(): void {
    this.socket.pause();
  }

  destroy(): void {
    this.socket.destroy();
  }

  async #logIn(userName: string, password: string): Promise<void> {
    const first = makeScramClientFirst('none', userName, randomBytes(18).toString('base64'));
    const features = Object.values(Feature);
    const begun = await this.ask(
      encodeSaslLoginRequest({ mechanism: ScramMechanism.Sha256, message: first.header + first.bare, features }),
    );
    const challenge = decodeSaslMessage(begun.text) ?? '';
    const { nonce, salt, iterations } = decodeScramServerFirst(challenge);
    const salted = saltedPassword(password, salt, iterations);
    const withoutProof = scramWithoutProof(first.header, new Uint8Array(0), nonce);
    const authMessage = scramAuthMessage(first.bare, challenge, withoutProof);
    const message = encodeScramClientFinal(withoutProof, scramProof(hash, salted, authMessage));
    const ended = await this.ask(encodeSaslLoginRequest({ mechanism: undefined, message, features: undefined }));
    if (ended.code !== ResultCode.Success) throw new Error(`login refused: ${ended.code} ${ended.message}`);
  }
}

function saltedPassword(password: string, salt: Uint8Array, iterations: number): Buffer {
  const key = Buffer.from(salt).toString('base64');
  const known = saltedPasswords.get(key);
  if (known) return known;
  const made = pbkdf2Sync(preparePassword(password) ?? '', salt, iterations, 32, 'sha256');
  saltedPasswords.set(key, made);
  return made;
}
