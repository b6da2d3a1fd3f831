export const PAGES = ['overview', 'connections', 'transfers', 'files', 'log', 'speed', 'users'] as const;

export type Page = (typeof PAGES)[number];

/** Where somebody is in the page: what stands behind the `#` of its address. */
export interface Route {
  readonly page: Page;
  /** Of connections: the one whose detail is open. */
  readonly id?: number;
  /** Of files: the directory. */
  readonly path?: string;
}

/** Pages that tell what only an admin may know. */
const FOR_ADMINS: ReadonlySet<Page> = new Set(['overview', 'log', 'users']);

/** The pages that a role may see, in the order of the navigation. */
export function pagesFor(role: string): readonly Page[] {
  return role === 'admin' ? PAGES : PAGES.filter((page) => !FOR_ADMINS.has(page));
}

/** What is no route, and what the role may not see, is its first page. */
export function parseRoute(hash: string, role: string): Route {
  const [, name = '', ...rest] = hash.replace(/^#/, '').split('/');
  const pages = pagesFor(role);
  const page = pages.find((each) => each === name) ?? pages[0]!;
  if (page !== name) return { page };
  if (page === 'connections' && /^[1-9]\d{0,15}$/.test(rest[0] ?? '')) return { page, id: Number(rest[0]) };
  if (page === 'files') return { page, path: rest.map(decoded).filter(isPlainName).join('/') };
  return { page };
}

export function routeHash({ page, id, path }: Route): string {
  if (page === 'connections' && id !== undefined) return `#/connections/${id}`;
  if (page === 'files' && path) return `#/files/${path.split('/').map(encodeURIComponent).join('/')}`;
  return `#/${page}`;
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return '';
  }
}

function isPlainName(name: string): boolean {
  return name !== '' && name !== '.' && name !== '..' && !name.includes('/');
}
