import { HeadCell } from './cell.js';

interface SortHeaderProps<K extends string> {
  readonly name: string;
  readonly sortKey: K;
  readonly order: { readonly key: K; readonly isReversed: boolean };
  readonly onSort: (key: K) => void;
  readonly class?: string;
}

/** The head of a column by which the rows can be sorted. */
export function SortHeader<K extends string>({ name, sortKey, order, onSort, ...others }: SortHeaderProps<K>) {
  const isSorted = order.key === sortKey;
  return (
    <HeadCell
      class={`${others.class ?? ''}`}
      sort={isSorted ? (order.isReversed ? 'descending' : 'ascending') : 'none'}
    >
      <button type="button" class={`sort ${isSorted ? 'is-sorted' : ''}`} onClick={() => onSort(sortKey)}>
        {name}
        <svg class={`sort-mark ${order.isReversed ? 'is-reversed' : ''}`} viewBox="0 0 10 6" aria-hidden="true">
          <path d="M1 1l4 4 4-4" />
        </svg>
      </button>
    </HeadCell>
  );
}
