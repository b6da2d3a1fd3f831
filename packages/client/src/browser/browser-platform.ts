import type { LoginCrypto, Platform } from '../platform.js';
import type { Dialer } from '../transport.js';
import { pbkdf2 } from './pbkdf2.js';
import { Hmac, sha256 } from './sha256.js';
import { afterOthers } from './turns.js';

const nextTurn = (): Promise<void> => new Promise(afterOthers);

const crypto: LoginCrypto = {
  hash: { hash: sha256, hmac: (key, data) => new Hmac(key).of(data) },
  pbkdf2: (password, salt, iterations) => pbkdf2(password, Uint8Array.from(salt), iterations, nextTurn),
};

/** A browser. @param hasSession whether its cookie logs in */
export function browserPlatform(dial: Dialer, hasSession: boolean): Platform {
  return {
    dial,
    hasSession,
    crypto,
    afterTurn: afterOthers,
    nextTurn,
    measureLoad: () => undefined,
    allowListeners: () => {},
  };
}
