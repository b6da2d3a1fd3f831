import { formatBytes, formatCount, formatShare } from '../model/quantities.js';
import { type Budget, pressureOf } from '../model/server-figures.js';

/** A budget against its limit. */
export function Meter({ budget }: { readonly budget: Budget }) {
  const { name, used, limit, peak, unit, hint } = budget;
  const text = unit === 'bytes' ? formatBytes : formatCount;
  const share = Math.min(1, used / limit);
  return (
    <div class={`meter meter-${pressureOf(budget)}`}>
      <div class="meter-head">
        <span class="meter-name">{name}</span>
        <span class="meter-value">
          <strong>{text(used)}</strong> of {text(limit)}
        </span>
      </div>
      {/* biome-ignore lint/a11y/useSemanticElements: an element meter cannot show a peak */}
      <div
        class="meter-track"
        role="meter"
        aria-label={name}
        aria-valuemin={0}
        aria-valuemax={limit}
        aria-valuenow={used}
        aria-valuetext={`${text(used)} of ${text(limit)}, ${formatShare(share)}`}
      >
        <span class="meter-fill" style={{ width: `${100 * share}%` }} />
        {peak !== undefined && <span class="meter-peak" style={{ left: `${100 * Math.min(1, peak / limit)}%` }} />}
      </div>
      <p class="meter-hint">
        {hint}
        {peak !== undefined && `; at most ${text(peak)} so far`}
      </p>
    </div>
  );
}

interface ProgressBarProps {
  readonly label: string;
  readonly done: number;
  /** Without it nobody knows how far it is. */
  readonly total?: number | undefined;
  readonly kind?: 'running' | 'done' | 'failed' | 'canceled';
}

export function ProgressBar({ label, done, total, kind = 'running' }: ProgressBarProps) {
  const share = total === undefined ? undefined : total === 0 ? 1 : Math.min(1, done / total);
  return (
    <div
      class={`progress progress-${kind} ${share === undefined && kind === 'running' ? 'progress-unknown' : ''}`}
      role="progressbar"
      aria-label={label}
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={share === undefined ? undefined : Math.floor(100 * share)}
    >
      <span class="progress-fill" style={{ width: `${100 * (share ?? (kind === 'done' ? 1 : 0.3))}%` }} />
    </div>
  );
}
