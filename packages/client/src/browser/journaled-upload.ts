import { ClientError } from '../errors.js';
import type { UploadObserver } from '../upload-source.js';
import { type DigestSegment, SEGMENT_CHUNKS, type UploadJournal, type UploadRecord } from './upload-journal.js';

/** How often the journal is written, in milliseconds: after a crash so much is compared with the server instead. */
const WRITE_EVERY_MS = 1_000;

/** One upload and its journal. That the journal cannot be written never ends an upload. */
export class JournaledUpload implements UploadObserver {
  readonly #journal: UploadJournal;
  /** Of what an earlier call has sent: the file must still be the same. */
  readonly #expected: ReadonlyMap<number, DigestSegment>;
  readonly #segments: Map<number, DigestSegment>;
  readonly #changed = new Set<number>();
  #record: UploadRecord;
  #hasChanged = false;
  #timer: ReturnType<typeof setInterval> | undefined;
  #writing: Promise<void> = Promise.resolve();

  private constructor(journal: UploadJournal, record: UploadRecord, expected: ReadonlyMap<number, DigestSegment>) {
    this.#journal = journal;
    this.#record = record;
    this.#expected = expected;
    this.#segments = new Map([...expected].map(([number, segment]) => [number, copyOf(segment)]));
    this.#timer = setInterval(() => this.#write(), WRITE_EVERY_MS);
  }

  /** Begins one, or goes on with one. */
  static async open(journal: UploadJournal, record: UploadRecord): Promise<JournaledUpload> {
    const expected = await journal.segments(record.id).catch(() => new Map<number, DigestSegment>());
    await journal.put(record).catch(() => {}); // it cannot be gone on with then
    return new JournaledUpload(journal, record, expected);
  }

  onBegun(uploadId: string): void {
    this.#record = { ...this.#record, uploadId };
    this.#hasChanged = true;
    this.#write();
  }

  onRead(chunk: number, digest: bigint): void {
    const { segment, index } = placeOf(this.#expected, chunk);
    if (!segment?.isKnown[index] || segment.digests[index] === digest) return;
    throw new ClientError('ERR_SOURCE_CHANGED', `${this.#record.name} is not the file whose upload was begun`);
  }

  onSettled(chunk: number, digest: bigint): void {
    const number = Math.floor(chunk / SEGMENT_CHUNKS);
    const segment = this.#segments.get(number) ?? emptySegment();
    this.#segments.set(number, segment);
    segment.isKnown[chunk % SEGMENT_CHUNKS] = 1;
    segment.digests[chunk % SEGMENT_CHUNKS] = digest;
    this.#changed.add(number);
  }

  onProgress(bytesDone: number): void {
    this.#hasChanged ||= bytesDone !== this.#record.bytesDone;
    this.#record = { ...this.#record, bytesDone };
  }

  /** Settles when there is nothing left of it here: the server has the file. */
  async finish(): Promise<void> {
    this.#stop();
    await this.#writing;
    await this.#journal.remove(this.#record.id).catch(() => {});
  }

  /** Settles when it can be gone on with later; if the server has never had a place for it, it is forgotten. */
  async leave(): Promise<void> {
    this.#stop();
    if (this.#record.uploadId === undefined) {
      await this.finish();
      return;
    }
    this.#write();
    await this.#writing;
  }

  #stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #write(): void {
    const numbers = [...this.#changed];
    if (numbers.length === 0 && !this.#hasChanged) return;
    this.#changed.clear();
    this.#hasChanged = false;
    const record = { ...this.#record, changedAt: Date.now() };
    const segments = new Map(numbers.map((number) => [number, copyOf(this.#segments.get(number)!)]));
    this.#writing = this.#writing.then(async () => {
      try {
        if (segments.size > 0) await this.#journal.putSegments(record.id, segments);
        await this.#journal.put(record);
      } catch {} // the disk is full, for one: what is missing is compared with the server
    });
  }
}

function placeOf(segments: ReadonlyMap<number, DigestSegment>, chunk: number) {
  return { segment: segments.get(Math.floor(chunk / SEGMENT_CHUNKS)), index: chunk % SEGMENT_CHUNKS };
}

function emptySegment(): DigestSegment {
  return { isKnown: new Uint8Array(SEGMENT_CHUNKS), digests: new BigUint64Array(SEGMENT_CHUNKS) };
}

function copyOf({ isKnown, digests }: DigestSegment): DigestSegment {
  return { isKnown: isKnown.slice(), digests: digests.slice() };
}
