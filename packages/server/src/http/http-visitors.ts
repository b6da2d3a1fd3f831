import { HttpError } from './http-error.js';
import type { Visitors } from './http-listener.js';
import type { HttpVisitor } from './http-route.js';
import type { UnidentifiedRequest } from './incoming-request.js';
import type { OwnOrigins } from './own-origins.js';

/** Who asks over HTTP. */
export class HttpVisitors implements Visitors {
  readonly #origins: OwnOrigins;

  constructor(origins: OwnOrigins) {
    this.#origins = origins;
  }

  requireOrigin(request: UnidentifiedRequest): void {
    if (this.#origins.isAllowed(request) === false) throw new HttpError(403, 'this origin is not allowed here');
  }

  visitorOf(_request: UnidentifiedRequest): HttpVisitor | undefined {
    return undefined;
  }
}
