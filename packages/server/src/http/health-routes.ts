import { sendText } from './http-answers.js';
import type { HttpRoute } from './http-route.js';

/** Paths of what may be asked even of a server that ends. */
export const HEALTH_PATHS: readonly string[] = ['/healthz', '/readyz'];

/** Whether the process is alive, and whether it takes work. @param isDraining whether the server is ending */
export function healthRoutes(isDraining: () => boolean): HttpRoute[] {
  return [
    { path: '/healthz', methods: ['GET'], access: 'anybody', handle: (_, response) => sendText(response, 200, 'ok') },
    {
      path: '/readyz',
      methods: ['GET'],
      access: 'anybody',
      handle(_, response) {
        if (isDraining()) sendText(response, 503, 'ending', { 'Retry-After': '10' });
        else sendText(response, 200, 'ready');
      },
    },
  ];
}
