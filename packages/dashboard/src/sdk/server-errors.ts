import { ClientError } from '@sluice/client/browser';
import { ResultCode } from '@sluice/wire';
import { ServerError, type ServerErrorKind } from '../server-api.js';

/** What a failure of the SDK means to the page. What is no failure of the SDK, as the reason of a signal, stays what it is. */
export function serverError(error: unknown): unknown {
  if (!(error instanceof ClientError)) return error;
  return new ServerError(kindOf(error), error.message, { cause: error });
}

/** Lets a call fail as the page expects it. */
export async function told<T>(call: Promise<T>): Promise<T> {
  try {
    return await call;
  } catch (error) {
    throw serverError(error);
  }
}

/** The same for what is told again and again. */
export async function* toldEach<T>(source: AsyncIterable<T>): AsyncGenerator<T> {
  try {
    yield* source;
  } catch (error) {
    throw serverError(error);
  }
}

function kindOf({ code, resultCode }: ClientError): ServerErrorKind {
  if (resultCode === ResultCode.NotLoggedIn || code === 'ERR_LOGIN_REFUSED') return 'not-logged-in';
  if (resultCode === ResultCode.NotPermitted) return 'forbidden';
  if (resultCode === ResultCode.Busy) return 'busy';
  if (code === 'ERR_UNSUPPORTED') return 'unsupported';
  return LOST.has(code) ? 'lost' : 'refused';
}

const LOST: ReadonlySet<string> = new Set(['ERR_CONNECT', 'ERR_CONNECTION_LOST', 'ERR_TIMEOUT', 'ERR_CLOSED']);
