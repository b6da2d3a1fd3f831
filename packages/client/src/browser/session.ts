import { ClientError } from '../errors.js';
import type { ResolvedGateway } from './browser-options.js';

const UNAUTHORIZED = 401;

/**
 * Makes sure that the cookie still logs in: a gateway takes connections of others, too.
 *
 * @throws {ClientError} `ERR_LOGIN_REFUSED`
 */
export async function requireSession(
  { url, options }: ResolvedGateway,
  signal: AbortSignal | undefined,
): Promise<void> {
  if (!options.platform.hasSession) return;
  const place = new URL('/session', url);
  place.protocol = url.protocol.replace('ws', 'http');
  let status: number;
  try {
    const answer = await fetch(place, { credentials: 'same-origin', cache: 'no-store', ...(signal && { signal }) });
    ({ status } = answer);
    await answer.body?.cancel();
  } catch {
    signal?.throwIfAborted();
    return; // the connection will fail, and say why
  }
  if (status === UNAUTHORIZED)
    throw new ClientError('ERR_LOGIN_REFUSED', `nobody is logged in at ${url.host}, or not any longer: log in again`);
}
