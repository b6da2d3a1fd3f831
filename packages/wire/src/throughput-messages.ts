import { type CommandText, type Field, requestText, responseText } from './command-text.js';
import { requiredInteger } from './keys.js';
import { Command, Key } from './names.js';
import { ResultCode } from './result-codes.js';

/** A CyclePacket request. @param count signed 32 bit. Specification 9. */
export function encodeCyclePacketRequest(count: number): Uint8Array {
  return requestText(Command.CyclePacket, [[Key.Count, count]]);
}

/** The Count of a CyclePacket request. @throws {RequestError} code 6 */
export function decodeCyclePacketRequest(text: CommandText): number {
  return Number(requiredInteger(text, Key.Count, 32));
}

/** The answer to a CyclePacket request: one more, in 32 bits with sign. Specification 9. */
export function encodeCyclePacketResponse(command: string, count: number): Uint8Array {
  const fields: Field[] = [[Key.Count, (count + 1) | 0]];
  return responseText(command, ResultCode.Success, fields);
}
