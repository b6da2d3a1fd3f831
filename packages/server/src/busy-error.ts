import { RequestError, ResultCode } from '@sluice/wire';

/** The request can be done later: code 12, with the time after which it is worth another try. */
export class BusyError extends RequestError {
  /** In milliseconds. */
  readonly retryAfterMs: number;

  constructor(message: string, retryAfterMs: number) {
    super(ResultCode.Busy, message);
    this.retryAfterMs = retryAfterMs;
  }
}
