import { IconButton } from '../components/button.js';
import { Icon } from '../components/icon.js';
import { useDashboard } from './context.js';

export function ToastList() {
  const { toasts } = useDashboard();
  return (
    <div class="toasts" role="log" aria-live="polite" aria-label="Messages" data-testid="toasts">
      {toasts.shown.value.map(({ id, kind, text }) => (
        <div key={id} class={`toast toast-${kind}`}>
          <Icon name={kind === 'done' ? 'check' : 'warning'} />
          <span class="toast-text">{text}</span>
          <IconButton icon="close" label="Close the message" onClick={() => toasts.close(id)} />
        </div>
      ))}
    </div>
  );
}
