import type { DirectoryTree } from './storage/directory-tree.js';
import type { Quota } from './storage/storage-quota.js';

/** What a user may do: `read-only` reads its own files, `user` changes them too, `admin` also acts on others and on the server. */
export const ROLES = ['admin', 'user', 'read-only'] as const;

export type Role = (typeof ROLES)[number];

/** Who a connection acts for: a user who has logged in, or anybody, where a protocol is open to anybody. */
export interface Principal {
  /** `undefined` for anybody. */
  readonly userName: string | undefined;
  readonly role: Role;
  /** All the files there are for this principal; names are relative to its root. */
  readonly tree: DirectoryTree;
  /** How much its files may have together; `undefined` for no limit. */
  readonly quota: Quota | undefined;
}
