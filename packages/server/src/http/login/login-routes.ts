import type { ServerResponse } from 'node:http';
import { sendJson } from '../http-answers.js';
import { readJson } from '../http-body.js';
import { HttpError } from '../http-error.js';
import type { HttpRequest, HttpRoute } from '../http-route.js';
import type { HttpVisitors } from './http-visitors.js';
import { forgottenCookies, sessionCookie } from './session-cookie.js';

/** Most bytes of a name and a password together, with what is around them. */
const MAX_LOGIN_BYTES = 8 << 10;

/** How a browser logs in and out, and learns who it is. docs/http.md, "Login" */
export function loginRoutes(visitors: HttpVisitors): HttpRoute[] {
  return [
    {
      path: '/login',
      methods: ['POST'],
      access: 'anybody',
      handle: (request, response) => logIn(visitors, request, response),
    },
    {
      path: '/logout',
      methods: ['POST'],
      access: 'anybody',
      async handle(request, response) {
        await visitors.logOut(request);
        response.setHeader('Set-Cookie', forgottenCookies());
        endEmpty(response);
      },
    },
    {
      path: '/session',
      methods: ['GET'],
      handle({ visitor }, response) {
        const { principal } = visitor!;
        const expiresAtMs = visitors.expiryOf(visitor!);
        const expiresAt = expiresAtMs === undefined ? null : new Date(expiresAtMs).toISOString();
        sendJson(response, 200, { user: principal.userName, role: principal.role, expiresAt });
      },
    },
  ];
}

async function logIn(visitors: HttpVisitors, request: HttpRequest, response: ServerResponse): Promise<void> {
  visitors.requireOrigin(request);
  const { user, password } = (await readJson(request.message, MAX_LOGIN_BYTES)) as Record<string, unknown>;
  if (typeof user !== 'string' || typeof password !== 'string')
    throw new HttpError(400, 'a login is JSON: {"user":"...","password":"..."}');
  const { token, session } = await visitors.logIn(request, user, password);
  const isSecure = request.isSecure || request.message.headers.origin?.startsWith('https://') === true;
  response.setHeader('Set-Cookie', sessionCookie(token, session.expiresAtMs - session.issuedAtMs, isSecure));
  endEmpty(response);
}

function endEmpty(response: ServerResponse): void {
  response.statusCode = 204;
  response.setHeader('Cache-Control', 'no-store');
  response.end();
}
