import { getSystemErrorMap } from 'node:util';
import { ClientError } from './errors.js';

/** A system error about a local file, with the file's name and the system's words. */
export function localFileError(action: string, path: string, cause: unknown): ClientError {
  return new ClientError('ERR_LOCAL_FILE', `cannot ${action} ${path}: ${systemText(cause)}`, { cause });
}

/** What the system, or TLS, says, without the call and the path that Node adds: `no such file or directory`. */
export function systemText(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause);
  const { errno, reason } = cause as NodeJS.ErrnoException & { readonly reason?: string };
  if (reason !== undefined) return reason; // of OpenSSL, without the addresses and source lines around it
  return (errno === undefined ? undefined : getSystemErrorMap().get(errno)?.[1]) ?? cause.message;
}
