// usage: client.js ENDPOINT FILE STORAGE [AUTHORIZATION]. Uploads the file, or goes on with an upload of it that STORAGE knows, as the README of tus-js-client shows.
import { createReadStream } from 'node:fs';
import { packageOf } from './package-of.js';

interface TusClient {
  readonly FileUrlStorage: new (file: string) => unknown;
  readonly Upload: new (
    file: unknown,
    options: Readonly<Record<string, unknown>>,
  ) => {
    findPreviousUploads(): Promise<readonly unknown[]>;
    resumeFromPreviousUpload(previous: unknown): void;
    start(): void;
  };
}

const module = await packageOf<TusClient & { readonly default?: TusClient }>('tus-js-client');
const { FileUrlStorage, Upload } = module.default ?? module;

const [, , endpoint, file, storage, authorization] = process.argv;
const upload = new Upload(createReadStream(file!), {
  endpoint,
  ...(authorization !== undefined && { headers: { authorization } }),
  retryDelays: null,
  storeFingerprintForResuming: true,
  removeFingerprintOnSuccess: true,
  urlStorage: new FileUrlStorage(storage!),
  onError(error: Error) {
    console.error(String(error));
    process.exit(1);
  },
  onSuccess() {
    process.exit(0);
  },
});
const [previous] = await upload.findPreviousUploads();
if (previous !== undefined) upload.resumeFromPreviousUpload(previous);
upload.start();
