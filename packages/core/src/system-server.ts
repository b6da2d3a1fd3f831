import net from 'node:net';

/**
 * Makes the server that a listener takes its connections from; it is not listening yet. Its sockets come paused (`pauseOnConnect`), and stay
 * open for writing when the peer has ended (`allowHalfOpen`).
 */
export type CreateServer = () => net.Server;

/** A server of the system's TCP. */
export const createSystemServer: CreateServer = () =>
  net.createServer({ allowHalfOpen: true, pauseOnConnect: true, noDelay: true, keepAlive: true });
