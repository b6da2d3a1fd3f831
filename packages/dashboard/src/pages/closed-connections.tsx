import { CLOSE_REASONS } from '@sluice/wire';
import { useEffect, useMemo, useState } from 'preact/hooks';
import { useDashboard } from '../app/context.js';
import { IconButton } from '../components/button.js';
import { Cell, HeadCell } from '../components/cell.js';
import { EmptyState, Loading } from '../components/empty-state.js';
import { PageFrame } from '../components/page.js';
import { SearchField } from '../components/search-field.js';
import { NARROW, useMedia } from '../components/use-media.js';
import { VirtualList } from '../components/virtual-list.js';
import { counted, formatBytes, formatSeconds } from '../model/quantities.js';
import { visibleName } from '../model/remote-names.js';
import { ageText } from '../model/time-text.js';
import { type ClosedConnection, failureText } from '../server-api.js';

/** Connections that have ended lately, and why. */
export function ClosedConnections({ kinds }: { readonly kinds: preact.ComponentChildren }) {
  const dashboard = useDashboard();
  const [closed, setClosed] = useState<readonly ClosedConnection[] | undefined>(undefined);
  const [problem, setProblem] = useState('');
  const [filter, setFilter] = useState('');
  const isNarrow = useMedia(NARROW);
  const read = (signal?: AbortSignal): void => {
    dashboard.api.recentlyClosed(signal).then(
      (found) => {
        setClosed(found.toReversed());
        setProblem('');
      },
      (error: unknown) => {
        if (!signal?.aborted) setProblem(failureText(error));
      },
    );
  };
  useEffect(() => {
    const end = new AbortController();
    read(end.signal);
    return () => end.abort();
  }, []);
  const rows = useMemo(() => closed?.filter((each) => fits(each, filter)), [closed, filter]);
  const nowMs = Date.now();
  return (
    <PageFrame
      title="Connections"
      isFilling
      note={closed && `${counted(closed.length, 'connection')} ended lately`}
      actions={kinds}
    >
      <div class="toolbar" role="toolbar" aria-label="Connections">
        <SearchField label="Filter by user, address, reason" value={filter} onInput={setFilter} />
        <IconButton icon="retry" label="Read again" onClick={() => read()} />
      </div>
      {problem && <p class="problem">{problem}</p>}
      {rows === undefined ? (
        problem === '' && <Loading what="Asking who was connected …" />
      ) : rows.length === 0 ? (
        <EmptyState icon="connections" title="No connection to show">
          <p>The server remembers connections for a quarter of an hour after their end.</p>
        </EmptyState>
      ) : (
        <VirtualList
          class="card list closed"
          label="Connections that have ended"
          testId="closed-list"
          rows={rows}
          rowHeight={isNarrow ? 60 : 38}
          headerHeight={isNarrow ? 0 : 38}
          header={isNarrow ? undefined : <Heads />}
          keyOf={({ id }) => id}
          selected={dashboard.route.value.id}
          onOpen={({ id }) => dashboard.go({ page: 'connections', id })}
          renderRow={(row) => <Cells row={row} nowMs={nowMs} />}
        />
      )}
    </PageFrame>
  );
}

const HEADS = [
  ['c-id', 'No.'],
  ['c-user', 'User'],
  ['c-protocol', 'Protocol'],
  ['c-remote', 'Address'],
  ['c-age', 'Ended'],
  ['c-idle', 'Lasted'],
  ['c-received', 'Received'],
  ['c-sent', 'Sent'],
  ['c-reason', 'Reason'],
] as const;

function Heads() {
  return (
    <>
      {HEADS.map(([place, name]) => (
        <HeadCell key={place} class={`${place}`}>
          {name}
        </HeadCell>
      ))}
    </>
  );
}

function Cells({ row, nowMs }: { readonly row: ClosedConnection; readonly nowMs: number }) {
  const texts: Readonly<Record<(typeof HEADS)[number][0], string>> = {
    'c-id': String(row.id),
    'c-user': row.user === undefined ? '–' : visibleName(row.user),
    'c-protocol': row.protocol || 'none',
    'c-remote': row.remoteAddress,
    'c-age': `${ageText(row.closedAt, nowMs)} ago`,
    'c-idle': formatSeconds(row.durationMs / 1000),
    'c-received': formatBytes(row.receivedBytes),
    'c-sent': formatBytes(row.sentBytes),
    'c-reason': row.reason,
  };
  return (
    <>
      {HEADS.map(([place]) => (
        <Cell key={place} class={`${place}`} title={place === 'c-reason' ? CLOSE_REASONS.get(row.reason) : undefined}>
          {texts[place]}
        </Cell>
      ))}
    </>
  );
}

function fits({ id, user, remoteAddress, protocol, reason }: ClosedConnection, filter: string): boolean {
  const text = `${id} ${user ?? ''} ${remoteAddress} ${protocol} ${reason}`.toLowerCase();
  return filter
    .toLowerCase()
    .split(/\s+/)
    .every((word) => text.includes(word));
}
