import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign, X509Certificate } from 'node:crypto';
import { isIP, SocketAddress } from 'node:net';
import * as der from './der.js';

export interface CertificateRequest {
  /** The common name. */
  readonly name: string;
  /** Names and addresses of the server it is for; a name may begin with `*.`. Without any it has none, as that of a client. */
  readonly hosts?: readonly string[];
  readonly validFrom: Date;
  readonly validTo: Date;
  /** Whether it may sign others. @default false */
  readonly isAuthority?: boolean;
  /** Who signs it. @default it signs itself */
  readonly issuer?: IssuedCertificate;
}

const OID = {
  ecdsaWithSha256: '1.2.840.10045.4.3.2',
  commonName: '2.5.4.3',
  subjectKeyIdentifier: '2.5.29.14',
  keyUsage: '2.5.29.15',
  subjectAlternativeName: '2.5.29.17',
  basicConstraints: '2.5.29.19',
  extendedKeyUsage: '2.5.29.37',
  serverAuthentication: '1.3.6.1.5.5.7.3.1',
  clientAuthentication: '1.3.6.1.5.5.7.3.2',
} as const;

const SIGNATURE = der.sequence(der.objectIdentifier(OID.ecdsaWithSha256));

/** A certificate made here, with a key of its own on the curve P-256. For first tries and tests: nobody keeps a list of what was issued. */
export class IssuedCertificate {
  /** PEM. */
  readonly certificate: string;
  /** PKCS #8, PEM. Whoever has it is the server. */
  readonly key: string;
  /** SHA-256 of the certificate, `AB:CD:...`, as clients pin it. */
  readonly fingerprint: string;
  readonly #name: string;
  readonly #privateKey: KeyObject;

  /** @throws {TypeError} for a host that is neither a name nor an address */
  static issue(request: CertificateRequest): IssuedCertificate {
    return new IssuedCertificate(request);
  }

  private constructor(request: CertificateRequest) {
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const issuer = request.issuer ?? { name: request.name, privateKey };
    const body = toBeSigned(request, issuer.name, publicKey.export({ type: 'spki', format: 'der' }));
    const signature = sign('sha256', body, issuer.privateKey);
    const whole = new X509Certificate(Buffer.from(der.sequence(body, SIGNATURE, der.bitString(signature))));
    this.#name = request.name;
    this.#privateKey = privateKey;
    this.certificate = whole.toString();
    this.key = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
    this.fingerprint = whole.fingerprint256;
  }

  get name(): string {
    return this.#name;
  }

  get privateKey(): KeyObject {
    return this.#privateKey;
  }
}

/** TBSCertificate; RFC 5280, 4.1. */
function toBeSigned(request: CertificateRequest, issuerName: string, publicKey: Uint8Array): Uint8Array {
  const serial = randomBytes(16);
  serial[0]! &= 0x7f;
  return der.sequence(
    der.contextTag(0, true, der.integer(Uint8Array.of(2))), // version 3
    der.integer(serial),
    SIGNATURE,
    distinguishedName(issuerName),
    der.sequence(der.time(request.validFrom), der.time(request.validTo)),
    distinguishedName(request.name),
    publicKey,
    der.contextTag(3, true, der.sequence(...extensions(request, publicKey))),
  );
}

function distinguishedName(commonName: string): Uint8Array {
  return der.sequence(der.set(der.sequence(der.objectIdentifier(OID.commonName), der.utf8String(commonName))));
}

function extensions({ hosts = [], isAuthority = false }: CertificateRequest, publicKey: Uint8Array): Uint8Array[] {
  const keyIdentifier = createHash('sha256').update(publicKey).digest().subarray(0, 20);
  const list = [
    extension(OID.basicConstraints, true, der.sequence(...(isAuthority ? [der.boolean(true)] : []))),
    // keyCertSign and cRLSign, or digitalSignature
    extension(
      OID.keyUsage,
      true,
      isAuthority ? der.bitString(Uint8Array.of(0x06), 1) : der.bitString(Uint8Array.of(0x80), 7),
    ),
    extension(OID.subjectKeyIdentifier, false, der.octetString(keyIdentifier)),
  ];
  if (!isAuthority) {
    const purposes = [OID.serverAuthentication, OID.clientAuthentication].map(der.objectIdentifier);
    list.push(extension(OID.extendedKeyUsage, false, der.sequence(...purposes)));
  }
  if (hosts.length > 0)
    list.push(extension(OID.subjectAlternativeName, false, der.sequence(...hosts.map(generalName))));
  return list;
}

function extension(identifier: string, isCritical: boolean, value: Uint8Array): Uint8Array {
  const critical = isCritical ? [der.boolean(true)] : [];
  return der.sequence(der.objectIdentifier(identifier), ...critical, der.octetString(value));
}

function generalName(host: string): Uint8Array {
  if (isIP(host) !== 0) return der.contextTag(7, false, addressBytes(host));
  if (!/^(?:\*\.)?[a-z\d_](?:[a-z\d_.-]{0,250}[a-z\d_])?$/i.test(host))
    throw new TypeError(`${host} is no name of a host`);
  return der.contextTag(2, false, Buffer.from(host, 'ascii'));
}

function addressBytes(address: string): Uint8Array {
  if (isIP(address) === 4) return Uint8Array.from(address.split('.'), Number);
  // A trailing IPv4 part as two groups, then the groups around the one gap.
  const plain = new SocketAddress({ address, family: 'ipv6' }).address.replace(
    /(\d+)\.(\d+)\.(\d+)\.(\d+)$/,
    (...parts) => {
      const [a, b, c, d] = parts.slice(1, 5).map(Number) as [number, number, number, number];
      return `${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`;
    },
  );
  const [head = '', tail = ''] = plain.split('::').map((side) => side);
  const before = head === '' ? [] : head.split(':');
  const after = tail === '' ? [] : tail.split(':');
  const gap = Array.from({ length: 8 - before.length - after.length }, () => '0');
  return Uint8Array.from(
    [...before, ...gap, ...after].flatMap((group) => [
      Number.parseInt(group, 16) >> 8,
      Number.parseInt(group, 16) & 0xff,
    ]),
  );
}
