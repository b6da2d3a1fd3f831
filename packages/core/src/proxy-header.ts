import { isIPv4, isIPv6, SocketAddress } from 'node:net';

/** An end of a connection, as a balancer saw it. */
export interface ProxyEnd {
  /** As `net.Socket` writes addresses. */
  readonly address: string;
  readonly port: number;
}

/** What a balancer says of the connection it forwards. */
export interface ProxyHeader {
  /** Bytes of the header; what follows belongs to the connection. */
  readonly byteLength: number;
  /** The client and the address it has connected to; without them the connection is the balancer's own, or it does not know. */
  readonly ends: { readonly source: ProxyEnd; readonly destination: ProxyEnd } | undefined;
}

/** The bytes are no header of the PROXY protocol, or one that no stream over TCP has. */
export class ProxyHeaderError extends Error {
  override readonly name = 'ProxyHeaderError';
  readonly code = 'ERR_PROXY_HEADER';
}

const V1_PREFIX = Uint8Array.from('PROXY ', (char) => char.charCodeAt(0));
const V2_SIGNATURE = Uint8Array.of(0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a);

/** Longest header of version 1, its line end included. */
const V1_MAX_BYTES = 107;
/** Signature, version and command, family, length. */
const V2_HEAD_BYTES = 16;
/** Longest rest of a header of version 2: addresses and further fields, which are skipped. */
const V2_MAX_REST_BYTES = 536;

/** No header is longer. */
export const MAX_PROXY_HEADER_BYTES = V2_HEAD_BYTES + V2_MAX_REST_BYTES;

const CR = 0x0d;
const LF = 0x0a;

/**
 * Reads a header of the PROXY protocol, version 1 or 2, from the beginning of `bytes`.
 *
 * @returns `undefined` when more bytes are needed
 * @throws {ProxyHeaderError} as soon as the bytes cannot become a header
 */
export function parseProxyHeader(bytes: Uint8Array): ProxyHeader | undefined {
  if (bytes.length === 0) return undefined;
  if (bytes[0] === V1_PREFIX[0]) return hasPrefix(bytes, V1_PREFIX) ? parseV1(bytes) : undefined;
  return hasPrefix(bytes, V2_SIGNATURE) ? parseV2(bytes) : undefined;
}

/** Whether the prefix is there in full. */
function hasPrefix(bytes: Uint8Array, prefix: Uint8Array): boolean {
  const length = Math.min(bytes.length, prefix.length);
  for (let i = 0; i < length; i++) if (bytes[i] !== prefix[i]) throw new ProxyHeaderError('no PROXY header');
  return length === prefix.length;
}

function parseV1(bytes: Uint8Array): ProxyHeader | undefined {
  let end = V1_PREFIX.length;
  // Text up to the first CR: anything else that is not printable ends the attempt at once.
  while (end < bytes.length && bytes[end] !== CR) {
    const byte = bytes[end]!;
    if (byte < 0x20 || byte > 0x7e) throw new ProxyHeaderError(`byte ${byte} in a PROXY line`);
    end += 1;
    if (end > V1_MAX_BYTES - 2) throw new ProxyHeaderError(`a PROXY line of more than ${V1_MAX_BYTES} bytes`);
  }
  if (end + 1 >= bytes.length) return undefined;
  if (bytes[end + 1] !== LF) throw new ProxyHeaderError('a PROXY line without its line end');
  const byteLength = end + 2;
  const words = String.fromCharCode(...bytes.subarray(V1_PREFIX.length, end)).split(' ');
  const [family, source = '', destination = '', sourcePort = '', destinationPort = ''] = words;
  if (family === 'UNKNOWN') return { byteLength, ends: undefined }; // whatever else the line has is to be ignored
  const isAddress = family === 'TCP4' ? isIPv4 : family === 'TCP6' ? isPlainIPv6 : undefined;
  if (!isAddress || words.length !== 5) throw new ProxyHeaderError('a PROXY line of another form');
  if (!isAddress(source) || !isAddress(destination)) throw new ProxyHeaderError('a PROXY line with a bad address');
  return {
    byteLength,
    ends: {
      source: { address: canonical(source), port: parsePort(sourcePort) },
      destination: { address: canonical(destination), port: parsePort(destinationPort) },
    },
  };
}

function isPlainIPv6(text: string): boolean {
  return isIPv6(text) && !text.includes('%');
}

function parsePort(text: string): number {
  const port = /^(?:0|[1-9]\d{0,4})$/.test(text) ? Number(text) : Number.NaN;
  if (!(port <= 65_535)) throw new ProxyHeaderError('a PROXY line with a bad port');
  return port;
}

function parseV2(bytes: Uint8Array): ProxyHeader | undefined {
  const versionAndCommand = bytes[12];
  if (versionAndCommand === undefined) return undefined;
  if (versionAndCommand >> 4 !== 2) throw new ProxyHeaderError(`PROXY version ${versionAndCommand >> 4}`);
  const isLocal = versionAndCommand === 0x20;
  if (!isLocal && versionAndCommand !== 0x21) throw new ProxyHeaderError(`PROXY command ${versionAndCommand & 15}`);
  if (bytes.length < V2_HEAD_BYTES) return undefined;
  const restBytes = (bytes[14]! << 8) | bytes[15]!;
  if (restBytes > V2_MAX_REST_BYTES) throw new ProxyHeaderError(`a PROXY header of ${restBytes} bytes and its head`);
  const addressBytes = isLocal ? 0 : addressBytesOf(bytes[13]!);
  if (restBytes < addressBytes * 2 + (addressBytes && 4))
    throw new ProxyHeaderError('a PROXY header without its addresses');
  const byteLength = V2_HEAD_BYTES + restBytes;
  if (bytes.length < byteLength) return undefined;
  if (addressBytes === 0) return { byteLength, ends: undefined };
  const end = (index: 0 | 1): ProxyEnd => {
    const at = V2_HEAD_BYTES + index * addressBytes;
    const portAt = V2_HEAD_BYTES + 2 * addressBytes + 2 * index;
    return {
      address: addressText(bytes.subarray(at, at + addressBytes)),
      port: (bytes[portAt]! << 8) | bytes[portAt + 1]!,
    };
  };
  return { byteLength, ends: { source: end(0), destination: end(1) } };
}

/** Bytes of one address; 0 for a family that has none for us. */
function addressBytesOf(family: number): number {
  if (family === 0x00) return 0;
  if (family === 0x11) return 4;
  if (family === 0x21) return 16;
  throw new ProxyHeaderError(`PROXY family 0x${family.toString(16).padStart(2, '0')}`);
}

function addressText(bytes: Uint8Array): string {
  if (bytes.length === 4) return bytes.join('.');
  const groups = Array.from({ length: 8 }, (_, i) => ((bytes[2 * i]! << 8) | bytes[2 * i + 1]!).toString(16));
  return canonical(groups.join(':'));
}

/** The one way of writing an address that sockets have, so that equal addresses are equal texts. */
function canonical(address: string): string {
  return isIPv4(address) ? address : new SocketAddress({ address, family: 'ipv6' }).address;
}
