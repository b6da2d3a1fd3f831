import { useSignal } from '@preact/signals';
import { Component, type ComponentChildren } from 'preact';
import { useCallback, useEffect, useId, useLayoutEffect, useRef } from 'preact/hooks';
import { isAtEnd, rowForKey, scrollTopFor, type Viewport, virtualWindow } from '../model/virtual-window.js';

interface VirtualListProps<T> {
  readonly rows: readonly T[];
  /** In pixels; all rows have it. */
  readonly rowHeight: number;
  /** The heads of the columns: cells with the role `columnheader`. They stay in sight. */
  readonly header?: ComponentChildren;
  /** In pixels. @default 0 */
  readonly headerHeight?: number;
  readonly label: string;
  /** The cells of a row. */
  readonly renderRow: (row: T, index: number) => ComponentChildren;
  readonly rowClass?: (row: T, index: number) => string;
  readonly keyOf: (row: T) => string | number;
  /** Enter, or a click. */
  readonly onOpen?: (row: T) => void;
  /** Other keys on the row that is chosen. @returns whether it was one */
  readonly onRowKey?: (row: T, key: string) => boolean;
  /** The row that is marked, by its key. */
  readonly selected?: string | number | undefined;
  /** Stays at the end as rows come, as long as the end is seen. @default false */
  readonly isSticky?: boolean;
  readonly onAtEnd?: (isAtEnd: boolean) => void;
  readonly class?: string;
  readonly testId?: string;
}

/** A list that draws only the rows that are seen, however many there are. The keyboard moves among all of them. */
export function VirtualList<T>(props: VirtualListProps<T>) {
  const { rows, rowHeight, header, headerHeight = 0, label, renderRow, rowClass, keyOf, selected } = props;
  const { onOpen, onRowKey, isSticky = false, onAtEnd, testId } = props;
  const id = useId();
  const scroller = useRef<HTMLDivElement>(null);
  const viewport = useSignal<Viewport>({ scrollTop: 0, height: 600 });
  /** Where the keyboard is, by key: rows change their places. */
  const active = useSignal<string | number | undefined>(undefined);
  const wasAtEnd = useRef(true);
  const rowCount = useRef(rows.length);
  rowCount.current = rows.length;

  const read = (): void => {
    const element = scroller.current;
    if (!element) return;
    const next = { scrollTop: element.scrollTop, height: Math.max(0, element.clientHeight - headerHeight) };
    if (next.scrollTop === viewport.value.scrollTop && next.height === viewport.value.height) return;
    viewport.value = next;
    const isNowAtEnd = isAtEnd(rowCount.current, rowHeight, next);
    if (isNowAtEnd !== wasAtEnd.current) onAtEnd?.(isNowAtEnd);
    wasAtEnd.current = isNowAtEnd;
  };

  useEffect(() => {
    const observer = new ResizeObserver(read);
    observer.observe(scroller.current!);
    return () => observer.disconnect();
  }, [rowHeight]);

  useLayoutEffect(() => {
    if (isSticky && wasAtEnd.current && scroller.current) scroller.current.scrollTop = scroller.current.scrollHeight;
    read();
  }, [rows, rowHeight, isSticky]);

  const { first, end, offset, height } = virtualWindow(rows.length, rowHeight, viewport.value);
  const activeIndex = active.value === undefined ? -1 : rows.findIndex((row) => keyOf(row) === active.value);
  const rowId = (index: number): string => `${id}-${index}`;

  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target !== scroller.current) return;
    const pageRows = Math.max(1, Math.floor(viewport.value.height / rowHeight) - 1);
    const next = rowForKey(event.key, activeIndex, rows.length, pageRows);
    const row = rows[activeIndex];
    if (next !== undefined) {
      active.value = keyOf(rows[next]!);
      scroller.current!.scrollTop = scrollTopFor(next, rowHeight, viewport.value);
    } else if (row !== undefined && (event.key === 'Enter' || event.key === ' ') && onOpen) onOpen(row);
    else if (row === undefined || !onRowKey?.(row, event.key)) return;
    event.preventDefault();
  };

  // the same function for all renderings: rows that have not changed are not drawn again as others come into sight
  const open = useRef(onOpen);
  open.current = onOpen;
  const onChoose = useCallback((row: T, event: MouseEvent): void => {
    active.value = keyOf(row);
    if (!isControl(event.target, event.currentTarget as HTMLElement)) open.current?.(row);
  }, []);

  return (
    <div
      ref={scroller}
      class={`vlist ${props.class ?? ''}`}
      role="grid"
      aria-label={label}
      aria-rowcount={rows.length + (header ? 1 : 0)}
      aria-activedescendant={activeIndex >= first && activeIndex < end ? rowId(activeIndex) : undefined}
      tabIndex={0}
      onScroll={read}
      onKeyDown={onKeyDown}
      data-testid={testId}
    >
      {header && (
        <div class="vlist-header" role="row" aria-rowindex={1}>
          {header}
        </div>
      )}
      <div class="vlist-space" role="rowgroup" style={{ height: `${height}px` }}>
        <div class="vlist-rows" role="presentation" style={{ transform: `translateY(${offset}px)` }}>
          {rows.slice(first, end).map((row, place) => {
            const index = first + place;
            const key = keyOf(row);
            return (
              <ListRow
                key={index}
                id={rowId(index)}
                row={row}
                index={index}
                ariaIndex={index + (header ? 2 : 1)}
                height={rowHeight}
                class={`${index === activeIndex ? 'is-active' : ''} ${rowClass?.(row, index) ?? ''}`}
                isSelected={selected === undefined ? undefined : key === selected}
                render={renderRow}
                onChoose={onChoose}
              />
            );
          })}
        </div>
      </div>
    </div>
  );
}

interface ListRowProps<T> {
  readonly id: string;
  readonly row: T;
  readonly index: number;
  readonly ariaIndex: number;
  readonly height: number;
  readonly class: string;
  readonly isSelected: boolean | undefined;
  readonly render: (row: T, index: number) => ComponentChildren;
  readonly onChoose: (row: T, event: MouseEvent) => void;
}

/** A row; drawn again only when something of it is another. */
class ListRow<T> extends Component<ListRowProps<T>> {
  override shouldComponentUpdate(next: ListRowProps<T>): boolean {
    const { props } = this;
    return (Object.keys(next) as (keyof ListRowProps<T>)[]).some((name) => next[name] !== props[name]);
  }

  override render({ id, row, index, ariaIndex, height, isSelected, render, onChoose, ...others }: ListRowProps<T>) {
    return (
      // biome-ignore lint/a11y/useKeyWithClickEvents: the list has the keyboard
      <div
        id={id}
        class={`vlist-row ${others.class}`}
        role="row"
        tabIndex={-1}
        aria-rowindex={ariaIndex}
        aria-selected={isSelected}
        style={{ height: `${height}px` }}
        onClick={(event) => onChoose(row, event)}
      >
        {render(row, index)}
      </div>
    );
  }
}

/** Whether a click was for a button, a link or a box within the row. */
function isControl(target: EventTarget | null, row: HTMLElement): boolean {
  const control = target instanceof Element ? target.closest('button, a, input, label') : null;
  return control !== null && row.contains(control);
}
