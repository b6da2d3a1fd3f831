import { useEffect, useState } from 'preact/hooks';
import { useDashboard, useVisit } from '../app/context.js';
import { failureText, ServerError, type ServerUsers } from '../server-api.js';

/** They are read again so often: somebody may change them in a terminal. */
const PERIOD_MS = 15_000;

/** All users of the server, read anew now and then, and when the link is there again. */
export function useUsers(): {
  readonly users: ServerUsers | undefined;
  readonly problem: string;
  readonly read: () => void;
} {
  const { api } = useDashboard();
  const { link } = useVisit();
  const [users, setUsers] = useState<ServerUsers | undefined>();
  const [problem, setProblem] = useState('');
  const [version, setVersion] = useState(0);
  const isOpen = link.state.value.kind === 'open';
  useEffect(() => {
    const end = new AbortController();
    const read = (): void =>
      void api.users(end.signal).then(
        (found) => {
          setUsers(found);
          setProblem('');
        },
        (error: unknown) => {
          if (end.signal.aborted || (error instanceof ServerError && error.kind === 'lost')) return;
          setProblem(failureText(error));
        },
      );
    read();
    const timer = setInterval(read, PERIOD_MS);
    return () => {
      clearInterval(timer);
      end.abort();
    };
  }, [api, version, isOpen]);
  return { users, problem, read: () => setVersion((before) => before + 1) };
}
