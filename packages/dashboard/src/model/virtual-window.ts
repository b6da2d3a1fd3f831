/** Which rows of a long list are drawn. */
export interface VirtualWindow {
  /** The first row that is drawn. */
  readonly first: number;
  /** The row behind the last one that is drawn. */
  readonly end: number;
  /** Where the first one is, in pixels from the top of the list. */
  readonly offset: number;
  /** Height of the whole list, in pixels. */
  readonly height: number;
}

/** What is looked at. Lengths are in pixels. */
export interface Viewport {
  readonly scrollTop: number;
  readonly height: number;
}

/** Rows that are drawn beyond what is seen, on each side: a scroll shows no gap before the next frame. */
const OVERSCAN_ROWS = 8;

/** Browsers draw nothing beyond some 33 million pixels; a list stays below, and its last rows are left out. */
const MAX_HEIGHT = 16_000_000;

/** The rows of a list of equal heights that are to be drawn. The first is even, so that stripes stay with their rows. */
export function virtualWindow(rows: number, rowHeight: number, viewport: Viewport): VirtualWindow {
  const drawable = Math.min(rows, Math.floor(MAX_HEIGHT / rowHeight));
  const top = Math.max(0, Math.min(viewport.scrollTop, drawable * rowHeight - viewport.height));
  const seenFirst = Math.floor(top / rowHeight);
  const seenEnd = Math.ceil((top + viewport.height) / rowHeight);
  const first = Math.max(0, seenFirst - OVERSCAN_ROWS) & ~1;
  const end = Math.max(first, Math.min(drawable, seenEnd + OVERSCAN_ROWS));
  return { first, end, offset: first * rowHeight, height: drawable * rowHeight };
}

/** Where to scroll so that a row is seen, moving as little as possible. @returns the present place when it is seen already */
export function scrollTopFor(row: number, rowHeight: number, { scrollTop, height }: Viewport): number {
  const top = row * rowHeight;
  if (top < scrollTop) return top;
  if (top + rowHeight > scrollTop + height) return Math.max(0, top + rowHeight - height);
  return scrollTop;
}

/** Whether the end of a list is seen, to within a row. */
export function isAtEnd(rows: number, rowHeight: number, { scrollTop, height }: Viewport): boolean {
  return scrollTop + height >= rows * rowHeight - rowHeight;
}

/** The row that a key chooses, or `undefined` for a key that chooses none. @param pageRows rows that are seen at once */
export function rowForKey(key: string, row: number, rows: number, pageRows: number): number | undefined {
  const step = { ArrowUp: -1, ArrowDown: 1, PageUp: -pageRows, PageDown: pageRows, Home: -rows, End: rows }[key];
  if (step === undefined || rows === 0) return undefined;
  if (row < 0) return step < 0 && key !== 'Home' ? rows - 1 : key === 'End' ? rows - 1 : 0;
  return Math.max(0, Math.min(rows - 1, row + step));
}
