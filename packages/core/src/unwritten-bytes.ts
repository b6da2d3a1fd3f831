import type net from 'node:net';

/** What Node keeps below a socket; not documented. */
interface StreamHandle {
  readonly writeQueueSize?: number;
  /** Of a TLS handle: the one it writes to. */
  readonly _parent?: StreamHandle;
}

/**
 * Bytes of a socket's current write that the system has not taken; of a TLS socket, encrypted. While one write goes on it only falls, so a
 * change means that the peer takes something: Node itself tells nothing before the whole write is done, which for a large one and a slow
 * peer is minutes. Where Node does not have it the result stays 0.
 */
export function unwrittenBytes(socket: net.Socket): number {
  if ('unwrittenBytes' in socket) return (socket as net.Socket & { readonly unwrittenBytes: number }).unwrittenBytes;
  const handle = (socket as net.Socket & { readonly _handle?: StreamHandle | null })._handle;
  return (handle?.writeQueueSize ?? 0) + (handle?._parent?.writeQueueSize ?? 0);
}
