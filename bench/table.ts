/** Lines of an aligned table: the first column to the left, the others to the right, two blanks between them. */
export function formatTable(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = header.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => (row.length === header.length ? row[column]!.length : 0))),
  );
  // A row with fewer cells than the header has a remark, not figures, in its last cell.
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, column) => {
        if (column === 0) return cell.padEnd(widths[0]!);
        return cells.length === header.length ? cell.padStart(widths[column]!) : cell;
      })
      .join('  ');
  return [line(header), widths.map((width) => '-'.repeat(width)).join('  '), ...rows.map(line)].join('\n');
}
