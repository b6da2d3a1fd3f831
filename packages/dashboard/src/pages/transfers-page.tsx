import { useEffect, useMemo } from 'preact/hooks';
import { useDashboard, useVisit } from '../app/context.js';
import { Button } from '../components/button.js';
import { Cell } from '../components/cell.js';
import { EmptyState, Loading } from '../components/empty-state.js';
import { Icon } from '../components/icon.js';
import { ProgressBar } from '../components/meter.js';
import { Card, PageFrame } from '../components/page.js';
import { NARROW, useMedia } from '../components/use-media.js';
import { VirtualList } from '../components/virtual-list.js';
import { counted, formatBytes, formatRate, formatSeconds, formatShare } from '../model/quantities.js';
import { nameOf, visibleName } from '../model/remote-names.js';
import { type TransferGroup, transferGroups } from '../model/transfer-groups.js';
import { OwnTransferRow } from './own-transfer-row.js';
import { PendingUploads } from './pending-uploads.js';

/** What moves: from this page, and on the server. */
export function TransfersPage() {
  const { connections: feed } = useVisit();
  useEffect(() => feed.retain(), [feed]);
  const connections = feed.connections.value;
  const groups = useMemo(() => connections && transferGroups(connections), [connections]);
  const rate = groups?.reduce((sum, group) => sum + group.rate, 0) ?? 0;
  return (
    <PageFrame
      title="Transfers"
      isFilling
      note={groups && groups.length > 0 && `${counted(groups.length, 'transfer')}, ${formatRate(rate)} together`}
    >
      <div class="transfers">
        <PendingUploads />
        <OwnTransferList />
        <section class="card server-transfers" aria-label="On the server">
          <div class="card-head">
            <h2>On the server</h2>
          </div>
          {feed.problem.value && <p class="problem">{feed.problem.value}</p>}
          {groups === undefined ? (
            <Loading what="Asking what moves …" />
          ) : groups.length === 0 ? (
            <NoTransfers />
          ) : (
            <GroupList groups={groups} />
          )}
        </section>
      </div>
    </PageFrame>
  );
}

function OwnTransferList() {
  const { transfers } = useVisit();
  const list = transfers.list.value;
  if (list.length === 0) return null;
  const hasEnded = list.some(({ state }) => state.value.kind !== 'running');
  return (
    <Card
      title="From this browser"
      testId="own-transfers"
      actions={hasEnded && <Button onClick={() => transfers.clearEnded()}>Clear the ended</Button>}
    >
      <ul class="own-transfers">
        {list.map((transfer) => (
          <OwnTransferRow key={transfer.id} transfer={transfer} />
        ))}
      </ul>
    </Card>
  );
}

function GroupList({ groups }: { readonly groups: readonly TransferGroup[] }) {
  const dashboard = useDashboard();
  const isNarrow = useMedia(NARROW);
  return (
    <VirtualList
      class="list transfer-list"
      label="Transfers on the server"
      testId="transfers-list"
      rows={groups}
      rowHeight={isNarrow ? 76 : 54}
      keyOf={({ key }) => key}
      onOpen={({ connections }) => dashboard.go({ page: 'connections', id: connections[0]!.id })}
      renderRow={(group) => <GroupCells group={group} />}
    />
  );
}

const DIRECTIONS = {
  upload: { icon: 'up', text: 'Upload' },
  download: { icon: 'down', text: 'Download' },
  stream: { icon: 'transfers', text: 'Stream' },
} as const;

function GroupCells({ group }: { readonly group: TransferGroup }) {
  const { direction, name, user, connections, rate, doneBytes, totalBytes, secondsLeft } = group;
  const { icon, text } = DIRECTIONS[direction] ?? DIRECTIONS.stream;
  return (
    <>
      <Cell class={`t-direction t-${direction}`}>
        <Icon name={icon} />
        <span class="sr-only">{text}</span>
      </Cell>
      <Cell class="t-name" title={name}>
        <bdi>{visibleName(nameOf(name))}</bdi>
        <small class="muted">
          <bdi>{visibleName(user ?? 'not logged in')}</bdi>
          {connections.length > 1 && `, ${counted(connections.length, 'connection')}`}
        </small>
      </Cell>
      <Cell class="t-progress">
        <ProgressBar label={`${text} of ${nameOf(name)}`} done={doneBytes} total={totalBytes} />
        <small class="muted">
          {totalBytes === undefined
            ? formatBytes(doneBytes)
            : `${formatBytes(doneBytes)} of ${formatBytes(totalBytes)}, ${formatShare(totalBytes === 0 ? 1 : doneBytes / totalBytes)}`}
        </small>
      </Cell>
      <Cell class="t-rate">{rate >= 1 ? formatRate(rate) : <span class="muted">idle</span>}</Cell>
      <Cell class="t-left muted">{secondsLeft === undefined ? '' : `${formatSeconds(secondsLeft)} left`}</Cell>
    </>
  );
}

function NoTransfers() {
  const dashboard = useDashboard();
  return (
    <EmptyState icon="transfers" title="Nothing is moving">
      <p>Drop files on the Files page, or send some from a terminal:</p>
      <pre class="command">sluice put FILE sluice://USER@{location.hostname}:9999/</pre>
      <Button kind="primary" icon="files" onClick={() => dashboard.go({ page: 'files' })}>
        Go to the files
      </Button>
    </EmptyState>
  );
}
