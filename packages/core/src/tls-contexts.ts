import { constants, createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import tls, { type SecureContext, type SecureContextOptions } from 'node:tls';

/** A certificate and its private key, both PEM. */
export interface CertificateFiles {
  /** The certificate, then those of the authorities between it and the root, if there are any. */
  readonly certFile: string;
  /** Not encrypted. */
  readonly keyFile: string;
}

export interface TlsFiles {
  /** At least one; the first is for peers that ask for no name, or for one that no certificate has. */
  readonly certificates: readonly CertificateFiles[];
  /** Certificates of the authorities whose clients may connect; with it, every client must show a certificate. */
  readonly clientCaFile?: string;
  /** 48 random bytes, the same in all processes of a server: a client goes on with a TLS session at any of them. @default one process's own */
  readonly ticketKeys?: Uint8Array;
}

export type TlsFileErrorCode = 'ERR_TLS_FILE' | 'ERR_TLS_CERTIFICATE' | 'ERR_TLS_KEY' | 'ERR_TLS_EXPIRED';

/** A file cannot be read, or what it holds cannot be used for TLS. The message names it, and says what is wrong and what to do. */
export class TlsFileError extends Error {
  override readonly name = 'TlsFileError';
  readonly code: TlsFileErrorCode;

  constructor(code: TlsFileErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** One certificate, ready to be shown. */
interface Identity {
  readonly certificate: X509Certificate;
  readonly context: SecureContext;
}

const PEM_CERTIFICATE = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g;

/** A name of the DNS has no more characters. */
const MAX_SERVER_NAME_LENGTH = 255;

/** The certificates of a server, and which of them a peer is shown. They can be exchanged while the server runs. */
export class TlsContexts {
  /** Whether clients must show a certificate. */
  readonly needsClientCertificate: boolean;
  readonly #files: TlsFiles;
  readonly #now: () => number;
  #identities: readonly Identity[];
  #options: SecureContextOptions;

  /**
   * Reads and checks the files.
   *
   * @param now what expiry is compared with, in milliseconds since 1970
   * @throws {TlsFileError}
   */
  static async load(files: TlsFiles, now: () => number = Date.now): Promise<TlsContexts> {
    return new TlsContexts(files, now, await readAll(files, now()));
  }

  private constructor(files: TlsFiles, now: () => number, { identities, options }: Loaded) {
    this.#files = files;
    this.#now = now;
    this.#identities = identities;
    this.#options = options;
    this.needsClientCertificate = files.clientCaFile !== undefined;
  }

  /**
   * Reads the files again. Connections that stand keep what they have; later ones get the new certificates, all at once.
   *
   * @throws {TlsFileError} and everything stays as it was
   */
  async reload(): Promise<void> {
    const { identities, options } = await readAll(this.#files, this.#now());
    this.#identities = identities;
    this.#options = options;
  }

  /** What a peer is shown that asks for no name. A new object after each reload. */
  get defaultOptions(): SecureContextOptions {
    return this.#options;
  }

  /** When the first of the certificates expires, in milliseconds since 1970. */
  get expiresAtMs(): number {
    return Math.min(...this.#identities.map(({ certificate }) => Date.parse(certificate.validTo)));
  }

  /** What sessions are given to clients under; `undefined` for keys of a server's own. */
  get ticketKeys(): Uint8Array | undefined {
    return this.#files.ticketKeys;
  }

  /** @returns the first certificate that has the name, wildcards included; `undefined` for the default */
  forServerName(serverName: string): SecureContext | undefined {
    if (serverName.length > MAX_SERVER_NAME_LENGTH) return undefined;
    return this.#identities.find(({ certificate }) => certificate.checkHost(serverName) !== undefined)?.context;
  }
}

interface Loaded {
  readonly identities: readonly Identity[];
  readonly options: SecureContextOptions;
}

async function readAll({ certificates, clientCaFile }: TlsFiles, nowMs: number): Promise<Loaded> {
  if (certificates.length === 0) throw new TlsFileError('ERR_TLS_CERTIFICATE', 'TLS needs a certificate and its key');
  const ca = clientCaFile === undefined ? undefined : await readAuthorities(clientCaFile, nowMs);
  const read = await Promise.all(certificates.map((files) => readIdentity(files, ca, nowMs)));
  return { identities: read, options: read[0]!.options };
}

async function readIdentity(
  { certFile, keyFile }: CertificateFiles,
  ca: string | undefined,
  nowMs: number,
): Promise<Identity & { readonly options: SecureContextOptions }> {
  const cert = await readText('certificate', certFile);
  const key = await readText('key', keyFile);
  const [certificate, ...others] = parseCertificates(certFile, cert);
  if (!certificate) throw new TlsFileError('ERR_TLS_CERTIFICATE', `${certFile} holds no certificate in PEM form`);
  for (const each of [certificate, ...others]) requireValid(certFile, each, nowMs);
  const privateKey = parseKey(keyFile, key);
  if (!certificate.checkPrivateKey(privateKey)) {
    throw new TlsFileError('ERR_TLS_KEY', `the key ${keyFile} does not belong to the certificate ${certFile}`);
  }
  const options: SecureContextOptions = {
    cert,
    key,
    minVersion: 'TLSv1.2',
    // Renegotiation costs the server more than the peer, and TLS 1.3 has none.
    // With client certificates there are no tickets: a certificate is to be checked with each connection.
    secureOptions: constants.SSL_OP_NO_RENEGOTIATION | (ca === undefined ? 0 : constants.SSL_OP_NO_TICKET),
    ...(ca !== undefined && { ca }),
  };
  try {
    return { certificate, context: tls.createSecureContext(options), options };
  } catch (error) {
    const text = `${certFile} and ${keyFile} cannot be used: ${(error as Error).message}`;
    throw new TlsFileError('ERR_TLS_CERTIFICATE', text, { cause: error });
  }
}

/** @returns the text of the file */
async function readAuthorities(file: string, nowMs: number): Promise<string> {
  const text = await readText('authorities', file);
  const found = parseCertificates(file, text);
  if (found.length === 0) throw new TlsFileError('ERR_TLS_CERTIFICATE', `${file} holds no certificate in PEM form`);
  // One that has expired among others is common, and refuses only its own clients.
  if (found.every((each) => Date.parse(each.validTo) <= nowMs)) requireValid(file, found[0]!, nowMs);
  return text;
}

async function readText(what: string, file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? '';
    const reasons: Record<string, string> = {
      ENOENT: 'there is no such file',
      EACCES: 'this user may not read it',
      EISDIR: 'it is a directory',
    };
    const text = `the ${what} file ${file} cannot be read: ${reasons[code] ?? code}`;
    throw new TlsFileError('ERR_TLS_FILE', text, { cause: error });
  }
}

function parseCertificates(file: string, text: string): X509Certificate[] {
  return (text.match(PEM_CERTIFICATE) ?? []).map((pem) => {
    try {
      return new X509Certificate(pem);
    } catch (error) {
      const message = `${file} holds a certificate that cannot be read; it may be cut or damaged`;
      throw new TlsFileError('ERR_TLS_CERTIFICATE', message, { cause: error });
    }
  });
}

function parseKey(file: string, text: string): KeyObject {
  if (/ENCRYPTED/.test(text)) {
    const message = `the key ${file} is encrypted: decrypt it (openssl pkey -in ${file} -out NEW) and keep it readable for this user only`;
    throw new TlsFileError('ERR_TLS_KEY', message);
  }
  try {
    return createPrivateKey(text);
  } catch (error) {
    throw new TlsFileError('ERR_TLS_KEY', `${file} holds no private key in PEM form`, { cause: error });
  }
}

function requireValid(file: string, { validFrom, validTo, subject }: X509Certificate, nowMs: number): void {
  const name = subject.replaceAll('\n', ', ');
  if (Date.parse(validTo) <= nowMs) {
    throw new TlsFileError(
      'ERR_TLS_EXPIRED',
      `the certificate of ${name} in ${file} has expired (${validTo}): renew it`,
    );
  }
  if (Date.parse(validFrom) > nowMs) {
    const text = `the certificate of ${name} in ${file} is not valid before ${validFrom}: check the clock of this machine`;
    throw new TlsFileError('ERR_TLS_EXPIRED', text);
  }
}
