/** The statistics of a server, docs/protocol.md, section 17.9: fields may be missing, and others be there. */
export type ServerStats = Readonly<Record<string, unknown>>;

/** A number of the statistics; `undefined` when it is not there, or is none. */
export function figureAt(stats: ServerStats, ...path: readonly string[]): number | undefined {
  const value = valueAt(stats, path);
  return typeof value === 'number' && Number.isFinite(value) && value >= 0 ? value : undefined;
}

/** The numbers of a group, by their names. */
export function figuresAt(stats: ServerStats, ...path: readonly string[]): Record<string, number> {
  const value = valueAt(stats, path);
  if (typeof value !== 'object' || value === null) return {};
  const entries = Object.entries(value).filter((entry): entry is [string, number] => Number.isFinite(entry[1]));
  return Object.fromEntries(entries);
}

function valueAt(stats: ServerStats, path: readonly string[]): unknown {
  let value: unknown = stats;
  for (const name of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined;
    value = (value as ServerStats)[name];
  }
  return value;
}
