import { CLOSE_REASONS } from '@sluice/wire';
import { useEffect, useRef, useState } from 'preact/hooks';
import { useDashboard, useVisit } from '../app/context.js';
import { Pause } from '../app/pause.js';
import { Button, IconButton } from '../components/button.js';
import { Loading } from '../components/empty-state.js';
import { ProgressBar } from '../components/meter.js';
import { counted, formatBytes, formatCount, formatRate, formatSeconds } from '../model/quantities.js';
import { visibleName } from '../model/remote-names.js';
import { ageText, dateText } from '../model/time-text.js';
import { type ConnectionExplanation, type ConnectionRecord, failureText, ServerError } from '../server-api.js';
import { FlightEvents } from './flight-events.js';
import { askKick } from './kick.js';

/** How often what has happened on a connection is asked for. */
const EXPLAIN_MS = 2000;

/** All about a connection: what it is, and what has happened on it. */
export function ConnectionDetail({ id }: { readonly id: number }) {
  const dashboard = useDashboard();
  const { session, connections } = useVisit();
  const isAdmin = session.role === 'admin';
  const { explanation, problem } = useExplanation(id, isAdmin);
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => heading.current?.focus(), []);
  const listed = connections.connections.value?.find((each) => each.id === id);
  const connection: ConnectionExplanation['connection'] | undefined = listed ?? explanation?.connection;
  const close = (): void => dashboard.go({ page: 'connections' });
  return (
    <aside
      class="detail"
      aria-label={`Connection ${id}`}
      data-testid="connection-detail"
      onKeyDown={(event) => {
        if (event.key === 'Escape') close();
      }}
    >
      <header class="detail-head">
        <h2 ref={heading} tabIndex={-1}>
          Connection {id}
        </h2>
        <IconButton icon="close" label="Close" onClick={close} />
      </header>
      {connection && <Facts connection={connection} />}
      {connection && connection.reason === undefined && isAdmin && (
        <div class="detail-actions">
          <Button icon="kick" kind="danger" testId="kick" onClick={() => void askKick(dashboard, connection)}>
            End connection
          </Button>
        </div>
      )}
      {problem && <p class="problem">{problem}</p>}
      {!isAdmin && !connection && <p class="muted detail-note">This connection is not open, or not yours.</p>}
      {isAdmin && !explanation && problem === '' && <Loading what="Asking what has happened …" />}
      {explanation && (
        <section aria-label="Flight recorder">
          <h3>Flight recorder</h3>
          <FlightEvents explanation={explanation} />
        </section>
      )}
    </aside>
  );
}

/** What has happened on a connection, again and again until it has ended. */
function useExplanation(id: number, isAdmin: boolean) {
  const { api } = useDashboard();
  const [explanation, setExplanation] = useState<ConnectionExplanation | undefined>(undefined);
  const [problem, setProblem] = useState('');
  useEffect(() => {
    if (!isAdmin) return;
    const end = new AbortController();
    const read = async (): Promise<void> => {
      const pause = new Pause();
      for (;;) {
        try {
          const found = await api.explain(id, end.signal);
          setExplanation(found);
          setProblem('');
          if (found.connection.reason !== undefined) return;
        } catch (error) {
          end.signal.throwIfAborted();
          const isGone = error instanceof ServerError && error.kind === 'refused';
          if (isGone) setProblem('This connection is not open, and the server does not remember it any more.');
          else if (!(error instanceof ServerError && error.kind === 'lost')) setProblem(failureText(error));
          if (isGone) return;
        }
        await pause.for(document.hidden ? 5 * EXPLAIN_MS : EXPLAIN_MS, end.signal);
      }
    };
    read().catch(() => {});
    return () => end.abort();
  }, [id, isAdmin, api]);
  return { explanation, problem };
}

function Facts({ connection }: { readonly connection: ConnectionExplanation['connection'] }) {
  const { user, protocol, remoteAddress, localAddress, isEncrypted, connectedAt, lastActivityAt } = connection;
  const { receivedBytes, sentBytes, receivedFrames, sentFrames, queuedBytes, receiveRate, sendRate } = connection;
  const { transfer, reason, cause, closedAt, durationMs } = connection;
  const nowMs = Date.now();
  return (
    <>
      {reason !== undefined && (
        <div class="ended">
          <p>
            <strong>Ended: {reason}</strong>
            {cause !== undefined && ` (${cause})`}
          </p>
          <p>{CLOSE_REASONS.get(reason) ?? 'A reason of a protocol that this page does not know.'}</p>
        </div>
      )}
      {transfer && <Transfer transfer={transfer} rate={receiveRate + sendRate} />}
      <dl class="facts">
        <Fact name="User">{user === undefined ? 'not logged in' : <bdi>{visibleName(user)}</bdi>}</Fact>
        <Fact name="Protocol">
          {protocol || 'none chosen'}, {isEncrypted ? 'TLS' : 'plain'}
        </Fact>
        <Fact name="From">{remoteAddress}</Fact>
        <Fact name="To">{localAddress}</Fact>
        <Fact name="Connected">
          {dateText(Date.parse(connectedAt))}
          {closedAt === undefined && `, ${ageText(connectedAt, nowMs)} ago`}
        </Fact>
        {durationMs !== undefined && <Fact name="Lasted">{formatSeconds(durationMs / 1000)}</Fact>}
        {reason === undefined && <Fact name="Idle">{ageText(lastActivityAt, nowMs)}</Fact>}
        <Fact name="Received">
          {formatBytes(receivedBytes)} in {counted(receivedFrames, 'packet')}
          {receiveRate > 0 && `, ${formatRate(receiveRate)}`}
        </Fact>
        <Fact name="Sent">
          {formatBytes(sentBytes)} in {counted(sentFrames, 'packet')}
          {sendRate > 0 && `, ${formatRate(sendRate)}`}
        </Fact>
        <Fact name="Queued">{queuedBytes === 0 ? 'nothing' : formatBytes(queuedBytes)}</Fact>
      </dl>
    </>
  );
}

function Fact({ name, children }: { readonly name: string; readonly children: preact.ComponentChildren }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

function Transfer({
  transfer,
  rate,
}: {
  readonly transfer: NonNullable<ConnectionRecord['transfer']>;
  readonly rate: number;
}) {
  const { direction, name, doneBytes, totalBytes } = transfer;
  return (
    <div class="detail-transfer">
      <p>
        <strong>{direction}</strong> <bdi>{visibleName(name)}</bdi>
      </p>
      <ProgressBar label={`${direction} of ${name}`} done={doneBytes} total={totalBytes} />
      <p class="muted">
        {formatBytes(doneBytes)}
        {totalBytes !== undefined && ` of ${formatBytes(totalBytes)}`}, {formatRate(rate)}
        {totalBytes !== undefined && rate > 0 && `, ${formatSeconds(Math.ceil((totalBytes - doneBytes) / rate))} left`}
        <span class="sr-only">{formatCount(doneBytes)} bytes</span>
      </p>
    </div>
  );
}
