import type { IncomingMessage, ServerResponse } from 'node:http';

/** How long a browser need not ask again, in seconds: a day, of which browsers take what they like. */
const PREFLIGHT_SECONDS = 86_400;

/** What pages of other origins may send, and read. */
export interface CrossOriginRules {
  readonly methods: readonly string[];
  readonly requestHeaders: readonly string[];
  readonly exposedHeaders: readonly string[];
}

/**
 * Lets pages of origins that the operator has named use what answers. They log in by `Authorization`: the cookie of a login is never sent
 * from another site.
 */
export function allowCrossOrigin(
  { headers, method }: IncomingMessage,
  response: ServerResponse,
  isAllowed: (origin: string) => boolean,
  rules: CrossOriginRules,
): void {
  response.appendHeader('Vary', 'Origin');
  const { origin } = headers;
  if (origin === undefined || !isAllowed(origin)) return;
  response.setHeader('Access-Control-Allow-Origin', origin);
  response.setHeader('Access-Control-Allow-Credentials', 'true');
  response.setHeader('Cross-Origin-Resource-Policy', 'cross-origin');
  if (method !== 'OPTIONS' || headers['access-control-request-method'] === undefined) {
    response.setHeader('Access-Control-Expose-Headers', rules.exposedHeaders.join(', '));
    return;
  }
  response.setHeader('Access-Control-Allow-Methods', rules.methods.join(', '));
  response.setHeader('Access-Control-Allow-Headers', rules.requestHeaders.join(', '));
  response.setHeader('Access-Control-Max-Age', String(PREFLIGHT_SECONDS));
}
