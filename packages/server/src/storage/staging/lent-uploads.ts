import type { Coordinator } from '../../coordination/coordinator.js';
import { StorageError } from '../storage-error.js';
import type {
  ChunkMessage,
  ChunkRangeMessage,
  FinishedChunkMessage,
  JoinAnswer,
  JoinKey,
  JoinRequest,
} from './joined-upload.js';
import type { StagedUpload, UploadHolder } from './staged-upload.js';

/** What is needed of the staging area. */
export interface LendingArea {
  find(id: string, user: string): StagedUpload | undefined;
  join(upload: StagedUpload, holder: UploadHolder): void;
  leave(upload: StagedUpload, holder: UploadHolder): Promise<void>;
  drop(upload: StagedUpload): Promise<void>;
}

/** A connection of another process that works on an upload of this one. */
interface Lent {
  readonly key: JoinKey;
  readonly upload: StagedUpload;
  readonly holder: UploadHolder;
  /** Stands for its place. */
  readonly place: object;
}

/** The uploads of this process that connections of others have joined. */
export class LentUploads {
  readonly #area: LendingArea;
  readonly #coordinator: Coordinator;
  readonly #lent = new Map<string, Lent>();

  constructor(area: LendingArea, coordinator: Coordinator) {
    this.#area = area;
    this.#coordinator = coordinator;
    coordinator.on('staging.join', (request: JoinRequest) => this.#join(request));
    coordinator.on('staging.joined.begin', ({ number, ...key }: ChunkMessage) => {
      const { upload, place } = this.#required(key);
      return upload.beginChunk(number, place);
    });
    coordinator.on('staging.joined.finish', ({ number, digest, bytes, ...key }: FinishedChunkMessage) =>
      this.#required(key).upload.finishChunk(number, digest, bytes),
    );
    coordinator.on('staging.joined.leave', ({ number, ...key }: ChunkMessage) => {
      const { upload, place } = this.#required(key);
      upload.leaveChunk(number, place);
    });
    coordinator.on('staging.joined.refuse', ({ number, ...key }: ChunkMessage) =>
      this.#required(key).upload.refuseChunk(number),
    );
    coordinator.on('staging.joined.known', ({ first, count, ...key }: ChunkRangeMessage, _sender, signal) =>
      this.#required(key).upload.known(first, count, signal),
    );
    coordinator.on('staging.joined.use', ({ first, count, ...key }: ChunkRangeMessage, _sender, signal) =>
      this.#required(key).upload.use(first, count, signal),
    );
    coordinator.on('staging.joined.end', (key: JoinKey) => this.#end(this.#required(key)));
    coordinator.on('staging.joined.drop', async (key: JoinKey) => {
      const lent = this.#required(key);
      lent.upload.seal(); // nobody writes
      this.#lent.delete(nameOf(key));
      await this.#area.drop(lent.upload);
    });
  }

  /** A process is gone, and its connections with it. */
  async forget(process: number): Promise<void> {
    const its = [...this.#lent.values()].filter(({ key }) => key.process === process);
    await Promise.all(its.map((lent) => this.#end(lent)));
  }

  #join({ id, user, process, joinId }: JoinRequest): JoinAnswer | undefined {
    const upload = this.#area.find(id, user);
    if (!upload) return undefined;
    const key = { process, joinId };
    const holder: UploadHolder = {
      takeOver: async () => {
        this.#lent.delete(nameOf(key));
        await this.#coordinator.askOne(process, 'staging.taken-over', joinId);
      },
    };
    this.#lent.set(nameOf(key), { key, upload, holder, place: {} });
    this.#area.join(upload, holder);
    const { identity, found, stagedBytes, knownChunks, syncs } = upload;
    return { owner: this.#coordinator.number, identity, found, stagedBytes, knownChunks, syncs };
  }

  async #end({ key, upload, holder, place }: Lent): Promise<void> {
    this.#lent.delete(nameOf(key));
    upload.leaveAll(place);
    await this.#area.leave(upload, holder);
  }

  #required(key: JoinKey): Lent {
    const lent = this.#lent.get(nameOf(key));
    if (!lent) throw new StorageError('ERR_IN_USE', 'a newer upload has taken over');
    return lent;
  }
}

function nameOf({ process, joinId }: JoinKey): string {
  return `${process}:${joinId}`;
}
