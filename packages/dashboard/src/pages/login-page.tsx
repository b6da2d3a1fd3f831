import { useEffect, useId, useRef, useState } from 'preact/hooks';
import { useDashboard } from '../app/context.js';
import { Button } from '../components/button.js';
import { Logo } from '../components/icon.js';
import { formatSeconds } from '../model/quantities.js';
import { failureText, ServerError } from '../server-api.js';

export function LoginPage() {
  const dashboard = useDashboard();
  const id = useId();
  const name = useRef<HTMLInputElement>(null);
  const password = useRef<HTMLInputElement>(null);
  const [isBusy, setBusy] = useState(false);
  const [problem, setProblem] = useState('');
  useEffect(() => {
    document.title = 'Log in · Sluice';
    name.current?.focus();
  }, []);

  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    setBusy(true);
    setProblem('');
    try {
      await dashboard.logIn(name.current!.value, password.current!.value);
    } catch (error) {
      setProblem(loginProblem(error));
      setBusy(false);
      password.current!.value = '';
      password.current!.focus();
    }
  };

  return (
    <main class="login">
      <form class="login-card" onSubmit={(event) => void submit(event)} aria-labelledby={`${id}-title`}>
        <div class="login-brand">
          <Logo />
          <h1 id={`${id}-title`}>Log in to Sluice</h1>
          <p>
            Server at <code>{location.host}</code>
          </p>
        </div>
        {dashboard.notice.value && (
          <p class="login-notice" role="status">
            {dashboard.notice.value}
          </p>
        )}
        <label class="field">
          <span>User</span>
          <input ref={name} name="user" autocomplete="username" autocapitalize="none" spellcheck={false} required />
        </label>
        <label class="field">
          <span>Password</span>
          <input
            ref={password}
            name="password"
            type="password"
            autocomplete="current-password"
            aria-invalid={problem !== ''}
            aria-describedby={`${id}-problem`}
            required
          />
        </label>
        <p id={`${id}-problem`} class="login-problem" role="alert" data-testid="login-problem">
          {problem}
        </p>
        <Button type="submit" kind="primary" isDisabled={isBusy} testId="login-submit">
          {isBusy ? 'Logging in …' : 'Log in'}
        </Button>
        <p class="login-hint">
          The first start of a server makes the user <code>admin</code> and prints its password once. Others are added
          with <code>sluice user add NAME</code>.
        </p>
      </form>
    </main>
  );
}

function loginProblem(error: unknown): string {
  if (!(error instanceof ServerError)) return failureText(error);
  switch (error.kind) {
    case 'wrong-password':
      return 'Wrong user name or password.';
    case 'held-back': {
      const seconds = Math.ceil((error.retryAfterMs ?? 60_000) / 1000);
      return `Too many logins have failed. Try again in ${formatSeconds(seconds)}.`;
    }
    case 'lost':
      return 'The server is not reached. Is it running?';
    default:
      return failureText(error);
  }
}
