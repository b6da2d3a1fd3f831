import { LoginPage } from '../pages/login-page.js';
import { useDashboard } from './context.js';
import { Shell } from './shell.js';

/** The page: who has not logged in sees only where to. */
export function App() {
  const { visit, startProblem } = useDashboard();
  if (visit.value) return <Shell />;
  if (visit.value === null) return <LoginPage />;
  return (
    <main class="start">
      <p role="status">
        {startProblem.value !== '' && `The server is not reached (${startProblem.value}). Trying again …`}
      </p>
    </main>
  );
}
