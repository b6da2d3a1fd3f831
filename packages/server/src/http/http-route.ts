import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Principal } from '../principal.js';

/** Who may use a path. An admin may all that a user may. */
export type HttpAccess = 'anybody' | 'user' | 'admin';

/** Somebody who has logged in, by the cookie of a login or by `Authorization: Basic` with this request. */
export interface HttpVisitor {
  readonly principal: Principal;
  /** Aborted when the login ends: logout, expiry, the user removed. With `Authorization` it is the request's end. */
  readonly ended: AbortSignal;
  /** Whether it is the cookie that says so: then the origin of the request was looked at. */
  readonly isByCookie: boolean;
}

/** A request, and what is known of who asks. */
export interface HttpRequest {
  readonly message: IncomingMessage;
  /** The path and the query. Its host is what the peer says. */
  readonly url: URL;
  /** Without the port; of the client, where a balancer tells it. */
  readonly remoteAddress: string;
  /** Whether it came by TLS. */
  readonly isSecure: boolean;
  /** `undefined` for anybody. */
  readonly visitor: HttpVisitor | undefined;
  /** Aborted when the connection is gone: nobody waits for what is still being done for it. */
  readonly gone: AbortSignal;
}

/** What answers the requests for a path. */
export interface HttpRoute {
  /** A path, or with a slash at its end all that is below it. The longest that fits is taken. */
  readonly path: string;
  /** `HEAD` where there is `GET`, and `OPTIONS`, unless listed here, are answered without the route. */
  readonly methods: readonly string[];
  /** @default 'user' */
  readonly access?: HttpAccess;
  /** The headers of security are set. An `HttpError` or `StorageError` that it throws becomes the answer, if none has begun. */
  handle(request: HttpRequest, response: ServerResponse): void | Promise<void>;
}

/** What takes connections over that ask for another protocol. */
export interface UpgradeRoute {
  readonly path: string;
  /** @default 'user' */
  readonly access?: HttpAccess;
  /** The origin has been looked at. The socket is the route's from now on. */
  upgrade(request: HttpRequest, socket: Duplex, head: Buffer): void;
}
