/** Of plain HTTP, and of what a proxy before us has been told by HTTPS. */
const PLAIN_NAME = 'sluice-session';
/** Browsers take a name like this only over TLS, and only from the very host. */
const SECURE_NAME = '__Host-sluice-session';

/** The value of the cookie of a login; `undefined` without one. @param isSecure whether the request has come by TLS */
export function sessionTokenOf(cookies: string | undefined, isSecure: boolean): string | undefined {
  if (cookies === undefined) return undefined;
  const found = new Map<string, string>();
  for (const pair of cookies.split(';')) {
    const at = pair.indexOf('=');
    const name = pair.slice(0, at).trim();
    if (at > 0 && !found.has(name)) found.set(name, pair.slice(at + 1).trim());
  }
  return found.get(SECURE_NAME) ?? (isSecure ? undefined : found.get(PLAIN_NAME));
}

/** @param isSecure whether the browser speaks TLS */
export function sessionCookie(token: string, lastsMs: number, isSecure: boolean): string {
  return cookieText(isSecure, token, Math.floor(lastsMs / 1000));
}

/** Has the browser forget a login. */
export function forgottenCookies(): string[] {
  return [true, false].map((isSecure) => cookieText(isSecure, '', 0));
}

function cookieText(isSecure: boolean, value: string, maxAgeSeconds: number): string {
  const name = isSecure ? SECURE_NAME : PLAIN_NAME;
  return `${name}=${value}; Path=/; Max-Age=${maxAgeSeconds}; HttpOnly; SameSite=Strict${isSecure ? '; Secure' : ''}`;
}
