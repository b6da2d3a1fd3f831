import { CLOSE_REASONS } from '@sluice/wire';
import { Card } from '../components/page.js';
import { formatCount } from '../model/quantities.js';

interface CountTableProps {
  readonly title: string;
  readonly rows: readonly (readonly [string, number])[];
  readonly emptyText: string;
  /** Whether the names are reasons of closes, which can be told about. @default false */
  readonly hasReasons?: boolean;
}

/** Names and how often each is, as bars. */
export function CountTable({ title, rows, emptyText, hasReasons = false }: CountTableProps) {
  const most = rows[0]?.[1] ?? 0;
  return (
    <Card title={title}>
      {rows.length === 0 ? (
        <p class="muted">{emptyText}</p>
      ) : (
        <ul class="counts">
          {rows.map(([name, count]) => (
            <li key={name} title={hasReasons ? CLOSE_REASONS.get(name) : undefined}>
              <span class="counts-name">{name || '–'}</span>
              <span class="counts-value">{formatCount(count)}</span>
              <span
                class="counts-bar"
                aria-hidden="true"
                style={{ width: `${most === 0 ? 0 : (100 * count) / most}%` }}
              />
            </li>
          ))}
        </ul>
      )}
    </Card>
  );
}
