import type { ServerResponse } from 'node:http';
import { RequestError, ResultCode } from '@sluice/wire';
import { BusyError } from '../../busy-error.js';
import { type Log, withFields } from '../../log.js';
import type { Principal } from '../../principal.js';
import { RequestMemory } from '../../request-memory.js';
import { HttpError } from '../http-error.js';
import type { HttpRequest } from '../http-route.js';
import type { FilesParts } from './files-parts.js';
import { BodyGate } from './request-body.js';

/** One request for files, of somebody who has logged in. */
export class FileRequest implements Disposable {
  /** Hooks are told the number of a connection; those of HTTP have none. */
  readonly id = 0;
  readonly request: HttpRequest;
  readonly response: ServerResponse;
  readonly principal: Principal;
  readonly remoteAddress: string;
  readonly log: Log;
  readonly memory: RequestMemory;
  /** Closed while much is held in memory. */
  readonly bodyGate = new BodyGate();
  readonly #mode: FilesParts['mode'];
  readonly #gone = new AbortController();
  /** A login is longer than its requests, and must not remember them. */
  readonly #sources: readonly AbortSignal[];
  readonly #onGone = (): void => this.#gone.abort();

  /** @throws {HttpError} 401 */
  constructor(request: HttpRequest, response: ServerResponse, { log, memory, mode }: FilesParts) {
    const { visitor, remoteAddress } = request;
    if (!visitor) throw new HttpError(401, 'log in first');
    this.request = request;
    this.response = response;
    this.principal = visitor.principal;
    this.remoteAddress = remoteAddress;
    this.#sources = [request.gone, visitor.ended];
    for (const source of this.#sources) {
      if (source.aborted) this.#onGone();
      else source.addEventListener('abort', this.#onGone);
    }
    this.log = withFields(log, () => ({ protocol: 'HTTP', user: this.userName, remote: remoteAddress }));
    this.#mode = mode;
    this.memory = new RequestMemory(
      memory,
      {
        pauseForMemory: () => {
          this.bodyGate.isOpen = false;
        },
        resumeForMemory: () => {
          this.bodyGate.isOpen = true;
        },
        closeForMemory: () => {
          response.destroy();
          this.memory.close();
        },
      },
      this,
    );
  }

  /** Aborted when the connection is gone, or the login has ended. */
  get gone(): AbortSignal {
    return this.#gone.signal;
  }

  get userName(): string {
    return this.principal.userName ?? '';
  }

  /** To be called before anything is changed. @throws {HttpError} 403; 503 for what can be done later */
  requireMayChange(): void {
    if (this.principal.role === 'read-only') throw new HttpError(403, 'this user may only read');
    if (this.#mode.isReadOnly) throw new HttpError(503, 'the server is read-only now', { 'Retry-After': '60' });
  }

  /** A header that may be there once. @throws {HttpError} 400 for several */
  header(name: string): string | undefined {
    const values = this.request.message.headersDistinct[name];
    if (values && values.length > 1) throw new HttpError(400, `${name} is there ${values.length} times`);
    return values?.[0];
  }

  [Symbol.dispose](): void {
    for (const source of this.#sources) source.removeEventListener('abort', this.#onGone);
    this.memory.close();
  }
}

/** What the parts of the server that answer by codes of the packet protocols have thrown, as HTTP tells it. */
export function httpErrorFrom(error: unknown): unknown {
  if (error instanceof BusyError)
    return new HttpError(503, error.message, { 'Retry-After': String(Math.ceil(error.retryAfterMs / 1000)) });
  if (!(error instanceof RequestError)) return error;
  if (error.resultCode === ResultCode.NotPermitted) return new HttpError(403, error.message);
  return new HttpError(500, error.message);
}
