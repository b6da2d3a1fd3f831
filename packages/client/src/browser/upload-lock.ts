const PREFIX = 'sluice-upload-';

/** What browsers have to keep two tabs apart; missing on pages that came neither by TLS nor from this machine. */
const locks = (): LockManager | undefined => globalThis.navigator?.locks;

/**
 * Runs work that only one tab of the browser may do at a time for an upload.
 *
 * @returns `undefined` when another one does
 */
export async function whileAlone<T>(id: string, work: () => Promise<T>): Promise<{ readonly result: T } | undefined> {
  const manager = locks();
  if (!manager) return { result: await work() };
  return await manager.request(`${PREFIX}${id}`, { ifAvailable: true }, async (lock) =>
    lock ? { result: await work() } : undefined,
  );
}

/** Uploads that some tab is at. */
export async function uploadsGoingOn(): Promise<ReadonlySet<string>> {
  const held = (await locks()?.query())?.held ?? [];
  return new Set(held.map(({ name = '' }) => name.slice(PREFIX.length)));
}
