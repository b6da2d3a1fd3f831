// A server as many are written, for tests of attacks. Argument: what is wrong with it. Prints its port.
import { type AddressInfo, createServer, type Socket } from 'node:net';

/** Enough for each that a test sees it, and no more than a machine can bear. */
const ALLOCATED_BYTES = 8 << 20;
const WORK_MS = 15;

const kept: Buffer[] = [];

const faults: Readonly<Record<string, (socket: Socket) => void>> = {
  /** Has places for few, and no deadline; who has closed his side in the middle of something keeps the place. */
  'few-places': (socket) => {
    let hasSpoken = false;
    socket
      .on('error', () => {})
      .on('data', () => {
        hasSpoken = true;
      });
    // waits for the rest of what was begun
    socket.on('end', () => hasSpoken || socket.end());
  },
  /** Makes room for what a client announces. */
  'believes-lengths': (socket) =>
    void socket
      .on('error', () => {})
      .once('data', (chunk: Buffer) => {
        if (chunk.length >= 4) kept.push(Buffer.alloc(Math.min(chunk.readUInt32BE(0), ALLOCATED_BYTES), 1));
      }),
  /** Works for each connection, as one that asks a slow system about each address. */
  'works-on-accept': (socket) => {
    socket.on('error', () => {}).pipe(socket);
    for (const endMs = performance.now() + WORK_MS; performance.now() < endMs; );
  },
  /** Has never seen a connection break. */
  'knows-no-errors': (socket) => void socket.resume(),
};

const [fault = ''] = process.argv.slice(2);
const server = createServer({ allowHalfOpen: fault === 'few-places' }, faults[fault]);
if (fault === 'few-places') server.maxConnections = 20;
server.listen(0, '127.0.0.1', () => console.log((server.address() as AddressInfo).port));
