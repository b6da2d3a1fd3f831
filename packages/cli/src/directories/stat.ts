import type { RemoteStatus } from '@sluice/client';
import type { Invocation } from '../command.js';
import type { statOptions } from '../commands/stat.js';
import { formatBytes } from '../options/quantities.js';
import { stdout } from '../terminal/standard-streams.js';
import { escapeControls } from '../terminal/terminal-text.js';
import { eachOperand } from './each-operand.js';

/** `sluice stat`. */
export function stat({ operands, options }: Invocation<typeof statOptions>): Promise<number> {
  return eachOperand(operands, options, async (client, { path }, signal) => {
    const status = await client.stat(path, { signal });
    stdout.write(options.json ? jsonLine(path, status) : text(path, status));
  });
}

function text(path: string, { kind, size, modifiedNs, mode, contentDigest }: RemoteStatus): string {
  const lines: [string, string][] = [
    ['name', escapeControls(path)],
    ['kind', kind],
  ];
  if (kind === 'file') lines.push(['size', size < 1024 ? `${size} B` : `${size} B, ${formatBytes(size)}`]);
  if (modifiedNs !== undefined) lines.push(['modified', timeText(modifiedNs)]);
  if (mode !== undefined) lines.push(['mode', `${octal(mode)} ${permissions(mode)}`]);
  if (contentDigest !== undefined) lines.push(['digest', contentDigest]);
  return lines.map(([label, value]) => `${label.padEnd(8)}  ${value}\n`).join('');
}

function jsonLine(path: string, { kind, size, modifiedNs, mode, version, contentDigest }: RemoteStatus): string {
  const object = {
    name: path,
    kind,
    ...(kind === 'file' && { size }),
    ...(modifiedNs !== undefined && { modified: timeText(modifiedNs), modifiedNs: `${modifiedNs}` }),
    ...(mode !== undefined && { mode: octal(mode) }),
    ...(version !== undefined && { version }),
    ...(contentDigest !== undefined && { contentDigest }),
  };
  return `${JSON.stringify(object)}\n`;
}

/** In UTC, to the nanosecond. A time that no calendar has, as the number it is. */
function timeText(ns: bigint): string {
  const billion = 1_000_000_000n;
  const fraction = ((ns % billion) + billion) % billion;
  const date = new Date(Number((ns - fraction) / 1_000_000n));
  if (Number.isNaN(date.getTime())) return `${ns} ns`;
  return date.toISOString().replace(/\.000Z$/, `.${fraction.toString().padStart(9, '0')}Z`);
}

function octal(mode: number): string {
  return mode.toString(8).padStart(4, '0');
}

/** `rw-r-----` */
function permissions(mode: number): string {
  return Array.from('rwxrwxrwx', (letter, index) => (mode & (1 << (8 - index)) ? letter : '-')).join('');
}
