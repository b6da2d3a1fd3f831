import type { EventEmitter } from 'node:events';
import type { OnChunk } from './receive-buffer.js';

/**
 * A stream of bytes that something else than a socket of ours carries, as a WebSocket does, to be served like an accepted socket: see
 * `Listener.adopt`. It does what a paused `net.Socket` does: it tells `end`, `error` and, last and once, `close`, when nothing of it is left.
 */
export interface CarriedStream extends EventEmitter {
  /** Of the peer itself, where a balancer has told it. */
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly localAddress: string;
  readonly localPort: number;
  /** Whether nobody can read it on its way. */
  readonly isEncrypted: boolean;
  /** Bytes given to `write` that the system has not taken. 0 right after `write` when it took all at once. */
  readonly writableLength: number;
  /** Of these, what the system has left of the write that goes on; see `unwrittenBytes`. */
  readonly unwrittenBytes: number;
  /** Tells it from a socket. */
  readonly isCarried: true;
  /** Begins to read: hands what comes to `onChunk`, never from within this call, nor while it is paused. */
  startReceiving(onChunk: OnChunk): unknown;
  pause(): unknown;
  resume(): unknown;
  /** @param written called later, once, when the system has taken the bytes; they stay as they are until then, or until `destroy` returns */
  write(bytes: Uint8Array, written: (error?: Error | null) => void): unknown;
  /** Nothing more will be written. What was, is sent. */
  end(): unknown;
  /** Ends at once. Afterwards no byte given to `write` is looked at any more. */
  destroy(): unknown;
}
