import { useSignal } from '@preact/signals';
import { useEffect, useMemo, useRef } from 'preact/hooks';
import { useDashboard, useVisit } from '../app/context.js';
import { Button, IconButton } from '../components/button.js';
import { Cell } from '../components/cell.js';
import { EmptyState, Loading } from '../components/empty-state.js';
import { PageFrame } from '../components/page.js';
import { SearchField, SelectField } from '../components/search-field.js';
import { NARROW, useMedia } from '../components/use-media.js';
import { VirtualList } from '../components/virtual-list.js';
import { copiedText, type LogLine, type LogRow } from '../model/log-book.js';
import { counted } from '../model/quantities.js';
import { visibleName } from '../model/remote-names.js';
import { preciseClockText } from '../model/time-text.js';
import type { LogLevel } from '../server-api.js';

const LEVELS: readonly (readonly [LogLevel, string])[] = [
  ['error', 'Errors'],
  ['warn', 'Warnings'],
  ['info', 'Information'],
  ['debug', 'Everything'],
];

/** The log as it is written. */
export function LogPage() {
  const { toasts } = useDashboard();
  const { log, link } = useVisit();
  useEffect(() => log.retain(), [log]);
  const filter = useSignal('');
  /** The last row when the view was paused; `undefined` while it follows the log. */
  const pausedAt = useSignal<number | undefined>(undefined);
  const isAtEnd = useSignal(true);
  const openLine = useSignal<LogLine | undefined>(undefined);
  const isNarrow = useMedia(NARROW);
  const version = log.version.value;
  const rows = useMemo(
    () => log.book.shown({ level: log.level.value, text: filter.value }, pausedAt.value),
    [version, log.level.value, filter.value, pausedAt.value],
  );
  const newLines = pausedAt.value === undefined ? 0 : log.book.lastKey - pausedAt.value;

  const copy = async (): Promise<void> => {
    const lines = rows.map(copiedText);
    try {
      await navigator.clipboard.writeText(`${lines.join('\n')}\n`);
      toasts.done(`${counted(lines.length, 'line')} copied.`);
    } catch {
      toasts.failed('The browser does not let this page copy: it allows that on https and on this machine only.');
    }
  };

  return (
    <PageFrame
      title="Log"
      isFilling
      note={
        pausedAt.value === undefined
          ? link.state.value.kind === 'open'
            ? 'Live'
            : 'Waiting for the server'
          : `Paused; ${counted(newLines, 'new line')}`
      }
    >
      <div class="toolbar" role="toolbar" aria-label="Log">
        <SearchField
          label="Filter by text"
          value={filter.value}
          testId="log-filter"
          onInput={(text) => {
            filter.value = text;
          }}
        />
        <SelectField
          label="Level"
          value={log.level.value}
          options={LEVELS}
          onChoose={(level) => log.chooseLevel(level)}
        />
        <Button
          icon={pausedAt.value === undefined ? 'pause' : 'play'}
          isPressed={pausedAt.value !== undefined}
          testId="log-pause"
          onClick={() => {
            pausedAt.value = pausedAt.value === undefined ? log.book.lastKey : undefined;
          }}
        >
          {pausedAt.value === undefined ? 'Pause' : 'Go on'}
        </Button>
        <Button icon="copy" onClick={() => void copy()} testId="log-copy">
          Copy
        </Button>
        <IconButton icon="trash" label="Clear what is shown here" onClick={() => log.clear()} />
      </div>
      {log.problem.value && <p class="problem">{log.problem.value}</p>}
      {rows.length === 0 ? (
        <NoLines
          isFiltered={filter.value !== '' && log.book.rows.length > 0}
          hasStarted={log.book.cursor !== undefined}
        />
      ) : (
        <div class="log-place">
          <div class="log-list">
            <VirtualList
              class="card list log"
              label="Lines of the log"
              testId="log-list"
              rows={rows}
              rowHeight={isNarrow ? 46 : 28}
              keyOf={({ key }) => key}
              isSticky={pausedAt.value === undefined}
              onAtEnd={(atEnd) => {
                isAtEnd.value = atEnd;
              }}
              selected={openLine.value?.key}
              onOpen={(row) => {
                openLine.value = row.kind === 'line' && row.key !== openLine.value?.key ? row : undefined;
              }}
              rowClass={rowClass}
              renderRow={(row) => <Cells row={row} />}
            />
            {!isAtEnd.value && pausedAt.value === undefined && <NewestButton />}
          </div>
          {openLine.value && (
            <LineDetail
              line={openLine.value}
              onClose={() => {
                openLine.value = undefined;
              }}
            />
          )}
        </div>
      )}
    </PageFrame>
  );
}

function rowClass(row: LogRow): string {
  return row.kind === 'line' ? `level-${levelClass(row.record.level)}` : `log-mark log-${row.kind}`;
}

const LEVEL_CLASSES = new Set(['error', 'warn', 'info', 'debug']);

function levelClass(level: string): string {
  return LEVEL_CLASSES.has(level) ? level : 'other';
}

function Cells({ row }: { readonly row: LogRow }) {
  if (row.kind !== 'line') return <Cell class="l-mark">{visibleName(row.text)}</Cell>;
  const { time, level, event } = row.record;
  return (
    <>
      <Cell class="l-time">{preciseClockText(time)}</Cell>
      <Cell class="l-level">{visibleName(level)}</Cell>
      <Cell class="l-event">{visibleName(event)}</Cell>
      <Cell class="l-fields">{visibleName(row.text)}</Cell>
    </>
  );
}

function NewestButton() {
  const place = useRef<HTMLDivElement>(null);
  return (
    <div class="newest" ref={place}>
      <Button
        icon="down"
        onClick={() => {
          const list = place.current?.parentElement?.querySelector('.vlist');
          if (list) list.scrollTop = list.scrollHeight;
        }}
      >
        Newest
      </Button>
    </div>
  );
}

function LineDetail({ line, onClose }: { readonly line: LogLine; readonly onClose: () => void }) {
  const { record } = line;
  return (
    <section class="card line-detail" aria-label={`Line ${record.seq}`} data-testid="log-line">
      <header class="detail-head">
        <h2>
          Line {record.seq}: {visibleName(record.event)}
        </h2>
        <IconButton icon="close" label="Close" onClick={onClose} />
      </header>
      <dl class="facts">
        {Object.entries(record).map(([name, value]) => (
          <div key={name}>
            <dt>{visibleName(name)}</dt>
            <dd>{fieldValue(name, value)}</dd>
          </div>
        ))}
      </dl>
    </section>
  );
}

/** A connection leads to what has happened on it. */
function fieldValue(name: string, value: unknown) {
  if (name === 'connection' && Number.isSafeInteger(value))
    return <a href={`#/connections/${value}`}>{String(value)}</a>;
  return visibleName(typeof value === 'string' ? value : JSON.stringify(value));
}

function NoLines({ isFiltered, hasStarted }: { readonly isFiltered: boolean; readonly hasStarted: boolean }) {
  if (isFiltered)
    return (
      <EmptyState icon="search" title="No line fits the filter">
        <p>
          Lines that come and fit will be shown. Take words out of the filter, or choose another level, to see more.
        </p>
      </EmptyState>
    );
  if (!hasStarted) return <Loading what="Waiting for the first lines …" />;
  return (
    <EmptyState icon="log" title="Nothing has been logged yet">
      <p>Lines appear as they are written. Choose the level “Everything” to see each connection come and go.</p>
    </EmptyState>
  );
}
