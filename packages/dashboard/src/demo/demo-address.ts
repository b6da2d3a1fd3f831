import type { LoginSession } from '../server-api.js';
import { DemoServer } from './demo-server.js';

/** The demonstration that the query of the page's address asks for: see `DemoOptions`. */
export function demoServer(search: string): DemoServer {
  const query = new URLSearchParams(search);
  const server = new DemoServer({
    connections: Number(query.get('connections') ?? 10_000),
    role: (query.get('role') ?? 'admin') as LoginSession['role'],
    needsLogin: query.has('login'),
    isEmpty: query.has('empty'),
  });
  Object.assign(globalThis, { demo: server });
  return server;
}
