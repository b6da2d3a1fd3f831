import { IssuedCertificate } from '@sluice/core';

const DAY_MS = 86_400_000;

/** RFC 5280, appendix A.1. The whole name is among the hosts. */
const MAX_COMMON_NAME_LENGTH = 64;

/** A certificate and its key, both PEM. */
export interface SelfSigned {
  readonly certificate: string;
  readonly key: string;
  /** SHA-256 of the certificate, `AB:CD:...`: what a client pins. */
  readonly fingerprint: string;
  readonly validTo: Date;
}

/**
 * Makes a certificate that signs itself, for a first try of TLS: clients trust it by its fingerprint, or name it as their authority.
 *
 * @param hosts names, `*.` at the beginning included, and addresses of the server; at least one
 * @param days how long it is valid, from now on
 * @throws {TypeError} for a host that is neither a name nor an address
 */
export function makeSelfSigned(hosts: readonly [string, ...string[]], days: number, now = new Date()): SelfSigned {
  // From yesterday on: the clock of a client may be slow.
  const validFrom = new Date(now.getTime() - DAY_MS);
  const validTo = new Date(now.getTime() + days * DAY_MS);
  const { certificate, key, fingerprint } = IssuedCertificate.issue({
    name: hosts[0].slice(0, MAX_COMMON_NAME_LENGTH),
    hosts,
    validFrom,
    validTo,
  });
  return { certificate, key, fingerprint, validTo };
}
