import { execFile } from 'node:child_process';
import { rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';

// The compiled test runs below build/test/e2e; the source stays where it is.
const SOURCE = new URL(
  '../../../../../../test/end-to-end/support/overload/stalled-disk/stalled-disk.c',
  import.meta.url,
);

/** What the system takes before writes wait for the disk, in bytes; a machine takes some hundred MiB more. */
const TAKES_BYTES = 96 << 20;

/** A disk that can be made to stop answering, for a process with its environment. */
export class StalledDisk {
  readonly environment: Readonly<Record<string, string>>;
  readonly #switch: string;

  private constructor(library: string, root: string, switchFile: string) {
    this.#switch = switchFile;
    this.environment = {
      LD_PRELOAD: library,
      STALL_ROOT: root,
      STALL_SWITCH: switchFile,
      STALL_TAKES: String(TAKES_BYTES),
    };
  }

  /**
   * @param folder for what it needs
   * @param root whose files are on the disk
   * @returns nothing where there is no C compiler
   */
  static async make(folder: string, root: string): Promise<StalledDisk | undefined> {
    const library = path.join(folder, 'stalled-disk.so');
    try {
      await promisify(execFile)('cc', ['-O2', '-shared', '-fPIC', '-o', library, SOURCE.pathname, '-ldl']);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    }
    return new StalledDisk(library, root, path.join(folder, 'stalled'));
  }

  async stall(): Promise<void> {
    await writeFile(this.#switch, '');
  }

  async goOn(): Promise<void> {
    await rm(this.#switch, { force: true });
  }
}
