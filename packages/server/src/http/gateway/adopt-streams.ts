import type { Connection, DescriptorBudget, Listener } from '@sluice/core';
import type { Coordinator } from '../../coordination/coordinator.js';
import { endOfRefused } from './close-codes.js';
import type { AdoptStream } from './gateway-route.js';
import type { WebSocketStream } from './websocket-stream.js';

/** What a supervisor answers to a worker that asks for a place for a connection of its own, `connection.place`. */
export type PlaceAnswer = { readonly id: number } | { readonly reason: string; readonly retryAfterMs: number };

/** When whoever comes before the server serves, or while it ends, may try again. */
const SOON_MS = 1000;

/**
 * Has WebSockets served by the listener, and where the limits are those of several processes, asks for a place first.
 *
 * @param listener `undefined` while it does not listen yet
 */
export function adopterOf(listener: () => Listener | undefined, coordinator: Coordinator): AdoptStream {
  const adopt = (stream: WebSocketStream, id?: number): void => {
    const onRefused = (reason: string, retryAfterMs: number): void => {
      stream.refuse(endOfRefused(reason, retryAfterMs));
      if (id !== undefined) reportEnd(coordinator, id, reason);
    };
    const open = listener();
    if (!open) onRefused('shutdown', SOON_MS);
    else if (stream.isGone) onRefused('peer-closed', SOON_MS);
    else open.adopt(stream, { id, onRefused, onAdmitted: (connection) => own(stream, connection, open.descriptors) });
  };
  const adoptPlaced = async (stream: WebSocketStream): Promise<void> => {
    let place: PlaceAnswer;
    try {
      place = await coordinator.ask<PlaceAnswer>('connection.place', stream.remoteAddress);
    } catch {
      place = { reason: 'shutdown', retryAfterMs: SOON_MS };
    }
    if ('id' in place) adopt(stream, place.id);
    else stream.refuse(endOfRefused(place.reason, place.retryAfterMs));
  };
  return coordinator.isAlone ? adopt : (stream) => void adoptPlaced(stream);
}

/** The connection is served for as long as the login holds that it came with. */
function own(stream: WebSocketStream, connection: Connection, descriptors: DescriptorBudget): void {
  stream.owner = connection;
  // Whoever has accepted the socket gives its descriptor back at its end, which is not that of the descriptor.
  stream.former?.once('close', () => {
    if (descriptors.takeConnection()) stream.once('close', () => descriptors.giveConnection());
  });
  const { visitor } = stream;
  if (!visitor?.isByCookie) return; // that of `Authorization` ends with the request
  const onEnded = (): void => connection.destroy('session-ended');
  visitor.ended.addEventListener('abort', onEnded, { once: true });
  stream.once('close', () => visitor.ended.removeEventListener('abort', onEnded));
  if (visitor.ended.aborted) onEnded();
}

function reportEnd(coordinator: Coordinator, id: number, reason: string): void {
  coordinator.report('connection.ended', { id, reason, receivedBytes: 0, sentBytes: 0 });
}
