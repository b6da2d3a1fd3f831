import { NEW_SCRAM_ITERATIONS, preparePassword, type SentVerifier, scramKeysOf, USER_SALT_BYTES } from '@sluice/wire';
import { OptionsError } from './errors.js';
import type { LoginCrypto } from './platform.js';
import { randomBytes } from './random.js';

/**
 * What a server is to keep of a new password, by a salt of its own: the password itself goes nowhere. Takes as long as a login.
 *
 * @throws {OptionsError} `ERR_OPTION_RANGE` for a password that no user can have
 */
export async function userVerifierOf(crypto: LoginCrypto, password: string): Promise<SentVerifier> {
  const prepared = preparePassword(password);
  if (prepared === undefined)
    throw new OptionsError('the password is empty, or has a control character: no user can have such a one');
  const salt = randomBytes(USER_SALT_BYTES);
  const salted = await crypto.pbkdf2(prepared, salt, NEW_SCRAM_ITERATIONS);
  return { iterations: NEW_SCRAM_ITERATIONS, salt, ...scramKeysOf(crypto.hash, salted) };
}
