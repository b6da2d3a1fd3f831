import { useEffect, useState } from 'preact/hooks';
import { useDashboard, useVisit } from '../app/context.js';
import { type FileEntry, failureText, ServerError } from '../server-api.js';

/** What is in a directory, read anew when uploads of this page have ended, and when the link is there again. */
export function useDirectory(path: string): {
  readonly entries: readonly FileEntry[] | undefined;
  readonly problem: string;
  readonly read: () => void;
} {
  const { api } = useDashboard();
  const { transfers, link } = useVisit();
  const [found, setFound] = useState<{ readonly path: string; readonly entries: readonly FileEntry[] } | undefined>();
  const [problem, setProblem] = useState('');
  const [version, setVersion] = useState(0);
  const filesVersion = transfers.filesVersion.value;
  const isOpen = link.state.value.kind === 'open';
  useEffect(() => {
    const end = new AbortController();
    api.list(path, end.signal).then(
      (entries) => {
        setFound({ path, entries });
        setProblem('');
      },
      (error: unknown) => {
        if (end.signal.aborted || (error instanceof ServerError && error.kind === 'lost')) return;
        setFound(undefined);
        setProblem(failureText(error));
      },
    );
    return () => end.abort();
  }, [api, path, version, filesVersion, isOpen]);
  return {
    entries: found?.path === path ? found.entries : undefined,
    problem,
    read: () => setVersion((before) => before + 1),
  };
}
