/** A step of the way to a directory. */
export interface Crumb {
  readonly name: string;
  readonly path: string;
}

/** A path below another; an empty one is the root. */
export function joinPath(directory: string, name: string): string {
  return directory === '' ? name : `${directory}/${name}`;
}

export function parentOf(path: string): string {
  const slash = path.lastIndexOf('/');
  return slash < 0 ? '' : path.slice(0, slash);
}

export function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

/** The directories down to one, without the root. */
export function crumbsOf(directory: string): Crumb[] {
  if (directory === '') return [];
  const names = directory.split('/');
  return names.map((name, index) => ({ name, path: names.slice(0, index + 1).join('/') }));
}

/** Why a name cannot be one, for people; `undefined` when it can. */
export function nameProblem(name: string, taken: ReadonlySet<string> = new Set()): string | undefined {
  if (name === '') return 'A name is needed.';
  if (name === '.' || name === '..') return 'This name means another place.';
  if (/[/\\]/.test(name)) return 'A name cannot have / or \\.';
  if (/\p{Cc}/u.test(name)) return 'A name cannot have control characters.';
  if (new TextEncoder().encode(name).length > 255) return 'This name is too long.';
  if (taken.has(name)) return 'Something has this name already.';
  return undefined;
}

/** Why an entry cannot get another name; `undefined` when it can. @param taken names that are there, with its own */
export function renameProblem(name: string, before: string, taken: ReadonlySet<string>): string | undefined {
  return name === before ? 'It has this name.' : nameProblem(name, taken);
}

/** How many characters of a name of a file are in front of its extension, which most who rename it want to keep; all when it has none. */
export function stemLength(name: string): number {
  const dot = name.lastIndexOf('.');
  return dot > 0 ? dot : name.length;
}

/** Directories first, each kind by name as people read it: `a2` before `a10`. */
export function sortEntries<T extends { readonly name: string; readonly kind: string }>(entries: readonly T[]): T[] {
  return [...entries].sort(
    (a, b) => Number(b.kind === 'directory') - Number(a.kind === 'directory') || NAMES.compare(a.name, b.name),
  );
}

const NAMES = new Intl.Collator('en', { numeric: true });

/** Characters that would change how a text is read, or hide a part of it, as marks that are seen: a name stays one line, and what it is. */
export function visibleName(name: string): string {
  return name.replace(/[\p{Cc}\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]/gu, (char) => {
    const code = char.codePointAt(0)!;
    return code < 0x20 ? String.fromCodePoint(0x2400 + code) : code === 0x7f ? '\u2421' : '\ufffd';
  });
}
