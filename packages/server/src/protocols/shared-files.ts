import type { DescriptorAccount } from '../storage/descriptor-account.js';
import type { DirectoryTree } from '../storage/directory-tree.js';
import type { OpenFiles } from '../storage/open-files.js';
import type { Turnstile } from '../storage/turnstile.js';

/** The files that all protocols of a server work on. */
export interface SharedFiles {
  readonly tree: DirectoryTree;
  readonly openFiles: OpenFiles;
  readonly descriptors: DescriptorAccount;
  /** Large listings keep the thread pool and the event loop busy: few at once, so that everything else goes on between them. */
  readonly listings: Turnstile;
}
