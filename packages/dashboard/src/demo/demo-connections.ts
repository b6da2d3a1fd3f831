import type { ConnectionRecord } from '../server-api.js';

const USERS = ['admin', 'ada', 'grace', 'linus', 'margaret', 'edsger', 'barbara', 'dennis', 'katherine', 'alan'];
const PROTOCOLS = ['Upload', 'Upload', 'Download', 'Download', 'RemoteStream', 'Control', 'Throughput'];
const NAMES = [
  'backups/2026-01-31/postgres.dump',
  'media/raw/A001_C014_0131.mov',
  'releases/sluice-0.1.0.tar.zst',
  'logs/edge-17/access.log',
  'photos/Österreich/Großglockner 0042.jpg',
  '<img src=x onerror=alert(1)>.txt',
  'vm/images/debian-13-amd64.qcow2',
  'datasets/climate/era5/1998.nc',
];
/** A third of the connections move something. */
const ACTIVE_SHARE = 0.35;

/** Connections that come, go and move bytes, the same again for the same seed. */
export class DemoConnections {
  readonly #count: number;
  #seed: number;
  #nextId = 1;
  #list: ConnectionRecord[] = [];

  constructor(count: number, seed = 7) {
    this.#count = count;
    this.#seed = seed;
    const nowMs = Date.now();
    for (let i = 0; i < count; i++)
      this.#list.push(this.#newConnection(nowMs - Math.floor(this.#random() * 7_200_000)));
  }

  get list(): readonly ConnectionRecord[] {
    return this.#list;
  }

  find(id: number): ConnectionRecord | undefined {
    return this.#list.find((each) => each.id === id);
  }

  remove(test: (connection: ConnectionRecord) => boolean): number {
    const before = this.#list.length;
    this.#list = this.#list.filter((each) => !test(each));
    return before - this.#list.length;
  }

  /** Time goes on. */
  step(seconds: number): void {
    const now = new Date().toISOString();
    this.#list = this.#list.filter((_each) => this.#random() > 0.002).map((each) => this.#moved(each, seconds, now));
    while (this.#list.length < this.#count) this.#list.push(this.#newConnection(Date.now()));
  }

  #moved(each: ConnectionRecord, seconds: number, now: string): ConnectionRecord {
    if (!each.transfer) return this.#random() < 0.05 ? { ...each, lastActivityAt: now } : each;
    const isUpload = each.transfer.direction !== 'download';
    const rate = Math.max(0, (isUpload ? each.receiveRate : each.sendRate) * (0.85 + this.#random() * 0.3));
    const bytes = rate * seconds;
    const { totalBytes = 0 } = each.transfer;
    const doneBytes = Math.round(each.transfer.doneBytes + bytes);
    return {
      ...each,
      lastActivityAt: now,
      receivedBytes: Math.round(each.receivedBytes + (isUpload ? bytes : bytes / 400)),
      sentBytes: Math.round(each.sentBytes + (isUpload ? bytes / 400 : bytes)),
      receivedFrames: each.receivedFrames + Math.ceil(bytes / 65_536),
      sentFrames: each.sentFrames + Math.ceil(bytes / 65_536),
      receiveRate: Math.round(isUpload ? rate : rate / 400),
      sendRate: Math.round(isUpload ? rate / 400 : rate),
      queuedBytes: isUpload ? 0 : Math.floor(this.#random() * 300_000),
      transfer: { ...each.transfer, doneBytes: doneBytes > totalBytes ? 0 : doneBytes },
    };
  }

  #newConnection(connectedAtMs: number): ConnectionRecord {
    const id = this.#nextId;
    this.#nextId += 1;
    const protocol = this.#one(PROTOCOLS);
    const isUpload = protocol === 'Upload';
    const isActive = (isUpload || protocol === 'Download') && this.#random() < ACTIVE_SHARE * 2;
    const rate = isActive ? Math.round(20_000 + this.#random() ** 4 * 40_000_000) : 0;
    const totalBytes = Math.round(5_000_000 + this.#random() ** 3 * 12_000_000_000);
    const at = new Date(connectedAtMs).toISOString();
    return {
      id,
      localAddress: '192.0.2.1:9999',
      remoteAddress: `${this.#random() < 0.2 ? `[2001:db8:${(id % 4096).toString(16)}::7]` : `198.51.${100 + (id % 3)}.${(id * 7) % 255}`}:${40_000 + (id % 20_000)}`,
      protocol,
      isEncrypted: this.#random() < 0.6,
      ...(protocol !== 'Throughput' && { user: this.#one(USERS) }),
      connectedAt: at,
      lastActivityAt: at,
      receivedBytes: Math.floor(this.#random() * 1e6),
      sentBytes: Math.floor(this.#random() * 1e6),
      receivedFrames: Math.floor(this.#random() * 900),
      sentFrames: Math.floor(this.#random() * 900),
      queuedBytes: 0,
      receiveRate: isUpload ? rate : 0,
      sendRate: isUpload ? 0 : rate,
      ...(isActive && {
        transfer: {
          direction: isUpload ? ('upload' as const) : ('download' as const),
          name: this.#one(NAMES).replace(/(\.\w+)$/, `-${id}$1`),
          doneBytes: Math.floor(this.#random() * totalBytes),
          totalBytes,
        },
      }),
    };
  }

  #one<T>(values: readonly T[]): T {
    return values[Math.floor(this.#random() * values.length)]!;
  }

  /** Park and Miller. */
  #random(): number {
    this.#seed = (this.#seed * 48_271) % 2_147_483_647;
    return this.#seed / 2_147_483_647;
  }
}
