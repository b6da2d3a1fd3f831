const BYTE_UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'] as const;

/** Three digits at most: `0 B`, `999 B`, `1.00 KiB`, `12.3 MiB`, `1023 GiB`; as the command writes them. */
export function formatBytes(bytes: number): string {
  let value = bytes;
  let power = 0;
  // 1023.5 would be rounded to 1024 of the smaller unit
  while (value >= 1023.5 && power < BYTE_UNITS.length - 1) {
    value /= 1024;
    power += 1;
  }
  const digits = power === 0 || value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2;
  return `${value.toFixed(digits)} ${BYTE_UNITS[power]}`;
}

export function formatRate(bytesPerSecond: number): string {
  return `${formatBytes(Math.max(0, bytesPerSecond))}/s`;
}

/** `0.4 s`, `42 s`, `3m 05s`, `2h 03m`, `4d 01h`. */
export function formatSeconds(seconds: number): string {
  if (seconds < 9.95 && !Number.isInteger(seconds)) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)}m ${twoDigits(whole % 60)}s`;
  if (whole < 86_400) return `${Math.floor(whole / 3600)}h ${twoDigits(Math.floor((whole % 3600) / 60))}m`;
  return `${Math.floor(whole / 86_400)}d ${twoDigits(Math.floor((whole % 86_400) / 3600))}h`;
}

/** `0.05 ms`, `3.2 ms`, `140 ms`, `1.50 s`. */
export function formatMs(ms: number): string {
  if (ms >= 999.5) return `${(ms / 1000).toFixed(2)} s`;
  return `${ms.toFixed(ms >= 99.95 ? 0 : ms >= 0.995 ? 1 : 2)} ms`;
}

/** `12`, `7,246`, `1,048,576`. */
export function formatCount(count: number): string {
  return COUNT.format(count);
}

/** `0 %` to `100 %`; `100 %` is only what is whole. */
export function formatShare(share: number): string {
  return `${Math.min(100, Math.floor(100 * share))} %`;
}

/** `1 file`, `2 files`. */
export function counted(count: number, noun: string): string {
  return `${formatCount(count)} ${noun}${count === 1 ? '' : 's'}`;
}

const COUNT = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 });

function twoDigits(value: number): string {
  return String(value).padStart(2, '0');
}
