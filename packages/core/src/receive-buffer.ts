import net from 'node:net';

/** Called with each chunk that arrives: `source[start, end)`, valid until it returns. */
export type OnChunk = (source: Uint8Array, start: number, end: number) => void;

/** How received bytes reach us: into one buffer that all connections share, or as a new buffer for each chunk. */
export type ReceiveMode = 'reused' | 'plain';

/** Bytes read at a time. One read of this size costs a third of the reads of 64 KiB that it replaces, per byte. */
const BUFFER_BYTES = 256 << 10;

// One for all connections: a chunk is handled to its end before the next read begins, on any connection.
let sharedBuffer: Buffer | undefined;

interface StreamHandle {
  useUserBuffer?(buffer: Uint8Array): void;
  readStart?(): number;
}

/** A socket that has a reused buffer of its own, as those of a simulated network. */
interface ReusingSocket extends net.Socket {
  startReceiving(onChunk: OnChunk): net.Socket;
}

/** A paused socket as `net.Server` hands it over with `pauseOnConnect`; its handle is not part of Node's documented interface. */
type AcceptedSocket = net.Socket & { _handle?: StreamHandle | null };

/**
 * Takes over a socket accepted with `pauseOnConnect` and starts to read it. Bytes go to `onChunk`, never to the `data` event.
 *
 * Node gives outgoing sockets a reused receive buffer (`onread`) but has no option for accepted ones; so the accepted socket's handle is
 * moved into a new socket made with that option. This rests on the undocumented `handle` option of `net.Socket`, which Node 20 to 26
 * have; where it is missing, and with `mode` `'plain'`, the socket itself is used.
 */
export function startReceiving(accepted: net.Socket, onChunk: OnChunk, mode: ReceiveMode = 'reused'): net.Socket {
  if (mode !== 'reused') return readPlainly(accepted, onChunk);
  if ('startReceiving' in accepted) return (accepted as ReusingSocket).startReceiving(onChunk);
  return canMoveHandle(accepted) ? moveHandle(accepted, onChunk) : readPlainly(accepted, onChunk);
}

/**
 * Stops what `startReceiving` has started, from within `onChunk` too: nothing more is read from the socket until somebody else does.
 * Whoever wraps the socket (TLS) takes its bytes before the reused buffer.
 */
export function stopReceiving(socket: net.Socket): void {
  socket.removeAllListeners('data');
  socket.pause();
}

function canMoveHandle(socket: AcceptedSocket): boolean {
  const handle = socket._handle;
  return typeof handle?.useUserBuffer === 'function' && typeof handle.readStart === 'function';
}

function moveHandle(accepted: AcceptedSocket, onChunk: OnChunk): net.Socket {
  const handle = accepted._handle;
  sharedBuffer ??= Buffer.allocUnsafeSlow(BUFFER_BYTES);
  const options = {
    handle,
    allowHalfOpen: true,
    onread: {
      buffer: sharedBuffer,
      callback(bytes: number, buffer: Uint8Array) {
        onChunk(buffer, 0, bytes);
        return true;
      },
    },
  };
  const socket = new net.Socket(options as unknown as net.SocketConstructorOpts);
  // The first socket is an empty shell now. Destroying it takes it out of the server's count and touches no descriptor.
  accepted._handle = null;
  accepted.on('error', () => {});
  accepted.destroy();
  return socket;
}

function readPlainly(socket: net.Socket, onChunk: OnChunk): net.Socket {
  socket.on('data', (chunk: Buffer) => onChunk(chunk, 0, chunk.length));
  socket.resume();
  return socket;
}
