import { createHash, createHmac, pbkdf2 } from 'node:crypto';
import { setMaxListeners } from 'node:events';
import { promisify } from 'node:util';
import { SCRAM_HASH_BYTES } from '@sluice/wire';
import type { Platform } from './platform.js';
import { NodeProcessLoad } from './speed/node-process-load.js';
import { TcpTransport } from './tcp-transport.js';

const derive = promisify(pbkdf2);

/** Node: connections are TCP, or TLS. */
export const nodePlatform: Platform = {
  dial: (options) => TcpTransport.dial(options),
  crypto: {
    hash: {
      hash: (data) => createHash('sha256').update(data).digest(),
      hmac: (key, data) => createHmac('sha256', key).update(data).digest(),
    },
    // In the thread pool: some 0.2 µs for each iteration.
    pbkdf2: (password, salt, iterations) => derive(password, salt, iterations, SCRAM_HASH_BYTES, 'sha256'),
    md5: (text) => createHash('md5').update(text, 'utf8').digest('hex'),
  },
  // What ran before it in the same turn, callbacks of promises included, has ended when a callback of nextTick runs.
  afterTurn: (callback) => process.nextTick(callback),
  nextTurn: () => new Promise((resolve) => setImmediate(resolve)),
  measureLoad: () => new NodeProcessLoad(),
  allowListeners: (signal) => setMaxListeners(0, signal),
};
