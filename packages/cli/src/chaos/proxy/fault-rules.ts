import { usageError } from '../../command-error.js';
import { parseBytes, parseDuration } from '../../options/quantities.js';
import type { ByteRange, Direction, Fault, FaultRule, MarkKind } from './fault.js';
import { DIRECTIONS } from './fault.js';

const LONGEST_MS = 86_400_000;

const forms = {
  slice: 'BYTES or BYTES/GAP, like 7 or 1KiB/5ms',
  delay: 'TIME or TIME~JITTER, like 50ms or 50ms~20ms',
  throttle: 'bytes a second, like 64KiB',
  stall: 'BYTES/TIME, like 64KiB/5s',
  freeze: 'BYTES or BYTES-BYTES, like 1MiB or 0-1MiB',
  reset: 'BYTES or BYTES-BYTES, like 1MiB or 0-1MiB',
  'half-close': 'BYTES or BYTES-BYTES, like 1MiB or 0-1MiB',
  flip: 'BYTES or BYTES-BYTES, like 1MiB or 0-1MiB',
} as const satisfies Record<Fault['kind'], string>;

export type FaultOptions = { readonly [Kind in Fault['kind']]: readonly string[] };

/** @throws {CommandError} exit code 2, naming the option and what it takes */
export function faultRules(options: FaultOptions): FaultRule[] {
  return (Object.keys(forms) as Fault['kind'][]).flatMap((kind) =>
    options[kind].map((text) => {
      const rule = parseRule(kind, text);
      if (rule) return rule;
      throw usageError(
        `--${kind} ${text || '""'} cannot be used: give ${forms[kind]}; up: or down: may stand in front, @10% behind`,
      );
    }),
  );
}

/** `[up:|down:]VALUE[@PERCENT%]`. */
function parseRule(kind: Fault['kind'], text: string): FaultRule | undefined {
  const [, direction, value = '', percent] = /^(?:(up|down):)?([^@]+)(?:@(\d{1,3}(?:\.\d+)?)%)?$/.exec(text) ?? [];
  const probability = percent === undefined ? 1 : Number(percent) / 100;
  const fault = parseFault(kind, value);
  if (!fault || probability > 1) return undefined;
  return { fault, directions: direction === undefined ? DIRECTIONS : [direction as Direction], probability };
}

function parseFault(kind: Fault['kind'], value: string): Fault | undefined {
  switch (kind) {
    case 'slice': {
      const [size = '', gap = '0'] = split(value, '/');
      const bytes = bytesIn(size, 1);
      const gapMs = timeIn(gap);
      return bytes === undefined || gapMs === undefined ? undefined : { kind, bytes, gapMs };
    }
    case 'delay': {
      const [time = '', jitter = '0'] = split(value, '~');
      const ms = timeIn(time);
      const jitterMs = timeIn(jitter);
      return ms === undefined || jitterMs === undefined ? undefined : { kind, ms, jitterMs };
    }
    case 'throttle': {
      const bytesPerSecond = bytesIn(value, 1);
      return bytesPerSecond === undefined ? undefined : { kind, bytesPerSecond };
    }
    case 'stall': {
      const [size = '', time = ''] = split(value, '/');
      return markOf(kind, size, timeIn(time));
    }
    default:
      return markOf(kind, value, 0);
  }
}

function markOf(kind: MarkKind, size: string, ms: number | undefined): Fault | undefined {
  const after = rangeIn(size);
  return after === undefined || ms === undefined ? undefined : { kind, after, ms };
}

/** In two at most; a third part stays in the second, where it is refused. */
function split(value: string, separator: string): string[] {
  const at = value.indexOf(separator);
  return at < 0 ? [value] : [value.slice(0, at), value.slice(at + 1)];
}

function bytesIn(text: string, least: number): number | undefined {
  const bytes = parseBytes(text);
  return bytes !== undefined && bytes >= least ? bytes : undefined;
}

function rangeIn(text: string): ByteRange | undefined {
  const [first = '', second = first] = split(text, '-');
  const least = bytesIn(first, 0);
  const most = bytesIn(second, 0);
  return least === undefined || most === undefined || most < least ? undefined : { least, most };
}

function timeIn(text: string): number | undefined {
  const ms = parseDuration(text);
  return ms !== undefined && ms <= LONGEST_MS ? ms : undefined;
}
