import { CONNECTION_EVENT_TEXTS } from '@sluice/wire';
import type { ConnectionExplanation } from '../server-api.js';
import { formatBytes, formatMs } from './quantities.js';

type FlightEvent = ConnectionExplanation['events'][number];

/** What an event is called: packets by their command, others in words. */
export function eventText({ event, direction }: FlightEvent): string {
  return direction === undefined ? (CONNECTION_EVENT_TEXTS[event] ?? event) : event;
}

/** When a run of events was, since the connection was accepted. `until` is empty for one that took less than a millisecond. */
export function eventTimes({ atMs, lastMs }: FlightEvent): { readonly at: string; readonly until: string } {
  return { at: secondsText(atMs), until: lastMs - atMs >= 1 ? ` until ${secondsText(lastMs)}` : '' };
}

/** The values of a run of events together; empty where there are none. */
export function eventValue({ event, direction, unit, count, total = 0, largest = 0 }: FlightEvent): string {
  if (unit === undefined) return '';
  if (unit === 'code') return String(largest);
  if (unit === 'ms') return count === 1 ? formatMs(total) : `${formatMs(total)} in all, at most ${formatMs(largest)}`;
  if (direction === undefined)
    return largest === 0 ? '' : `${formatBytes(largest)}${event === 'send-refused' ? '' : ' queued'}`;
  return count === 1 ? formatBytes(total) : `${formatBytes(total)} in all, at most ${formatBytes(largest)}`;
}

function secondsText(ms: number): string {
  return `${(ms / 1000).toFixed(3)} s`;
}
