import type { ComponentChildren } from 'preact';

interface CellProps {
  readonly class: string;
  readonly title?: string | undefined;
  readonly children?: ComponentChildren;
}

/** A cell of a row of a `VirtualList`. */
export function Cell({ title, children, ...others }: CellProps) {
  return (
    <span class={`cell ${others.class}`} role="gridcell" title={title}>
      {children}
    </span>
  );
}

interface HeadCellProps extends CellProps {
  readonly sort?: 'ascending' | 'descending' | 'none';
  /** For a column without a name to see. */
  readonly label?: string;
}

/** The head of a column of a `VirtualList`. */
export function HeadCell({ sort, label, children, ...others }: HeadCellProps) {
  return (
    <span class={`cell ${others.class}`} role="columnheader" aria-sort={sort}>
      {label ? <span class="sr-only">{label}</span> : children}
    </span>
  );
}
