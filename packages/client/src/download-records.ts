/** What the journal of a download says about the server's file and about the partial beside it; the first record, and one for each change. */
export interface JournalHead {
  readonly format: 1;
  /** Path on the server; for people. */
  readonly remote: string;
  /** Of the server's file. docs/protocol.md, section 17.2. */
  readonly version: string;
  /** Of the server's file, in bytes. */
  readonly size: number;
  /** Inode of the partial. */
  readonly inode: bigint;
  /** Time of last change that the partial is given after every write; random, so that whoever else writes to it leaves another. */
  readonly stampNs: bigint;
  /** In front of this place, in bytes, the partial may have chunks that no record tells of. */
  readonly unknownBytes: number;
}

/** A record of the journal of a download. */
export type DownloadRecord =
  | { readonly kind: 'head'; readonly head: JournalHead }
  /** The partial has this chunk, and its digest is that of the server's file. */
  | { readonly kind: 'chunk'; readonly chunk: number; readonly bytes: number; readonly digest: bigint }
  /** These chunks of the partial are not to be relied on any more. */
  | { readonly kind: 'dropped'; readonly first: number; readonly count: number }
  /** The server's digests of its chunks from `first` on, for the version of the last head. */
  | { readonly kind: 'digests'; readonly first: number; readonly digests: readonly bigint[] }
  /** The first so many chunk records tell of bytes that are on the disk. */
  | { readonly kind: 'synced'; readonly chunkRecords: number }
  /** Nobody writes to the partial any more; this is how it was left. */
  | { readonly kind: 'closed'; readonly size: bigint; readonly modifiedNs: bigint; readonly changedNs: bigint };

const KINDS = ['head', 'chunk', 'dropped', 'digests', 'synced', 'closed'] as const;

/** Each begins with a byte for its kind; numbers are big-endian. */
export function encodeDownloadRecord(record: DownloadRecord): Uint8Array {
  const kind = KINDS.indexOf(record.kind);
  switch (record.kind) {
    case 'head': {
      const { inode, stampNs, ...head } = record.head;
      const json = JSON.stringify({ ...head, inode: String(inode), stampNs: String(stampNs) });
      return Buffer.concat([Uint8Array.of(kind), Buffer.from(json)]);
    }
    case 'chunk': {
      const view = newRecord(kind, 16);
      view.setUint32(1, record.chunk);
      view.setUint32(5, record.bytes);
      view.setBigUint64(9, record.digest);
      return bytesOf(view);
    }
    case 'dropped': {
      const view = newRecord(kind, 8);
      view.setUint32(1, record.first);
      view.setUint32(5, record.count);
      return bytesOf(view);
    }
    case 'digests': {
      const view = newRecord(kind, 4 + record.digests.length * 8);
      view.setUint32(1, record.first);
      for (const [i, digest] of record.digests.entries()) view.setBigUint64(5 + i * 8, digest);
      return bytesOf(view);
    }
    case 'synced': {
      const view = newRecord(kind, 4);
      view.setUint32(1, record.chunkRecords);
      return bytesOf(view);
    }
    case 'closed': {
      const view = newRecord(kind, 24);
      view.setBigInt64(1, record.size);
      view.setBigInt64(9, record.modifiedNs);
      view.setBigInt64(17, record.changedNs);
      return bytesOf(view);
    }
  }
}

/** @returns `undefined` for what no version of this program has written */
export function decodeDownloadRecord(bytes: Uint8Array): DownloadRecord | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const kind = bytes.length === 0 ? undefined : KINDS[view.getUint8(0)];
  const payload = bytes.length - 1;
  switch (kind) {
    case 'head':
      return decodeHead(bytes.subarray(1));
    case 'chunk':
      if (payload !== 16) return undefined;
      return { kind, chunk: view.getUint32(1), bytes: view.getUint32(5), digest: view.getBigUint64(9) };
    case 'dropped':
      return payload === 8 ? { kind, first: view.getUint32(1), count: view.getUint32(5) } : undefined;
    case 'digests': {
      if (payload < 4 || payload % 8 !== 4) return undefined;
      const digests = Array.from({ length: (payload - 4) / 8 }, (_, i) => view.getBigUint64(5 + i * 8));
      return { kind, first: view.getUint32(1), digests };
    }
    case 'synced':
      return payload === 4 ? { kind, chunkRecords: view.getUint32(1) } : undefined;
    case 'closed':
      if (payload !== 24) return undefined;
      return { kind, size: view.getBigInt64(1), modifiedNs: view.getBigInt64(9), changedNs: view.getBigInt64(17) };
    default:
      return undefined;
  }
}

function decodeHead(json: Uint8Array): DownloadRecord | undefined {
  try {
    const head = JSON.parse(Buffer.from(json).toString()) as Record<string, unknown>;
    const { format, remote, version, size, inode, stampNs, unknownBytes } = head;
    if (format !== 1 || typeof remote !== 'string' || typeof version !== 'string') return undefined;
    if (!isSize(size) || !isSize(unknownBytes)) return undefined;
    if (typeof inode !== 'string' || typeof stampNs !== 'string') return undefined;
    const numbers = { size, unknownBytes, inode: BigInt(inode), stampNs: BigInt(stampNs) };
    return { kind: 'head', head: { format, remote, version, ...numbers } };
  } catch {
    return undefined;
  }
}

function isSize(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

function newRecord(kind: number, payloadBytes: number): DataView {
  const view = new DataView(new ArrayBuffer(1 + payloadBytes));
  view.setUint8(0, kind);
  return view;
}

function bytesOf(view: DataView): Uint8Array {
  return new Uint8Array(view.buffer);
}
