import type { RetryInfo } from '@sluice/client';
import { describeFailure } from './failure.js';
import { formatSeconds } from './options/quantities.js';

/** What somebody who waits is told. @param leftMs until the next attempt */
export function retryText({ attempt, error }: RetryInfo, leftMs: number): string {
  const what = describeFailure(error).code === 'ERR_CONNECT' ? 'cannot connect' : 'link broken';
  return `${what}, trying again in ${formatSeconds(Math.ceil(leftMs / 1000))} (attempt ${attempt + 1})`;
}
