import { useEffect, useState } from 'preact/hooks';
import { Button } from '../components/button.js';
import { Icon } from '../components/icon.js';
import { counted } from '../model/quantities.js';
import { useVisit } from './context.js';

/** Says that the server is not reached, and when the next attempt is; and for a moment that it is reached again. */
export function LinkBanner() {
  const { link } = useVisit();
  const state = link.state.value;
  const [wasLost, setWasLost] = useState(false);
  useEffect(() => {
    if (state.kind === 'lost') setWasLost(true);
    if (state.kind !== 'open' || !wasLost) return;
    const timer = setTimeout(() => setWasLost(false), 4000);
    return () => clearTimeout(timer);
  }, [state.kind, wasLost]);
  return (
    <div class="banner-place" role="status" data-testid="link-banner">
      {state.kind === 'lost' && (
        <div class="banner banner-lost">
          <Icon name="warning" />
          <span>
            <strong>The server is not reached.</strong> What is shown is not up to date.{' '}
            <Countdown toMs={state.nextTryAtMs} />
          </span>
          <Button onClick={() => link.tryNow()}>Try now</Button>
        </div>
      )}
      {state.kind === 'open' && wasLost && (
        <div class="banner banner-back">
          <Icon name="check" />
          <span>Connected again.</span>
        </div>
      )}
    </div>
  );
}

function Countdown({ toMs }: { readonly toMs: number }) {
  const [nowMs, setNowMs] = useState(Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNowMs(Date.now()), 500);
    return () => clearInterval(timer);
  }, []);
  const seconds = Math.ceil((toMs - nowMs) / 1000);
  return (
    // read out once is enough: it changes every second
    <span aria-hidden="true">{seconds > 0 ? `Trying again in ${counted(seconds, 'second')}.` : 'Trying again …'}</span>
  );
}
