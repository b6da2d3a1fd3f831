import { formatBytes, formatSeconds } from '../../options/quantities.js';
import type { ProxyFigures } from './chaos-proxy.js';
import type { PlayedFault } from './fault.js';

/** `connection 3 down: reset at byte 65536`. */
export function faultLine(connection: number, { fault, direction, atBytes, detail }: PlayedFault): string {
  const where = direction === undefined ? '' : ` ${direction}`;
  const place = atBytes === undefined ? '' : ` at byte ${atBytes}`;
  return `connection ${connection}${where}: ${fault}${place}${detail === undefined ? '' : `, ${detail}`}`;
}

export function summaryLines(figures: ProxyFigures, seconds: number): string[] {
  const { connections, open, unreachable, refused, bytesUp, bytesDown, faults } = figures;
  const played = Object.entries(faults).map(([fault, count]) => `${fault} ${count}`);
  return [
    `${connections} connections in ${formatSeconds(seconds)}, ${open} still open; ${formatBytes(bytesUp)} up, ${formatBytes(bytesDown)} down`,
    ...(unreachable > 0 ? [`${unreachable} could not be made to the target`] : []),
    ...(refused > 0 ? [`${refused} closed, beyond what may be open at once`] : []),
    `faults played: ${played.length === 0 ? 'none' : played.join(', ')}`,
  ];
}
