import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { HttpError } from './http-error.js';
import type { HttpRequest, HttpVisitor } from './http-route.js';

/** What is known of a request before anybody has looked who asks. */
export type UnidentifiedRequest = Omit<HttpRequest, 'visitor'>;

/** One request, or one connection that asks for another protocol. */
export class IncomingRequest implements HttpRequest {
  readonly message: IncomingMessage;
  readonly url: URL;
  readonly remoteAddress: string;
  readonly isSecure: boolean;
  visitor: HttpVisitor | undefined;
  readonly #answer: Duplex | (NodeJS.WritableStream & { readonly writableFinished: boolean });
  #gone: AbortController | undefined;
  #isGone = false;

  /**
   * @param answer what goes to the peer: the response, or the socket of an upgrade
   * @throws {HttpError} 400 for a target that is no path
   */
  constructor(
    message: IncomingMessage,
    answer: Duplex | (NodeJS.WritableStream & { readonly writableFinished: boolean }),
    connection: { readonly remoteAddress: string; readonly isSecure: boolean },
  ) {
    this.message = message;
    this.remoteAddress = connection.remoteAddress;
    this.isSecure = connection.isSecure;
    this.url = urlOf(message, connection.isSecure);
    this.#answer = answer;
    answer.once('close', this.#onClose);
  }

  /** Made when somebody asks for it. */
  get gone(): AbortSignal {
    if (!this.#gone) {
      this.#gone = new AbortController();
      if (this.#isGone) this.#gone.abort();
    }
    return this.#gone.signal;
  }

  readonly #onClose = (): void => {
    if (this.#answer.writableFinished) return;
    this.#isGone = true;
    this.#gone?.abort();
  };
}

/** @throws {HttpError} */
function urlOf({ url = '', headers }: IncomingMessage, isSecure: boolean): URL {
  const scheme = isSecure ? 'https' : 'http';
  const { host = '' } = headers;
  const safeHost = /^(?:[\w.-]+|\[[\da-fA-F:.]+\])(?::\d{1,5})?$/.test(host) ? host : 'localhost';
  const path = url.startsWith('/') ? url : pathOfAbsolute(url);
  if (path === undefined) throw new HttpError(400, 'the target of a request is a path');
  try {
    return new URL(`${scheme}://${safeHost}${path}`);
  } catch {
    throw new HttpError(400, 'the target of the request cannot be read');
  }
}

/** Of the form that is meant for proxies, the path. */
function pathOfAbsolute(target: string): string | undefined {
  if (target === '*') return '/';
  return /^https?:\/\/[^/?#]*(\/.*)?$/i.exec(target)?.[1];
}
