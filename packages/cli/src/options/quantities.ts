const byteUnits = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'] as const;
const durationUnitsMs: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** `6000` (milliseconds), `6s`, `1.5m`, `2h`, `1d`. @returns milliseconds, or `undefined` if it is none of these */
export function parseDuration(text: string): number | undefined {
  const [, number, unit = 'ms'] = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)?$/.exec(text) ?? [];
  if (number === undefined) return undefined;
  return Math.round(Number(number) * (durationUnitsMs[unit] ?? Number.NaN));
}

/** `65536`, `64K`, `64KiB`, `1.5G`: every unit is a power of 1024. @returns bytes, or `undefined` if it is none of these */
export function parseBytes(text: string): number | undefined {
  const [, number, unit = 'B'] = /^(\d+(?:\.\d+)?)(B|[KMGTP](?:iB|B)?)?$/i.exec(text) ?? [];
  if (number === undefined) return undefined;
  const power = byteUnits.findIndex((name) => name[0] === unit[0]?.toUpperCase());
  const bytes = Math.round(Number(number) * 1024 ** power);
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}

/** Three digits at most: `0 B`, `999 B`, `1.00 KiB`, `12.3 MiB`, `1023 GiB`. */
export function formatBytes(bytes: number): string {
  let value = bytes;
  let power = 0;
  // 1023.5 would be rounded to 1024 of the smaller unit
  while (value >= 1023.5 && power < byteUnits.length - 1) {
    value /= 1024;
    power += 1;
  }
  const digits = power === 0 || value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2;
  return `${value.toFixed(digits)} ${byteUnits[power]}`;
}

export function formatRate(bytesPerSecond: number): string {
  return `${formatBytes(Math.max(0, bytesPerSecond))}/s`;
}

/** For people: `0.4 s`, `4 s` for exactly four, `42 s`, `3m 05s`, `2h 03m`, `4d 01h`. */
export function formatSeconds(seconds: number): string {
  if (seconds < 9.95 && !Number.isInteger(seconds)) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)}m ${twoDigits(whole % 60)}s`;
  if (whole < 86_400) return `${Math.floor(whole / 3600)}h ${twoDigits(Math.floor((whole % 3600) / 60))}m`;
  return `${Math.floor(whole / 86_400)}d ${twoDigits(Math.floor((whole % 86_400) / 3600))}h`;
}

/** As an option is written: `6s`, `5m`, `1500ms`. `parseDuration` gives the same number back. */
export function durationText(ms: number): string {
  for (const unit of ['d', 'h', 'm', 's'] as const) {
    const unitMs = durationUnitsMs[unit] ?? 1;
    if (ms > 0 && ms % unitMs === 0) return `${ms / unitMs}${unit}`;
  }
  return `${ms}ms`;
}

/** As an option is written: `64KiB`, `1GiB`, `1000B`. `parseBytes` gives the same number back. */
export function bytesText(bytes: number): string {
  let power = byteUnits.length - 1;
  while (power > 0 && (bytes === 0 || bytes % 1024 ** power !== 0)) power -= 1;
  return `${bytes / 1024 ** power}${byteUnits[power]}`;
}

function twoDigits(value: number): string {
  return String(value).padStart(2, '0');
}
