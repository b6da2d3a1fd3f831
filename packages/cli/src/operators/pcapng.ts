import { isIPv6 } from 'node:net';
import type { ConnectionEvent, ConnectionExplanation } from '@sluice/client';

/** Types of blocks, and an option: draft-ietf-opsawg-pcapng, sections 4.1 to 4.3 and 3.5. */
const SECTION_HEADER = 0x0a0d0d0a;
const INTERFACE = 1;
const ENHANCED_PACKET = 6;
const OPT_COMMENT = 1;
const BYTE_ORDER_MAGIC = 0x1a2b3c4d;
/** Packets begin with their IPv4 or IPv6 header. */
const LINKTYPE_RAW = 101;

const Flag = { fin: 1, syn: 2, rst: 4, psh: 8, ack: 16 } as const;
const TCP_BYTES = 20;
/** Packets of one run, at most. What moves in one is below the half of the sequence numbers, so that later is still told from earlier. */
const MAX_PACKETS_OF_RUN = 8;
/** What the length of an IP packet can say. A longer one says 0; with IPv4, as those that a network card is to cut, it is as long as the capture says. */
const MAX_IP_LENGTH = 65_535;
const TCP = 6;
/** Largest segment; and the window scale, RFC 7323, 2.2, with which what is on its way never fills the window. */
const SYN_OPTIONS = Uint8Array.of(2, 4, 0xff, 0xc3, 3, 3, 14, 1);

interface End {
  readonly address: Uint8Array;
  readonly port: number;
  /** Of the next byte. */
  seq: number;
  window: number;
}

/** A packet that is still to be written. */
interface Planned {
  readonly atMs: number;
  readonly direction: 'in' | 'out';
  readonly bytes: number;
  readonly comment: string;
}

/**
 * What is known of a connection as a capture that Wireshark opens: packets with headers that are made up and fit, whose payload is left out, and
 * a comment that tells the event. A run of many frames is a few packets at equal distances, which together are as long as these.
 */
export function pcapngOf({ connection, lostEvents, events }: ConnectionExplanation): Uint8Array {
  const capture = new Capture(connection.remoteAddress, connection.localAddress, Date.parse(connection.connectedAt));
  capture.open(`connection ${connection.id}, ${connection.protocol || 'no protocol'}, user ${connection.user ?? '-'}`);
  const planned = events.flatMap(packetsOf).sort((a, b) => a.atMs - b.atMs);
  for (const packet of planned) capture.add(packet);
  if (connection.reason !== undefined) {
    const lost = lostEvents > 0 ? `; ${lostEvents} runs of events were not kept` : '';
    const isReset = connection.reason === 'peer-reset';
    const byPeer = isReset || connection.reason === 'peer-closed';
    const atMs = Math.max(connection.durationMs ?? 0, planned.at(-1)?.atMs ?? 0);
    capture.end(byPeer, isReset, atMs, `closed: ${connection.reason}${lost}`);
  }
  return capture.bytes();
}

function packetsOf({
  event,
  direction,
  unit,
  atMs,
  lastMs,
  count,
  total = 0,
  largest = 0,
}: ConnectionEvent): Planned[] {
  const value = unit === undefined ? '' : `, ${total} ${unit} in all, at most ${largest}`;
  const comment = `${event} x ${count}${value}, until ${lastMs} ms`;
  if (direction === undefined) return [{ atMs, direction: 'out', bytes: 0, comment }];
  const packets = Math.min(count, MAX_PACKETS_OF_RUN);
  return Array.from({ length: packets }, (_, at) => ({
    atMs: packets === 1 ? atMs : atMs + ((lastMs - atMs) * at) / (packets - 1),
    direction,
    bytes: Math.floor((total * (at + 1)) / packets) - Math.floor((total * at) / packets),
    comment: at === 0 ? comment : `${event}, the run goes on`,
  }));
}

class Capture {
  readonly #blocks: Uint8Array[] = [];
  readonly #peer: End;
  readonly #server: End;
  readonly #openedAtMs: number;

  constructor(remote: string, local: string, openedAtMs: number) {
    const isV6 = remote.startsWith('[') || local.startsWith('[');
    this.#peer = endOf(remote, isV6);
    this.#server = endOf(local, isV6);
    this.#openedAtMs = openedAtMs;
    // Version 1.0; the length of the section is not told.
    const section = Buffer.alloc(16);
    section.writeUInt32LE(BYTE_ORDER_MAGIC, 0);
    section.writeUInt16LE(1, 4);
    section.writeBigInt64LE(-1n, 8);
    this.#block(SECTION_HEADER, section);
    const description = Buffer.alloc(8);
    description.writeUInt16LE(LINKTYPE_RAW, 0);
    this.#block(INTERFACE, description); // no limit to what is captured; times in microseconds
  }

  open(comment: string): void {
    this.#packet(this.#peer, this.#server, Flag.syn, 0, 0, comment);
    this.#peer.seq += 1;
    this.#packet(this.#server, this.#peer, Flag.syn | Flag.ack, 0, 0, '');
    this.#server.seq += 1;
    this.#packet(this.#peer, this.#server, Flag.ack, 0, 0, '');
  }

  add({ direction, bytes, atMs, comment }: Planned): void {
    const [from, to] = direction === 'in' ? [this.#peer, this.#server] : [this.#server, this.#peer];
    if (bytes === 0) from.window = from.window === 0xffff ? 0xfffe : 0xffff; // or it would be taken for a duplicate
    this.#packet(from, to, bytes > 0 ? Flag.psh | Flag.ack : Flag.ack, bytes, atMs, comment);
    from.seq = (from.seq + bytes) >>> 0;
  }

  end(isByPeer: boolean, isReset: boolean, atMs: number, comment: string): void {
    const [from, to] = isByPeer ? [this.#peer, this.#server] : [this.#server, this.#peer];
    this.#packet(from, to, (isReset ? Flag.rst : Flag.fin) | Flag.ack, 0, atMs, comment);
  }

  bytes(): Uint8Array {
    return Buffer.concat(this.#blocks);
  }

  #packet(from: End, to: End, flags: number, payload: number, atMs: number, comment: string): void {
    const tcp = tcpHeader(from, to, flags);
    const head = Buffer.concat([ipHeader(from, to, tcp.length + payload), tcp]);
    const time = BigInt(Math.round((this.#openedAtMs + atMs) * 1000));
    const fields = Buffer.alloc(20);
    fields.writeUInt32LE(Number(time >> 32n), 4);
    fields.writeUInt32LE(Number(time & 0xffff_ffffn), 8);
    fields.writeUInt32LE(head.length, 12);
    fields.writeUInt32LE(head.length + payload, 16);
    const options = comment === '' ? [] : [commentOption(comment), Buffer.alloc(4)];
    this.#block(ENHANCED_PACKET, Buffer.concat([fields, head, ...options]));
  }

  #block(type: number, body: Uint8Array): void {
    const block = Buffer.alloc(12 + body.length);
    block.writeUInt32LE(type, 0);
    block.writeUInt32LE(block.length, 4);
    block.set(body, 8);
    block.writeUInt32LE(block.length, block.length - 4);
    this.#blocks.push(block);
  }
}

function commentOption(comment: string): Buffer {
  const text = Buffer.from(comment);
  const option = Buffer.alloc(4 + Math.ceil(text.length / 4) * 4);
  option.writeUInt16LE(OPT_COMMENT, 0);
  option.writeUInt16LE(text.length, 2);
  option.set(text, 4);
  return option;
}

function ipHeader(from: End, to: End, payload: number): Buffer {
  if (from.address.length === 16) {
    const isJumbogram = payload > MAX_IP_LENGTH;
    const header = Buffer.alloc(isJumbogram ? 48 : 40);
    header[0] = 0x60;
    header.writeUInt16BE(isJumbogram ? 0 : payload, 4);
    header[6] = isJumbogram ? 0 : TCP;
    header[7] = 64;
    header.set(from.address, 8);
    header.set(to.address, 24);
    if (isJumbogram) {
      header.set([TCP, 0, 0xc2, 4], 40); // RFC 2675, 2
      header.writeUInt32BE(8 + payload, 44);
    }
    return header;
  }
  const header = Buffer.alloc(20);
  header[0] = 0x45;
  header.writeUInt16BE(20 + payload > MAX_IP_LENGTH ? 0 : 20 + payload, 2);
  header.writeUInt16BE(0x4000, 6); // may not be cut in pieces
  header[8] = 64;
  header[9] = TCP;
  header.set(from.address, 12);
  header.set(to.address, 16);
  header.writeUInt16BE(checksum(header), 10);
  return header;
}

/** Its checksum cannot be: the payload is not known. */
function tcpHeader(from: End, to: End, flags: number): Buffer {
  const options = flags & Flag.syn ? SYN_OPTIONS : new Uint8Array(0);
  const header = Buffer.alloc(TCP_BYTES + options.length);
  header.set(options, TCP_BYTES);
  header.writeUInt16BE(from.port, 0);
  header.writeUInt16BE(to.port, 2);
  header.writeUInt32BE(from.seq, 4);
  if (flags & Flag.ack) header.writeUInt32BE(to.seq, 8);
  header[12] = (header.length / 4) << 4;
  header[13] = flags;
  header.writeUInt16BE(from.window, 14);
  return header;
}

function checksum(header: Buffer): number {
  let sum = 0;
  for (let at = 0; at < header.length; at += 2) sum += header.readUInt16BE(at);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}

/** @param text `127.0.0.1:9999`, `[::1]:9999`; what is none becomes the unspecified address */
function endOf(text: string, isV6: boolean): End {
  const colon = text.lastIndexOf(':');
  const host = text.slice(0, colon).replace(/^\[|\]$/g, '');
  return {
    address: isV6 ? v6Bytes(host) : v4Bytes(host),
    port: Number(text.slice(colon + 1)) & 0xffff,
    seq: 0,
    window: 0xffff,
  };
}

function v4Bytes(host: string): Uint8Array {
  const parts = host.split('.').map(Number);
  return Uint8Array.from({ length: 4 }, (_, at) => parts[at] ?? 0);
}

function v6Bytes(host: string): Uint8Array {
  const bytes = new Uint8Array(16);
  const [plain = ''] = host.split('%');
  if (!isIPv6(plain)) {
    bytes.set([0xff, 0xff, ...v4Bytes(plain)], 10);
    return bytes;
  }
  const dotted = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(plain);
  const [a = 0, b = 0, c = 0, d = 0] = dotted ? v4Bytes(dotted[2]!) : [];
  const whole = dotted ? `${dotted[1]}${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}` : plain;
  const [front = '', back] = whole.split('::');
  const words = (part: string): string[] => (part === '' ? [] : part.split(':'));
  const behind = words(back ?? '');
  const groups = [...words(front), ...new Array<string>(8 - words(front).length - behind.length).fill('0'), ...behind];
  for (const [at, group] of groups.entries()) {
    const value = Number.parseInt(group, 16);
    bytes[2 * at] = value >>> 8;
    bytes[2 * at + 1] = value & 0xff;
  }
  return bytes;
}
