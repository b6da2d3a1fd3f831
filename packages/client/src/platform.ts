import type { ScramHash } from '@sluice/wire';
import type { ProcessLoad } from './speed/process-load.js';
import type { Dialer } from './transport.js';

/** What logins compute with. */
export interface LoginCrypto {
  /** SHA-256. */
  readonly hash: ScramHash;
  /** PBKDF2 with HMAC-SHA-256, without holding up the thread that asks. @returns 32 bytes */
  pbkdf2(password: string, salt: Uint8Array, iterations: number): Promise<Uint8Array>;
  /** MD5 in small hexadecimal digits; missing where nobody logs in by it. */
  readonly md5?: (text: string) => string;
}

/** What differs between the places where a client runs: Node, or a browser. */
export interface Platform {
  readonly dial: Dialer;
  /** Whether whoever connects has logged in already, by a cookie. @default false */
  readonly hasSession?: boolean;
  readonly crypto: LoginCrypto;
  /** Calls back once everything that this turn of the event loop brings about has been done. */
  afterTurn(callback: () => void): void;
  /** Settles when everything else has had its turn. */
  nextTurn(): Promise<void>;
  /** Begins to measure how hard the client works; `undefined` where nobody tells. */
  measureLoad(): ProcessLoad | undefined;
  /** Lets a signal have as many listeners as come. */
  allowListeners(signal: AbortSignal): void;
}
