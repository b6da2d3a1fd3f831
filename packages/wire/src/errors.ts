import type { ResultCode } from './result-codes.js';

/**
 * - `ERR_COMMAND_LENGTH`: the command length lies outside its packet (specification 2.3)
 * - `ERR_TEXT_MALFORMED`: the command text has no two lines (3.2)
 * - `ERR_RESPONSE_INVALID`: a response lacks a key it must have, or its value is bad (4.1, C9)
 * - `ERR_VALUE_LINE_BREAK`: the caller gave a value that contains CR or LF (3.2, rule 9)
 * - `ERR_PACKET_TOO_LARGE`: the caller gave more than a packet holds (2.3)
 */
export type ProtocolErrorCode =
  | 'ERR_COMMAND_LENGTH'
  | 'ERR_TEXT_MALFORMED'
  | 'ERR_RESPONSE_INVALID'
  | 'ERR_VALUE_LINE_BREAK'
  | 'ERR_PACKET_TOO_LARGE';

/** Bytes that are not the protocol, received or about to be sent. */
export class ProtocolError extends Error {
  override readonly name = 'ProtocolError';
  readonly code: ProtocolErrorCode;

  constructor(code: ProtocolErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** A request that can be answered, but not done: the answer is `resultCode` with this message. The message goes to the peer. */
export class RequestError extends Error {
  override readonly name = 'RequestError';
  readonly resultCode: ResultCode;

  constructor(resultCode: ResultCode, message = '', options?: ErrorOptions) {
    super(message, options);
    this.resultCode = resultCode;
  }
}
