import type { Clock } from '@sluice/core';
import { WebSocketServer } from 'ws';
import { HttpError } from '../http-error.js';
import type { UpgradeRoute } from '../http-route.js';
import { ControlSide } from './control-side.js';
import { type UpgradedSocket, WebSocketStream } from './websocket-stream.js';

export const GATEWAY_PATH = '/gateway';

/** The subprotocol, which clients must ask for. */
export const GATEWAY_PROTOCOL = 'sluice';

/** The deadlines of connections say how long an end may take: longer than this never. */
const NEVER_MS = 2 ** 31 - 1;

const NO_BYTES = Buffer.alloc(0);

/** Serves a stream, or refuses it. */
export type AdoptStream = (stream: WebSocketStream) => void;

/**
 * WebSockets that are connections: what a peer sends is what it would send over TCP, flag byte first.
 *
 * @see docs/protocol.md, section 18
 */
export function gatewayRoute(adopt: AdoptStream, clock: Clock): UpgradeRoute {
  const options = {
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    autoPong: false, // one at a time: see WebSocketStream
    closeTimeout: NEVER_MS,
    handleProtocols: (): string => GATEWAY_PROTOCOL,
  };
  const server = new WebSocketServer(options);
  return {
    path: GATEWAY_PATH,
    access: 'anybody',
    upgrade({ message, remoteAddress, isSecure, visitor }, socket, head) {
      const offered = message.headers['sec-websocket-protocol']?.split(',').map((name) => name.trim());
      if (!offered?.includes(GATEWAY_PROTOCOL)) throw new HttpError(400, `ask for the subprotocol ${GATEWAY_PROTOCOL}`);
      if (head.length > 0) socket.unshift(head);
      const control = new ControlSide(socket);
      server.handleUpgrade(message, control, NO_BYTES, (webSocket) => {
        const below = { webSocket, control, socket: socket as UpgradedSocket, clock };
        adopt(new WebSocketStream({ ...below, remoteAddress, isEncrypted: isSecure, visitor }));
      });
    },
  };
}
