import type { X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import { type ConnectionOptions, createSecureContext, type TLSSocket } from 'node:tls';
import { ClientError } from './errors.js';
import { plainFingerprint } from './fingerprint.js';
import { systemText } from './local-errors.js';
import type { ClientTlsOptions } from './options.js';

/** Why a certificate is not trusted, where OpenSSL's code says more than is needed. */
const UNKNOWN_ISSUER = new Set([
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
]);

/** Which servers are trusted, and what is shown to them. */
export class TlsTrust {
  readonly #options: ClientTlsOptions;
  readonly #host: string;
  readonly #peer: string;

  constructor(options: ClientTlsOptions, host: string, port: number) {
    this.#options = options;
    this.#host = host;
    this.#peer = `${host}:${port}`;
  }

  /**
   * What to connect with. The connection is made whatever the server shows: nothing may be sent before `refusal` has been asked.
   *
   * @throws {ClientError} `ERR_TLS` when the certificates that were given cannot be used
   */
  connectionOptions(): ConnectionOptions {
    const { ca, cert, key } = this.#options;
    const files = {
      ...(ca !== undefined && { ca }),
      ...(cert !== undefined && { cert }),
      ...(key !== undefined && { key }),
    };
    try {
      return {
        secureContext: createSecureContext({ ...files, minVersion: 'TLSv1.2' }),
        rejectUnauthorized: false,
        // Addresses are not sent as names; they are checked all the same.
        servername: isIP(this.#host) === 0 ? this.#host : '',
      };
    } catch (cause) {
      const text = `the certificates or the key for TLS cannot be used: ${systemText(cause)}`;
      throw new ClientError('ERR_TLS', text, { cause });
    }
  }

  /** Why the server is not to be trusted; `undefined` when it is. To be asked once the handshake is done. */
  refusal(socket: TLSSocket): ClientError | undefined {
    const certificate = socket.getPeerX509Certificate();
    if (!certificate) return new ClientError('ERR_TLS', `${this.#peer} has shown no certificate`);
    const { fingerprint256 } = certificate;
    const { fingerprint } = this.#options;
    if (fingerprint !== undefined) {
      if (plainFingerprint(fingerprint256) === plainFingerprint(fingerprint)) return undefined;
      const text = `the certificate of ${this.#peer} is not the one that was pinned: it was exchanged, or somebody else answers`;
      return new ClientError('ERR_TLS', `${text} (SHA-256 ${fingerprint256})`);
    }
    return socket.authorized ? undefined : this.#refused(this.#reason(socket, certificate), certificate);
  }

  /** A failure of the handshake. */
  failure(error: NodeJS.ErrnoException): ClientError {
    const isCut = error.code === 'ECONNRESET' || error.code === 'EPIPE';
    if (isCut || error.code === 'ERR_SSL_WRONG_VERSION_NUMBER' || error.code === 'EPROTO') {
      const what = isCut ? 'has ended the connection in the TLS handshake' : 'does not answer with TLS';
      const text = `${this.#peer} ${what}; if it has no TLS, its address begins with sluice://`;
      return new ClientError('ERR_TLS', text, { cause: error, retryable: isCut });
    }
    return new ClientError('ERR_TLS', `no TLS connection to ${this.#peer}: ${systemText(error)}`, { cause: error });
  }

  #reason(socket: TLSSocket, certificate: X509Certificate): string {
    const code = String(socket.authorizationError);
    if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') {
      const names = certificate.subjectAltName ?? certificate.subject.replaceAll('\n', ', ');
      return `it is for ${names}, not for ${this.#host}`;
    }
    if (code === 'CERT_HAS_EXPIRED') return `it has expired (${certificate.validTo})`;
    if (UNKNOWN_ISSUER.has(code)) return 'nobody who is trusted has signed it';
    return code.toLowerCase().replaceAll('_', ' ');
  }

  #refused(reason: string, { fingerprint256 }: X509Certificate): ClientError {
    const text = `the certificate of ${this.#peer} is not trusted: ${reason} (SHA-256 ${fingerprint256})`;
    return new ClientError('ERR_TLS', text, { fingerprint: fingerprint256 });
  }
}
