import type { CommandText } from './command-text.js';
import { RequestError } from './errors.js';
import { parseInteger } from './integers.js';
import { Key } from './names.js';
import { ResultCode } from './result-codes.js';

/** The value of a key that a request must have. @throws {RequestError} code 6 */
export function requiredKey(text: CommandText, key: string): string {
  const value = text.first(key);
  if (value === undefined) throw new RequestError(ResultCode.ParameterError, `${key} is missing`);
  return value;
}

/** The directory a request names: DirName, or the protocol document's Dir. Specification 15 (V15). @throws {RequestError} code 6 */
export function requiredDirName(text: CommandText): string {
  return text.first(Key.DirName) ?? text.first(Key.Dir) ?? requiredKey(text, Key.DirName);
}

/** An integer that a request must have. Specification 3.3. @throws {RequestError} code 6 */
export function requiredInteger(text: CommandText, key: string, bits: 16 | 32 | 64): bigint {
  return integerOf(key, requiredKey(text, key), bits);
}

/** An integer that a request may have. @throws {RequestError} code 6 when it is there and bad */
export function optionalInteger(text: CommandText, key: string, bits: 16 | 32 | 64): bigint | undefined {
  const value = text.first(key);
  return value === undefined ? undefined : integerOf(key, value, bits);
}

/** A place in a file, or its length, that a request must have: 0 to 2^53 - 1. @throws {RequestError} code 6 */
export function requiredOffset(text: CommandText, key: string): number {
  const offset = requiredInteger(text, key, 64);
  if (offset < 0n || offset > BigInt(Number.MAX_SAFE_INTEGER))
    throw new RequestError(ResultCode.ParameterError, `${key} is outside 0 to 2^53 - 1`);
  return Number(offset);
}

/** The value of a key that a request may have, and that is one of a few words. @throws {RequestError} code 6 when it is there and none of them */
export function optionalChoice<T extends string>(text: CommandText, key: string, choices: readonly T[]): T | undefined {
  const value = text.first(key);
  if (value === undefined) return undefined;
  const choice = choices.find((one) => one === value);
  if (choice === undefined)
    throw new RequestError(ResultCode.ParameterError, `${key} is none of ${choices.join(', ')}`);
  return choice;
}

function integerOf(key: string, value: string, bits: 16 | 32 | 64): bigint {
  const integer = parseInteger(value, bits);
  if (integer === undefined)
    throw new RequestError(ResultCode.ParameterError, `${key} is not a whole number of ${bits} bits`);
  return integer;
}
