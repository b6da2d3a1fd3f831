import { eventText, eventTimes, eventValue } from '../model/flight-text.js';
import { formatCount } from '../model/quantities.js';
import type { ConnectionExplanation } from '../server-api.js';

/** As many as a server keeps of the beginning. docs/protocol.md, section 17.18. */
const FIRST_EVENTS = 24;

/** Runs of events, in the order in which they began. */
export function FlightEvents({ explanation }: { readonly explanation: ConnectionExplanation }) {
  const { events, lostEvents } = explanation;
  const rows = events.map((event, index) => <FlightRow key={index} event={event} />);
  if (lostEvents > 0)
    rows.splice(
      FIRST_EVENTS,
      0,
      <li key="lost" class="flight-lost">
        {formatCount(lostEvents)} more, not kept
      </li>,
    );
  return (
    <ol class="flight" data-testid="flight">
      {rows}
    </ol>
  );
}

function FlightRow({ event }: { readonly event: ConnectionExplanation['events'][number] }) {
  const where = event.direction ?? 'here';
  const { at, until } = eventTimes(event);
  return (
    <li class={`flight-${where} ${isTrouble(event.event) ? 'is-trouble' : ''}`}>
      <span class="flight-time">{at}</span>
      <span class="flight-arrow" aria-label={ARROW_TEXTS[where]} role="img">
        {ARROWS[where]}
      </span>
      <span class="flight-what">
        <span class="flight-name">{eventText(event)}</span>
        {event.count > 1 && <span class="flight-count">× {formatCount(event.count)}</span>}
        <span class="flight-value">
          {eventValue(event)}
          {until}
        </span>
      </span>
    </li>
  );
}

const ARROWS = { in: '→', out: '←', here: '•' } as const;
const ARROW_TEXTS = { in: 'received', out: 'sent', here: 'event' } as const;

function isTrouble(event: string): boolean {
  return /-(late|failed|refused|full|slow)$|^(answer-not-ok|displaced|network-|cut$|queue-high)/.test(event);
}
