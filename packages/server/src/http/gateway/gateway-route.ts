import type { Clock } from '@sluice/core';
import { WebSocketServer } from 'ws';
import { HttpError } from '../http-error.js';
import type { UpgradeRoute } from '../http-route.js';
import { type UpgradedSocket, WebSocketStream } from './websocket-stream.js';

export const GATEWAY_PATH = '/gateway';

/** The subprotocol, which clients must ask for. */
export const GATEWAY_PROTOCOL = 'sluice';

/** Largest message that is received, in bytes. A larger one is refused by its length, before it has come. */
export const MAX_RECEIVED_MESSAGE_BYTES = 1 << 20;

/** Frames of one message; each holds on to the chunk that it came in. */
const MAX_FRAMES = 1024;

/** Chunks that one frame may come in: those of a slow network have some 500 bytes. */
const MAX_CHUNKS = 4096;

/** The deadlines of connections say how long an end may take: longer than this never. */
const NEVER_MS = 2 ** 31 - 1;

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
    skipUTF8Validation: true, // texts are refused
    maxPayload: MAX_RECEIVED_MESSAGE_BYTES,
    maxFragments: MAX_FRAMES,
    maxBufferedChunks: MAX_CHUNKS,
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
      server.handleUpgrade(message, socket, head, (webSocket) => {
        const init = { clock, remoteAddress, isEncrypted: isSecure, visitor };
        adopt(new WebSocketStream(webSocket, socket as UpgradedSocket, init));
      });
    },
  };
}
