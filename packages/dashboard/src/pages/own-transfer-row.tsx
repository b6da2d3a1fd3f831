import { useState } from 'preact/hooks';
import type { OwnTransfer, OwnTransferState } from '../app/own-transfers.js';
import { IconButton } from '../components/button.js';
import { Icon } from '../components/icon.js';
import { ProgressBar } from '../components/meter.js';
import { counted, formatBytes, formatRate, formatSeconds } from '../model/quantities.js';
import { visibleName } from '../model/remote-names.js';

/** A transfer that this page makes. */
export function OwnTransferRow({ transfer }: { readonly transfer: OwnTransfer }) {
  const { direction, title, place } = transfer;
  const state = transfer.state.value;
  const [isOpen, setOpen] = useState(false);
  const { failures } = state;
  return (
    <li class={`own-transfer own-${state.kind}`} data-testid="own-transfer" data-state={state.kind}>
      <span class={`t-direction t-${direction}`}>
        <Icon name={direction === 'upload' ? 'up' : 'down'} />
        <span class="sr-only">{direction}</span>
      </span>
      <div class="own-text">
        <p class="own-title">
          <bdi>{visibleName(title)}</bdi>
          <small class="muted">
            {direction === 'upload' ? 'to' : 'from'} /<bdi>{visibleName(place)}</bdi>
          </small>
        </p>
        <ProgressBar
          label={`${direction} of ${title}`}
          done={state.doneBytes}
          total={state.totalBytes}
          kind={state.kind}
        />
        <p class="own-state" role={state.kind === 'running' ? undefined : 'status'}>
          {stateText(state, direction)}
        </p>
        {failures.length > 0 && (
          <>
            <button type="button" class="link" aria-expanded={isOpen} onClick={() => setOpen(!isOpen)}>
              {isOpen ? 'Hide' : 'Show'} what was not sent
            </button>
            {isOpen && (
              <ul class="failures">
                {failures.map(({ path, text }) => (
                  <li key={path}>
                    <bdi>{visibleName(path)}</bdi>: {text}
                  </li>
                ))}
              </ul>
            )}
          </>
        )}
      </div>
      {state.kind === 'running' && (
        <IconButton icon="close" label={`Stop the ${direction} of ${title}`} onClick={() => transfer.cancel()} />
      )}
    </li>
  );
}

function stateText(state: OwnTransferState, direction: OwnTransfer['direction']): string {
  const { kind, doneBytes, totalBytes, resumedBytes, rate, filesDone, filesTotal, skipped, failures, problem } = state;
  const files = filesTotal > 1 ? `${counted(filesDone, 'file')} of ${filesTotal.toLocaleString('en-US')}, ` : '';
  const left = skipped > 0 ? `; ${counted(skipped, 'file')} left as they were` : '';
  switch (kind) {
    case 'running': {
      const bytes =
        totalBytes === undefined ? formatBytes(doneBytes) : `${formatBytes(doneBytes)} of ${formatBytes(totalBytes)}`;
      const seconds = totalBytes !== undefined && rate > 0 ? Math.ceil((totalBytes - doneBytes) / rate) : undefined;
      const time = seconds === undefined ? '' : `, ${formatSeconds(seconds)} left`;
      return `${files}${bytes}, ${formatRate(rate)}${time}${resumedBytes > 0 ? `; ${formatBytes(resumedBytes)} were there already` : ''}`;
    }
    case 'done': {
      const size = formatBytes(totalBytes ?? doneBytes);
      return direction === 'upload'
        ? `${size}: verified, and on the server's disk${left}`
        : `${size}: complete and verified`;
    }
    case 'canceled':
      return direction === 'upload'
        ? 'Stopped. What was sent is kept for a while: send it again to go on.'
        : 'Stopped.';
    case 'failed':
      return problem === ''
        ? `${counted(failures.length, 'file')} of ${filesTotal.toLocaleString('en-US')} not sent${left}`
        : problem;
  }
}
