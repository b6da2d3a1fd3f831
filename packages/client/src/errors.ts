export { OptionsError } from '@sluice/framing';

import { canonicalResultCode, type Response, ResultCode, responseRetryAfterMs, resultText } from '@sluice/wire';

/**
 * - `ERR_URL`: the address, or a path on the server, cannot be used as it is
 * - `ERR_CONNECT`: no connection could be made
 * - `ERR_TLS`: the server is not trusted (`fingerprint` says what it has shown), or client and server do not agree on TLS
 * - `ERR_CONNECTION_LOST`: the connection ended in the middle
 * - `ERR_TIMEOUT`: the server did not answer, or did not take what was sent, for `responseTimeoutMs`
 * - `ERR_LOGIN_REFUSED`: wrong user name or password
 * - `ERR_LOGIN_METHOD`: client and server do not agree on how to log in, see `LoginPolicy`; the password was not sent in any form that is not permitted
 * - `ERR_SERVER_UNPROVEN`: the server does not prove that it is the one where the password was set
 * - `ERR_REMOTE`: the server says no; `resultCode` says why
 * - `ERR_EXISTS`: a file of that name is there, and was not to be replaced
 * - `ERR_NO_SPACE`: the file does not fit: on the server's disk, or into the user's quota
 * - `ERR_REMOTE_LONGER`: the file on the server is longer than the local one
 * - `ERR_LOCAL_FILE`: a local file or directory cannot be read or written, or is being downloaded already
 * - `ERR_SOURCE_CHANGED`: the file changed while it was being transferred, and nothing was acknowledged; or an open file on the server changed while
 *   the connection was broken
 * - `ERR_DAMAGED`: what comes of a file is not what the server says that it is, each time it is asked for: its disk, or the link, damages it
 * - `ERR_PROTOCOL`: the server sent what no server of this protocol sends
 * - `ERR_UNSUPPORTED`: the server does not have what is asked for
 * - `ERR_CLOSED`: the client is closed
 */
export type ClientErrorCode =
  | 'ERR_URL'
  | 'ERR_CONNECT'
  | 'ERR_TLS'
  | 'ERR_CONNECTION_LOST'
  | 'ERR_TIMEOUT'
  | 'ERR_LOGIN_REFUSED'
  | 'ERR_LOGIN_METHOD'
  | 'ERR_SERVER_UNPROVEN'
  | 'ERR_REMOTE'
  | 'ERR_EXISTS'
  | 'ERR_NO_SPACE'
  | 'ERR_REMOTE_LONGER'
  | 'ERR_LOCAL_FILE'
  | 'ERR_SOURCE_CHANGED'
  | 'ERR_DAMAGED'
  | 'ERR_PROTOCOL'
  | 'ERR_UNSUPPORTED'
  | 'ERR_CLOSED';

/** What {@link ClientError} is made with beside code and message. */
export interface ClientErrorOptions extends ErrorOptions {
  /** @default false */
  readonly retryable?: boolean;
  readonly resultCode?: number;
  readonly retryAfterMs?: number;
  readonly fingerprint?: string;
}

/** Every failure of the client, except a call that was aborted: that one rejects with the signal's reason. */
export class ClientError extends Error {
  override readonly name = 'ClientError';
  readonly code: ClientErrorCode;
  /** Whether the same call may well succeed later. The client has already used up its own retries. */
  readonly retryable: boolean;
  /** The server's Code, in the C# server's numbering; set when the server has said no. Specification 4.1. */
  readonly resultCode?: number;
  /** When the server wants to be asked again, in milliseconds; set for some refusals with `resultCode` 12, busy. */
  readonly retryAfterMs?: number;
  /** SHA-256 of the certificate that the server has shown, `AB:CD:...`; set for `ERR_TLS` when nobody who is trusted vouches for it. */
  readonly fingerprint?: string;

  constructor(code: ClientErrorCode, message: string, options: ClientErrorOptions = {}) {
    super(message, options);
    this.code = code;
    this.retryable = options.retryable ?? false;
    if (options.resultCode !== undefined) this.resultCode = options.resultCode;
    if (options.retryAfterMs !== undefined) this.retryAfterMs = options.retryAfterMs;
    if (options.fingerprint !== undefined) this.fingerprint = options.fingerprint;
  }
}

/** The failure that a server's answer reports: a text for every code (C5), and what the server adds to it. */
export function responseError(response: Response): ClientError {
  return remoteError(response.code, response.message, responseRetryAfterMs(response));
}

/** The same, of a code alone. */
export function remoteError(code: number, message: string, retryAfterMs?: number): ClientError {
  const resultCode = canonicalResultCode(code);
  const retryable = resultCode === ResultCode.Busy;
  return new ClientError(codes.get(resultCode) ?? 'ERR_REMOTE', remoteText(resultCode, message), {
    resultCode,
    retryable,
    ...(retryable && retryAfterMs !== undefined && { retryAfterMs }),
  });
}

const codes = new Map<number, ClientErrorCode>([
  [ResultCode.FileExists, 'ERR_EXISTS'],
  [ResultCode.NoSpace, 'ERR_NO_SPACE'],
  [ResultCode.QuotaExceeded, 'ERR_NO_SPACE'],
]);

/** What the code means, with the server's own words where they say more. */
function remoteText(code: number, message: string): string {
  if (message === '' || selfExplaining.has(code)) return resultText(code);
  return code === ResultCode.UnknownError ? message : `${resultText(code)}: ${message}`;
}

const selfExplaining = new Set<number>([
  ResultCode.NotLoggedIn,
  ResultCode.FileNotExist,
  ResultCode.FileIsInUse,
  ResultCode.FileExists,
  ResultCode.DirNotExist,
]);
