import type { DescriptorBudget, StreamRefusal } from '@sluice/core';
import type { Log } from '../log.js';
import { bareAnswer } from './http-answers.js';
import type { HttpServerOptions } from './http-options.js';

/** The part of the descriptors of a process that HTTP may take. */
const DESCRIPTOR_SHARE = 16;

/** The address of the HTTP listener cannot be used. */
export class HttpAddressError extends Error {
  override readonly name = 'HttpAddressError';
  /** The system's: `EADDRINUSE`, `EACCES`, `EADDRNOTAVAIL`, `ENOTFOUND`. */
  readonly code: string;
  readonly address: string;

  constructor(code: string, address: string, cause: unknown) {
    super(`cannot listen for HTTP on ${address}: ${code}`, { cause });
    this.code = code;
    this.address = address;
  }
}

/**
 * Listens for HTTP.
 *
 * @returns `undefined` when the address is in use and the server is to go on without
 * @throws {HttpAddressError} when the address cannot be used
 */
export async function listeningForHttp<T>(
  { host, port, isOptional }: Pick<HttpServerOptions, 'host' | 'port' | 'isOptional'>,
  log: Log,
  listen: () => Promise<T>,
): Promise<T | undefined> {
  try {
    return await listen();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (typeof code !== 'string' || !/^E[A-Z]+$/.test(code)) throw error;
    const address = `${host.includes(':') ? `[${host}]` : host}:${port}`;
    if (!isOptional || code !== 'EADDRINUSE') throw new HttpAddressError(code, address, error);
    log.warn('no http: the address is in use', { address });
    return undefined;
  }
}

/** The rest of the descriptors is for the protocols and for files. */
export function connectionsWithin(wanted: number, { limit }: Pick<DescriptorBudget, 'limit'>): number {
  return Math.max(1, Math.min(wanted, Math.floor(limit / DESCRIPTOR_SHARE)));
}

/** What those are told who find no place. */
export function refusalAnswer(reason: StreamRefusal): Uint8Array {
  const status = reason === 'address' ? 429 : 503;
  return Buffer.from(bareAnswer(status, 'too many connections', false, { 'Retry-After': '5' }));
}
