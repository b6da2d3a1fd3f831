// The thread that stores and reads the files of batches.
import { parentPort } from 'node:worker_threads';
import type { BatchRequest } from './batch-threads.js';
import { readFiles } from './read-files.js';
import { storeFiles } from './store-files.js';

parentPort?.on('message', ({ id, store, read }: BatchRequest) => {
  const result = store ? storeFiles(store) : readFiles(read!);
  parentPort?.postMessage({ id, result }, [result.bytes.buffer as ArrayBuffer]);
});
