import type { ServerResponse } from 'node:http';

/**
 * Nothing but what this server gives out itself: no script and no style within a page, no page that shows it in a frame. WebAssembly, which
 * digests are made by, has to be allowed by name.
 */
const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self' 'wasm-unsafe-eval'",
  "style-src 'self'",
  "img-src 'self' data: blob:",
  "font-src 'self'",
  "connect-src 'self'",
  "worker-src 'self'",
  "manifest-src 'self'",
  "base-uri 'none'",
  "form-action 'self'",
  "frame-ancestors 'none'",
].join('; ');

/** A year. */
const STRICT_TRANSPORT_SECONDS = 31_536_000;

/** The headers of security: on every answer, whatever it is. */
export function securityHeaders(isSecure: boolean): Readonly<Record<string, string>> {
  return isSecure ? SECURE : PLAIN;
}

const PLAIN: Readonly<Record<string, string>> = {
  'Content-Security-Policy': CONTENT_SECURITY_POLICY,
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
  'Referrer-Policy': 'no-referrer',
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Permissions-Policy': 'camera=(), geolocation=(), microphone=(), payment=(), usb=()',
};

const SECURE: Readonly<Record<string, string>> = {
  ...PLAIN,
  'Strict-Transport-Security': `max-age=${STRICT_TRANSPORT_SECONDS}`,
};

export function setSecurityHeaders(response: ServerResponse, isSecure: boolean): void {
  for (const [name, value] of Object.entries(securityHeaders(isSecure))) response.setHeader(name, value);
}
