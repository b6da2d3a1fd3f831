import { randomBytes, timingSafeEqual } from 'node:crypto';
import {
  encodeScramServerFinal,
  encodeScramServerFirst,
  type ScramClientFinal,
  type ScramClientFirst,
  scramAuthMessage,
  scramBinding,
  scramProvenKey,
  scramSignature,
} from '@sluice/wire';
import { type ScramVerifier, scramHash } from './scram-verifier.js';

const NONCE_BYTES = 18;
const NO_CHANNEL = new Uint8Array(0);

/** `bad-binding`: client and server are not at the two ends of one TLS connection, or have been told different things about that. */
export type ScramVerdict = 'proven' | 'not-proven' | 'bad-binding';

/** One login by SCRAM-SHA-256, between the client's first message and its last. RFC 5802. */
export class ScramExchange {
  readonly userName: string;
  readonly verifier: ScramVerifier;
  /** The server's first message. */
  readonly challenge: string;
  readonly #first: ScramClientFirst;
  readonly #nonce: string;

  constructor(first: ScramClientFirst, verifier: ScramVerifier) {
    this.userName = first.userName;
    this.verifier = verifier;
    this.#first = first;
    this.#nonce = first.nonce + randomBytes(NONCE_BYTES).toString('base64');
    const { iterations, salt } = verifier;
    this.challenge = encodeScramServerFirst({
      nonce: this.#nonce,
      salt: Buffer.from(salt, 'base64'),
      iterations,
    });
  }

  /** Whether the client has bound the login to its channel. */
  get isBound(): boolean {
    return typeof this.#first.binding === 'object';
  }

  /**
   * Looks at the client's last message. Takes the same time whatever is wrong with it.
   *
   * @param channel what only the two ends of the connection know; `undefined` if there is nothing like that
   */
  judge({ binding, nonce, withoutProof, proof }: ScramClientFinal, channel: Uint8Array | undefined): ScramVerdict {
    const storedKey = Buffer.from(this.verifier.storedKey, 'base64');
    const provenKey = scramProvenKey(scramHash, storedKey, this.#authMessage(withoutProof), proof);
    const isProven = timingSafeEqual(provenKey, storedKey) && nonce === this.#nonce;
    // A client that believes that this server cannot bind has been told so by somebody else.
    const isMisled = this.#first.binding === 'not-offered' && channel !== undefined;
    const bound = scramBinding(this.#first.header, this.isBound && channel ? channel : NO_CHANNEL);
    const isSameBinding = Buffer.byteLength(bound) === Buffer.byteLength(binding) && sameText(bound, binding);
    if (isMisled || !isSameBinding || (this.isBound && !channel)) return 'bad-binding';
    return isProven ? 'proven' : 'not-proven';
  }

  /** The server's last message: for a client that has proven itself. */
  signature({ withoutProof }: ScramClientFinal): string {
    const serverKey = Buffer.from(this.verifier.serverKey, 'base64');
    return encodeScramServerFinal(scramSignature(scramHash, serverKey, this.#authMessage(withoutProof)));
  }

  #authMessage(withoutProof: string): string {
    return scramAuthMessage(this.#first.bare, this.challenge, withoutProof);
  }
}

function sameText(one: string, other: string): boolean {
  return timingSafeEqual(Buffer.from(one), Buffer.from(other));
}
