/** Where the lines of a measurement are shown. */
export interface SpeedLayout {
  /** No line is wider. */
  readonly columns: number;
  /** Whether each second has a bar, where there is room for one. */
  readonly hasBars: boolean;
  readonly hasColours: boolean;
}

export const bold = '\x1b[1m';
export const dim = '\x1b[2m';
export const green = '\x1b[32m';
const reset = '\x1b[0m';

/** The text in a colour, where colours are wanted. */
export function painted(text: string, colour: string, { hasColours }: SpeedLayout): string {
  return hasColours && text !== '' ? `${colour}${text}${reset}` : text;
}

/** `0.25 ms`, `12.3 ms`, `162 ms`, `1500 ms`. */
export function formatMs(ms: number): string {
  return `${ms.toFixed(ms < 9.995 ? 2 : ms < 99.95 ? 1 : 0)} ms`;
}

/** As the lines of a measurement call it. */
export const directionNames = { up: 'upload', down: 'download', both: 'both ways' } as const;
