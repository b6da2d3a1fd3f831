import { formatSeconds } from './quantities.js';

/** How long ago a time was; the text itself when it cannot be read: an original server writes times as its machine does. @param nowMs as Date.now */
export function ageText(time: string, nowMs: number): string {
  const ms = Date.parse(time);
  return Number.isNaN(ms) ? time : formatSeconds(Math.max(0, Math.floor((nowMs - ms) / 1000)));
}

/** `14:05:09`, in the zone of who looks. */
export function clockText(ms: number): string {
  const time = new Date(ms);
  return [time.getHours(), time.getMinutes(), time.getSeconds()].map((part) => String(part).padStart(2, '0')).join(':');
}

/** `14:05:09.123`; the text itself when it is no time. */
export function preciseClockText(time: string): string {
  const ms = Date.parse(time);
  return Number.isNaN(ms) ? time : `${clockText(ms)}.${String(new Date(ms).getMilliseconds()).padStart(3, '0')}`;
}

/** `2026-01-31 14:05`, in the zone of who looks. */
export function dateText(ms: number): string {
  if (!Number.isFinite(ms)) return '';
  const time = new Date(ms);
  const date = [time.getFullYear(), time.getMonth() + 1, time.getDate()].map((part) => String(part).padStart(2, '0'));
  return `${date.join('-')} ${clockText(ms).slice(0, 5)}`;
}
