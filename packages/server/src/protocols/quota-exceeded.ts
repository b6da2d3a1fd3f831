import { RequestError, ResultCode } from '@sluice/wire';

/** What a user hears whose quota has no room for more. */
export function quotaExceeded(): RequestError {
  return new RequestError(ResultCode.QuotaExceeded, 'there is no room left for this user');
}
