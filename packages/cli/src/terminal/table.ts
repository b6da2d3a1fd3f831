import { displayWidth, escapeControls, padColumns, shortenMiddle } from './terminal-text.js';

/** A column of a table. */
export interface TableColumn<Row> {
  readonly heading: string;
  /** As it is; control characters are escaped here. */
  readonly text: (row: Row) => string;
  readonly align?: 'left' | 'right';
  /** On a narrow terminal, columns with a higher number go first; one with 0 never goes. */
  readonly giveWay: number;
  /** May be shortened to so many columns before others give way; without it, it may not. */
  readonly minWidth?: number;
  /** What most cells need at most; counts in a steady table only. */
  readonly usualWidth?: number;
}

export interface TableLayout {
  /** Columns of the terminal; no limit where there is none. */
  readonly width: number;
  /** Columns are as wide as they usually are, even while their cells need less: the table does not tremble when it is drawn again. */
  readonly isSteady?: boolean;
}

const GAP = '  ';

/** Lines of equal columns, the headings first. What does not fit is left out or shortened, column by column. Nothing is coloured. */
export function tableLines<Row>(
  columns: readonly TableColumn<Row>[],
  rows: readonly Row[],
  { width, isSteady = false }: TableLayout,
): string[] {
  let shown = columns.map((column) => {
    const cells = rows.map((row) => escapeControls(column.text(row)));
    const least = Math.max(displayWidth(column.heading), isSteady ? (column.usualWidth ?? 0) : 0);
    const widest = cells.reduce((most, cell) => Math.max(most, displayWidth(cell)), least);
    return { column, cells, width: widest };
  });
  for (;;) {
    const excess = shown.reduce((sum, each) => sum + each.width, GAP.length * (shown.length - 1)) - width;
    if (excess <= 0) break;
    const elastic = shown.filter(({ column, width }) => column.minWidth !== undefined && width > column.minWidth);
    const slack = elastic.reduce((sum, { column, width }) => sum + width - (column.minWidth ?? 0), 0);
    if (slack >= excess) {
      shorten(elastic, excess);
      break;
    }
    const first = shown.reduce((most, each) => (each.column.giveWay > most.column.giveWay ? each : most));
    if (first.column.giveWay === 0) break;
    shown = shown.filter((each) => each !== first);
  }
  const line = (cellOf: (each: (typeof shown)[number]) => string): string =>
    shown
      .map((each) => {
        const cell = shortenMiddle(cellOf(each), each.width);
        return each.column.align === 'right'
          ? ' '.repeat(Math.max(0, each.width - displayWidth(cell))) + cell
          : padColumns(cell, each.width);
      })
      .join(GAP)
      .trimEnd();
  return [line(({ column }) => column.heading), ...rows.map((_, index) => line(({ cells }) => cells[index] ?? ''))];
}

/** Takes from the widest first. */
function shorten(elastic: { readonly column: { readonly minWidth?: number }; width: number }[], excess: number): void {
  for (let left = excess; left > 0; left--) {
    const widest = elastic
      .filter(({ column, width }) => width > (column.minWidth ?? 0))
      .reduce((most, each) => (each.width > most.width ? each : most));
    widest.width -= 1;
  }
}
