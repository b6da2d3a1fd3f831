import { type ExistingFile, existingFile } from '../../storage/existing-file.js';
import type { AppendPlace } from '../../storage/staging/append-place.js';
import { publishUpload } from '../../storage/staging/publish-upload.js';
import type { StagedUpload, UploadHolder } from '../../storage/staging/staged-upload.js';
import { StorageError } from '../../storage/storage-error.js';
import { HttpError } from '../http-error.js';
import type { FileRequest } from './file-request.js';
import type { FilesParts } from './files-parts.js';

/** Another upload to the name is waited for so long: a little longer than one is held open that nobody sends to. */
const WAIT_MS = 6000;

/** Descriptors of an upload: data and journal. */
const FILES_OF_AN_UPLOAD = 2;

/** What an upload becomes. */
export interface UploadTarget {
  /** Relative to the root of the user; what is missing of it is made. */
  readonly directory: readonly string[];
  readonly fileName: string;
  /** In bytes; `undefined` when it is not known. */
  readonly size: number | undefined;
  /** What it is found by again; `undefined` for one that is not kept when it is broken off. */
  readonly sourceId: string | undefined;
}

/** How a complete file may get its name. */
export interface PublishOptions {
  readonly mayReplace: boolean;
  /** Looks at what is replaced, when nothing can come in between; what it throws is thrown on. */
  readonly check?: (replaced: ExistingFile | undefined) => void;
}

/** An upload by HTTP, staged as those of all protocols are, that is open. */
export class HttpUpload {
  readonly target: UploadTarget;
  readonly upload: StagedUpload;
  readonly place: AppendPlace;
  readonly #parts: FilesParts;
  readonly #holder: UploadHolder;
  readonly #descriptors: readonly Disposable[];

  private constructor(
    parts: FilesParts,
    target: UploadTarget,
    upload: StagedUpload,
    place: AppendPlace,
    holder: UploadHolder,
    descriptors: readonly Disposable[],
  ) {
    this.#parts = parts;
    this.target = target;
    this.upload = upload;
    this.place = place;
    this.#holder = holder;
    this.#descriptors = descriptors;
  }

  /**
   * Opens an upload, or goes on with one: `place` stands behind what there is of it.
   *
   * @param holder told when another session of the same upload takes over
   * @param signal ends the wait for others
   * @throws {HttpError} 413 for what the user may never have
   * @throws {StorageError} `ERR_IN_USE` when another upload to the name goes on; others; the signal's reason
   */
  static async open(
    parts: FilesParts,
    { principal, userName }: FileRequest,
    target: UploadTarget,
    holder: UploadHolder,
    signal: AbortSignal,
  ): Promise<HttpUpload> {
    const { files, durability } = parts;
    const { quota, tree } = principal;
    const { directory: components, fileName, size, sourceId } = target;
    if (size !== undefined && quota && size > quota.limitBytes)
      throw new HttpError(413, `${size} bytes are more than this user may have`);
    using waiting = deadline(parts, signal);
    const descriptors: Disposable[] = [];
    try {
      for (let count = 0; count < FILES_OF_AN_UPLOAD; count += 1) descriptors.push(files.descriptors.openFile());
      await using directory = await files.descriptors.walk(() => tree.resolveOrCreate(components), signal);
      await existingFile(files.digests, directory, fileName); // throws for a name that no file can have
      const begin = (): Promise<StagedUpload> =>
        files.staging.begin(
          {
            user: userName,
            name: [...components, fileName].join('/'),
            size,
            sourceId,
            waits: true,
            durable: durability === 'durable',
            quota,
          },
          directory,
          fileName,
          holder,
          async () => undefined,
          waiting.signal,
        );
      let upload = await begin();
      // What another upload to the name has left is not of this file, and nobody here can compare it.
      while (upload.found === 'other') {
        await files.staging.drop(upload);
        upload = await begin();
      }
      try {
        return new HttpUpload(parts, target, upload, await upload.openAppendPlace(signal), holder, descriptors);
      } catch (error) {
        await files.staging.leave(upload, holder);
        throw error;
      }
    } catch (error) {
      for (const place of descriptors) place[Symbol.dispose]();
      if (waiting.signal.aborted && !signal.aborted)
        throw new StorageError('ERR_IN_USE', 'another upload to this name goes on', { cause: error });
      throw error;
    }
  }

  /** Of the file, from the root of its user. */
  get name(): string {
    return this.upload.identity.name;
  }

  /**
   * Gives the complete file its name, and ends the upload.
   *
   * @returns its content digest
   * @throws {StorageError}; what `check` throws. Then the upload is as before
   */
  async publish(request: FileRequest, { mayReplace, check }: PublishOptions): Promise<string> {
    const { files, durability } = this.#parts;
    const { directory, fileName } = this.target;
    const size = this.place.position;
    this.upload.seal();
    let digest: string;
    try {
      const whole = await this.upload.wholeDigest(size);
      if (whole === undefined) throw new StorageError('ERR_IO', 'the upload is damaged');
      digest = whole.toString(16).padStart(16, '0');
      await publishUpload(files, request.principal, this.upload, {
        openDirectory: () => request.principal.tree.resolveOrCreate(directory),
        fileName,
        size,
        digest,
        modifiedNs: undefined,
        mode: undefined,
        durable: durability === 'durable',
        mayReplace,
        ...(check && { check }),
      });
    } catch (error) {
      this.upload.unseal();
      throw error;
    }
    this.#giveBack();
    request.log.info('upload complete', { file: this.name, bytes: size, durability });
    files.hooks.committed(request, [{ name: this.name, size, digest }], durability);
    return digest;
  }

  /** Lets go of it; what counts is kept for later if it can be found again. To be called when no write goes on. */
  async leave(): Promise<void> {
    this.place.close();
    try {
      await this.#parts.files.staging.leave(this.upload, this.#holder);
    } finally {
      this.#giveBack();
    }
  }

  /** Gives it up. To be called when no write goes on. */
  async drop(): Promise<void> {
    this.place.close();
    try {
      await this.#parts.files.staging.drop(this.upload);
    } finally {
      this.#giveBack();
    }
  }

  /** Somebody else has the upload from now on. */
  handOver(): void {
    this.place.close();
    this.#giveBack();
  }

  #giveBack(): void {
    for (const place of this.#descriptors) place[Symbol.dispose]();
  }
}

/** Aborted with the signal, or when others have been waited for long enough. */
function deadline({ clock }: FilesParts, signal: AbortSignal): { readonly signal: AbortSignal } & Disposable {
  const late = new AbortController();
  const cancel = clock.after(WAIT_MS, () => late.abort());
  return { signal: AbortSignal.any([signal, late.signal]), [Symbol.dispose]: cancel };
}
