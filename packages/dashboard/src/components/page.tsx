import type { ComponentChildren } from 'preact';

interface PageFrameProps {
  readonly title: string;
  /** A few words beside the title. */
  readonly note?: ComponentChildren;
  readonly actions?: ComponentChildren;
  /** Whether the page fills the window, and something in it scrolls. @default false */
  readonly isFilling?: boolean;
  readonly children: ComponentChildren;
}

/** The title of a page, what can be done on it, and what it shows. */
export function PageFrame({ title, note, actions, isFilling = false, children }: PageFrameProps) {
  return (
    <div class={`page ${isFilling ? 'page-filling' : ''}`}>
      <header class="page-head">
        <div class="page-title">
          <h1 id="page-title" tabIndex={-1}>
            {title}
          </h1>
          {note && <p class="page-note">{note}</p>}
        </div>
        {actions && <div class="page-actions">{actions}</div>}
      </header>
      {children}
    </div>
  );
}

interface CardProps {
  readonly title?: string;
  readonly actions?: ComponentChildren;
  readonly class?: string;
  readonly testId?: string;
  readonly children: ComponentChildren;
}

export function Card({ title, actions, testId, children, ...others }: CardProps) {
  return (
    <section class={`card ${others.class ?? ''}`} aria-label={title} data-testid={testId}>
      {title && (
        <div class="card-head">
          <h2>{title}</h2>
          {actions}
        </div>
      )}
      {children}
    </section>
  );
}
