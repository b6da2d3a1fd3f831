import { useSignal } from '@preact/signals';
import { useEffect, useMemo } from 'preact/hooks';
import { useDashboard, useVisit } from '../app/context.js';
import { Button, IconButton } from '../components/button.js';
import { Cell, HeadCell } from '../components/cell.js';
import { EmptyState, Loading } from '../components/empty-state.js';
import { Icon } from '../components/icon.js';
import { PageFrame } from '../components/page.js';
import { SearchField, SelectField } from '../components/search-field.js';
import { Segments } from '../components/segments.js';
import { SortHeader } from '../components/sort-header.js';
import { NARROW, useMedia } from '../components/use-media.js';
import { VirtualList } from '../components/virtual-list.js';
import {
  arrangeConnections,
  type ConnectionOrder,
  type ConnectionSortKey,
  nextOrder,
} from '../model/connection-order.js';
import { counted, formatBytes, formatCount, formatRate } from '../model/quantities.js';
import { nameOf, visibleName } from '../model/remote-names.js';
import { ageText } from '../model/time-text.js';
import type { ConnectionRecord } from '../server-api.js';
import { ClosedConnections } from './closed-connections.js';
import { ConnectionDetail } from './connection-detail.js';
import { askKick } from './kick.js';

const SORTS: readonly (readonly [ConnectionSortKey, string])[] = [
  ['id', 'Number'],
  ['user', 'User'],
  ['protocol', 'Protocol'],
  ['remote', 'Address'],
  ['connected', 'Connected'],
  ['idle', 'Idle'],
  ['rate', 'Rate'],
  ['received', 'Received'],
  ['sent', 'Sent'],
  ['queued', 'Queued'],
];

const KINDS = [
  ['open', 'Open'],
  ['ended', 'Ended lately'],
] as const;

/** Who is connected. */
export function ConnectionsPage() {
  const { route } = useDashboard();
  const { session } = useVisit();
  const kind = useSignal<'open' | 'ended'>('open');
  const isAdmin = session.role === 'admin';
  const kinds = isAdmin && (
    <Segments
      label="Which connections"
      value={kind.value}
      options={KINDS}
      onChoose={(value) => {
        kind.value = value;
      }}
    />
  );
  const { id } = route.value;
  return (
    <div class={`split ${id === undefined ? '' : 'has-detail'}`}>
      {kind.value === 'open' ? <OpenConnections kinds={kinds} /> : <ClosedConnections kinds={kinds} />}
      {id !== undefined && <ConnectionDetail key={id} id={id} />}
    </div>
  );
}

function OpenConnections({ kinds }: { readonly kinds: preact.ComponentChildren }) {
  const dashboard = useDashboard();
  const { connections: feed, session } = useVisit();
  useEffect(() => feed.retain(), [feed]);
  const order = useSignal<ConnectionOrder>({ key: 'id', isReversed: false });
  const filter = useSignal('');
  /** Those of the moment in which the view was held; `undefined` while it follows the server. */
  const held = useSignal<readonly ConnectionRecord[] | undefined>(undefined);
  const isNarrow = useMedia(NARROW);
  const all = held.value ?? feed.connections.value;
  const rows = useMemo(
    () => (all ? arrangeConnections(all, { order: order.value, filter: filter.value }) : undefined),
    [all, order.value, filter.value],
  );
  const isAdmin = session.role === 'admin';
  const open = (row: ConnectionRecord): void => dashboard.go({ page: 'connections', id: row.id });
  const sort = (key: ConnectionSortKey): void => {
    order.value = nextOrder(order.value, key);
  };
  const nowMs = Date.now();

  return (
    <PageFrame
      title="Connections"
      isFilling
      note={
        all &&
        rows &&
        (rows.length === all.length
          ? counted(all.length, 'connection')
          : `${formatCount(rows.length)} of ${formatCount(all.length)}`)
      }
      actions={kinds}
    >
      <div class="toolbar" role="toolbar" aria-label="Connections">
        <SearchField
          label="Filter by user, address, protocol, file"
          value={filter.value}
          testId="connections-filter"
          onInput={(text) => {
            filter.value = text;
          }}
        />
        <SelectField
          class="only-narrow"
          label="Sort by"
          value={order.value.key}
          options={SORTS}
          onChoose={(key) => {
            order.value = { key, isReversed: false };
          }}
        />
        <Button
          icon={held.value ? 'play' : 'pause'}
          isPressed={held.value !== undefined}
          onClick={() => {
            held.value = held.value ? undefined : all;
          }}
        >
          {held.value ? 'Go on' : 'Hold'}
        </Button>
      </div>
      {feed.problem.value && <p class="problem">{feed.problem.value}</p>}
      {rows === undefined ? (
        <Loading what="Asking who is connected …" />
      ) : rows.length === 0 ? (
        <NoConnections
          isFiltered={filter.value !== ''}
          onClear={() => {
            filter.value = '';
          }}
        />
      ) : (
        <VirtualList
          class="card list connections"
          label="Connections"
          testId="connections-list"
          rows={rows}
          rowHeight={isNarrow ? 60 : 38}
          header={isNarrow ? undefined : <Heads order={order.value} onSort={sort} isAdmin={isAdmin} />}
          headerHeight={isNarrow ? 0 : 38}
          keyOf={({ id }) => id}
          selected={dashboard.route.value.id}
          onOpen={open}
          onRowKey={(row, key) => {
            if (!isAdmin || (key !== 'Delete' && key !== 'k')) return false;
            void askKick(dashboard, row);
            return true;
          }}
          renderRow={(row) => (
            <Cells row={row} nowMs={nowMs} onKick={isAdmin ? () => void askKick(dashboard, row) : undefined} />
          )}
        />
      )}
    </PageFrame>
  );
}

function Heads({
  order,
  onSort,
  isAdmin,
}: {
  readonly order: ConnectionOrder;
  readonly onSort: (key: ConnectionSortKey) => void;
  readonly isAdmin: boolean;
}) {
  const head = (name: string, sortKey: ConnectionSortKey, place: string) => (
    <SortHeader name={name} sortKey={sortKey} order={order} onSort={onSort} class={place} />
  );
  return (
    <>
      {head('No.', 'id', 'c-id')}
      {head('User', 'user', 'c-user')}
      {head('Protocol', 'protocol', 'c-protocol')}
      {head('Address', 'remote', 'c-remote')}
      {head('Connected', 'connected', 'c-age')}
      {head('Idle', 'idle', 'c-idle')}
      {head('Rate', 'rate', 'c-rate')}
      {head('Received', 'received', 'c-received')}
      {head('Sent', 'sent', 'c-sent')}
      {head('Queued', 'queued', 'c-queued')}
      <HeadCell class="c-transfer">Transfer</HeadCell>
      {isAdmin && <HeadCell class="c-actions" label="Actions" />}
    </>
  );
}

interface CellsProps {
  readonly row: ConnectionRecord;
  readonly nowMs: number;
  readonly onKick: (() => void) | undefined;
}

function Cells({ row, nowMs, onKick }: CellsProps) {
  const { id, user, protocol, remoteAddress, isEncrypted, receiveRate, sendRate, queuedBytes, transfer } = row;
  const rate = receiveRate + sendRate;
  return (
    <>
      <Cell class="c-id">{id}</Cell>
      <Cell class="c-user">
        <bdi>{user ? visibleName(user) : <span class="muted">–</span>}</bdi>
      </Cell>
      <Cell class="c-protocol">
        <span class={`tag tag-${protocolClass(protocol)}`}>{protocol || 'none'}</span>
      </Cell>
      <Cell class="c-remote">
        {isEncrypted ? (
          <span title="TLS">
            <Icon name="lock" />
            <span class="sr-only">TLS </span>
          </span>
        ) : (
          <span class="lock-place" />
        )}
        {remoteAddress}
      </Cell>
      <Cell class="c-age">{ageText(row.connectedAt, nowMs)}</Cell>
      <Cell class="c-idle">{ageText(row.lastActivityAt, nowMs)}</Cell>
      <Cell class={`c-rate ${rate > 0 ? '' : 'muted'}`}>{rate > 0 ? formatRate(rate) : '–'}</Cell>
      <Cell class="c-received">{formatBytes(row.receivedBytes)}</Cell>
      <Cell class="c-sent">{formatBytes(row.sentBytes)}</Cell>
      <Cell class={`c-queued ${queuedBytes > 0 ? '' : 'muted'}`}>
        {queuedBytes > 0 ? formatBytes(queuedBytes) : '–'}
      </Cell>
      <Cell class="c-transfer" title={transfer?.name}>
        {transfer && (
          <>
            <Icon
              name={transfer.direction === 'download' ? 'down' : transfer.direction === 'upload' ? 'up' : 'transfers'}
            />
            <span class="c-percent">{percentText(transfer)}</span>
            <bdi class="c-name">{visibleName(nameOf(transfer.name))}</bdi>
          </>
        )}
      </Cell>
      {onKick && (
        <Cell class="c-actions">
          <IconButton icon="kick" label={`End connection ${id}`} kind="danger" onClick={onKick} />
        </Cell>
      )}
    </>
  );
}

function percentText({ doneBytes, totalBytes }: NonNullable<ConnectionRecord['transfer']>): string {
  return totalBytes ? `${Math.min(100, Math.floor((100 * doneBytes) / totalBytes))} %` : formatBytes(doneBytes);
}

const KNOWN_PROTOCOLS = new Set(['upload', 'download', 'control', 'remotestream', 'throughput']);

function protocolClass(protocol: string): string {
  const name = protocol.toLowerCase();
  return KNOWN_PROTOCOLS.has(name) ? name : 'other';
}

function NoConnections({ isFiltered, onClear }: { readonly isFiltered: boolean; readonly onClear: () => void }) {
  if (isFiltered)
    return (
      <EmptyState icon="search" title="No connection fits the filter">
        <Button onClick={onClear}>Show all</Button>
      </EmptyState>
    );
  return (
    <EmptyState icon="connections" title="Nobody is connected">
      <p>Connections appear here as soon as clients make them. To see one, upload a file:</p>
      <pre class="command">sluice put FILE sluice://USER@{location.hostname}:9999/</pre>
    </EmptyState>
  );
}
