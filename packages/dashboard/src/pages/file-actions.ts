import type { Dashboard } from '../app/dashboard.js';
import { counted, formatBytes } from '../model/quantities.js';
import { joinPath, nameProblem, renameProblem, stemLength, visibleName } from '../model/remote-names.js';
import type { FileEntry } from '../server-api.js';

/** Makes a directory. @param taken names that are there @returns whether it was made */
export async function askNewFolder(
  dashboard: Dashboard,
  directory: string,
  taken: ReadonlySet<string>,
): Promise<boolean> {
  const name = await dashboard.questions.text({
    title: 'New folder',
    text: `It is made in /${visibleName(directory)}.`,
    action: 'Make it',
    input: { label: 'Name', problem: (text) => nameProblem(text, taken) },
  });
  if (name === undefined) return false;
  return dashboard.attempt(
    () => dashboard.api.makeDirectory(joinPath(directory, name)),
    (text) => `The folder was not made: ${text}`,
  );
}

/** Gives a file or directory another name. @param taken names that are there @returns the new name, if it has it */
export async function askRename(
  dashboard: Dashboard,
  directory: string,
  { name, kind }: FileEntry,
  taken: ReadonlySet<string>,
): Promise<string | undefined> {
  const newName = await dashboard.questions.text({
    title: `Rename ${visibleName(name)}`,
    text: `It stays in /${visibleName(directory)}.`,
    action: 'Rename',
    input: {
      label: 'New name',
      value: name,
      selectedLength: kind === 'file' ? stemLength(name) : name.length,
      problem: (text) => renameProblem(text, name, taken),
    },
  });
  if (newName === undefined) return undefined;
  const isDone = await dashboard.attempt(
    () => dashboard.api.rename(joinPath(directory, name), joinPath(directory, newName)),
    (text) => `${visibleName(name)} was not renamed: ${text}`,
  );
  if (!isDone) return undefined;
  dashboard.toasts.done(`${visibleName(name)} is ${visibleName(newName)} now.`);
  return newName;
}

/** Deletes files and directories with all that is in them, if the user really wants that. @returns whether something may have changed */
export async function askDelete(
  dashboard: Dashboard,
  directory: string,
  entries: readonly FileEntry[],
): Promise<boolean> {
  const [first] = entries;
  if (!first) return false;
  const isOne = entries.length === 1;
  const isSure = await dashboard.questions.confirm({
    title: isOne
      ? `Delete ${visibleName(first.name)}?`
      : `Delete ${counted(entries.length, 'entry').replace('entrys', 'entries')}?`,
    text: `${whatGoes(entries)} This cannot be undone.`,
    action: 'Delete',
    isDangerous: true,
  });
  if (!isSure) return false;
  let deleted = 0;
  for (const { name, kind } of entries) {
    const path = joinPath(directory, name);
    const isDone = await dashboard.attempt(
      () => (kind === 'directory' ? dashboard.api.removeDirectory(path) : dashboard.api.removeFile(path)),
      (text) => `${visibleName(name)} was not deleted: ${text}`,
    );
    if (isDone) deleted += 1;
  }
  if (deleted > 0) dashboard.toasts.done(isOne ? `${visibleName(first.name)} was deleted.` : `${deleted} deleted.`);
  return true;
}

function whatGoes(entries: readonly FileEntry[]): string {
  const folders = entries.filter(({ kind }) => kind === 'directory').length;
  const bytes = entries.reduce((sum, { size = 0 }) => sum + size, 0);
  const files = entries.length - folders;
  const parts = [
    ...(files > 0 ? [`${counted(files, 'file')} of ${formatBytes(bytes)}`] : []),
    ...(folders > 0 ? [`${counted(folders, 'folder')} with all that is in ${folders === 1 ? 'it' : 'them'}`] : []),
  ];
  return `${parts.join(' and ')} ${entries.length === 1 ? 'is' : 'are'} removed from the server.`;
}
