import { createHash, createHmac, pbkdf2Sync, randomBytes } from 'node:crypto';
import type { RawPeer } from '@sluice/testkit';
import {
  type ChannelBindingFlag,
  decodeBase64,
  decodeScramServerFirst,
  encodeBase64,
  encodePacket,
  encodeSaslLoginRequest,
  encodeScramClientFinal,
  makeScramClientFirst,
  type ScramHash,
  ScramMechanism,
  type ScramServerFirst,
  scramAuthMessage,
  scramKeysOf,
  scramProof,
  scramSignature,
  scramWithoutProof,
} from '@sluice/wire';
import { answer } from './test-server.js';

const hash: ScramHash = {
  hash: (data) => createHash('sha256').update(data).digest(),
  hmac: (key, data) => createHmac('sha256', key).update(data).digest(),
};

export interface ScramOptions {
  /** @default 'none' */
  readonly binding?: ChannelBindingFlag;
  /** Data of the channel binding. @default none */
  readonly channel?: Uint8Array;
  /** @default what fits the binding */
  readonly mechanism?: string;
  /** @default none: the client does not ask */
  readonly features?: readonly string[];
}

/** A login by SCRAM whose messages a test sends one by one. */
export class ScramPeer {
  readonly peer: RawPeer;
  readonly options: ScramOptions;
  challenge: ScramServerFirst | undefined;
  #first = makeScramClientFirst('none', '', '');
  #challengeText = '';

  constructor(peer: RawPeer, options: ScramOptions = {}) {
    this.peer = peer;
    this.options = options;
  }

  /** Sends the first message. @returns the answer, with `Sasl` read */
  async begin(userName: string): Promise<string[]> {
    const { binding = 'none', features } = this.options;
    this.#first = makeScramClientFirst(binding, userName, randomBytes(12).toString('base64'));
    const { mechanism = typeof binding === 'object' ? ScramMechanism.Sha256Plus : ScramMechanism.Sha256 } =
      this.options;
    const message = this.#first.header + this.#first.bare;
    await this.peer.send(encodePacket(encodeSaslLoginRequest({ mechanism, message, features })));
    const lines = readSasl(await answer(this.peer));
    const [, text] = /^Sasl=(r=.*)$/.exec(lines[2] ?? '') ?? [];
    if (text !== undefined) {
      this.#challengeText = text;
      this.challenge = decodeScramServerFirst(text);
    }
    return lines;
  }

  /** The last message, for any password. */
  finalMessage(password: string): { message: string; signature: Uint8Array } {
    const { nonce, salt, iterations } = this.challenge!;
    const salted = pbkdf2Sync(password, salt, iterations, 32, 'sha256');
    const withoutProof = scramWithoutProof(this.#first.header, this.options.channel ?? new Uint8Array(0), nonce);
    const authMessage = scramAuthMessage(this.#first.bare, this.#challengeText, withoutProof);
    return {
      message: encodeScramClientFinal(withoutProof, scramProof(hash, salted, authMessage)),
      signature: scramSignature(hash, scramKeysOf(hash, salted).serverKey, authMessage),
    };
  }

  /** Sends the last message. @returns the answer, with `Sasl` read */
  async end(password: string): Promise<string[]> {
    return await this.sendFinal(this.finalMessage(password).message);
  }

  async sendFinal(message: string): Promise<string[]> {
    await this.peer.send(encodePacket(encodeSaslLoginRequest({ mechanism: undefined, message, features: undefined })));
    return readSasl(await answer(this.peer));
  }

  /** Both messages. */
  async logIn(userName: string, password: string): Promise<string[]> {
    const lines = await this.begin(userName);
    return this.challenge ? await this.end(password) : lines;
  }
}

function readSasl(lines: string[]): string[] {
  return lines.map((line) => {
    const [, value] = /^Sasl=(.*)$/.exec(line) ?? [];
    if (value === undefined) return line;
    const bytes = decodeBase64(value.padEnd(Math.ceil(value.length / 4) * 4, '='));
    return `Sasl=${Buffer.from(bytes ?? []).toString()}`;
  });
}

/** What the server must have said at the end. */
export function signatureLine(signature: Uint8Array): string {
  return `Sasl=v=${encodeBase64(signature)}`;
}
