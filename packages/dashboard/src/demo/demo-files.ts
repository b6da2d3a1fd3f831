import { joinPath, nameOf, parentOf } from '../model/remote-names.js';
import type { FileEntry } from '../server-api.js';

/** Files of a server that is none. */
export class DemoFiles {
  readonly #sizes = new Map<string, number>();
  readonly #directories = new Set(['']);

  constructor(isEmpty: boolean) {
    if (isEmpty) return;
    const some: readonly (readonly [string, number])[] = [
      ['backups/2026-01-30/postgres.dump', 18_253_611_008],
      ['backups/2026-01-31/postgres.dump', 18_311_222_784],
      ['media/raw/A001_C014_0131.mov', 4_831_838_208],
      ['media/raw/A001_C015_0131.mov', 5_261_334_937],
      ['photos/Großglockner 0042.jpg', 7_340_032],
      ['releases/sluice-0.1.0.tar.zst', 1_887_436],
      ['README.md', 4211],
      ['changelog 2.txt', 18_400],
      ['changelog 10.txt', 20_911],
      ['<img src=x onerror=alert(1)>.txt', 31],
      ['debian-13-amd64.qcow2', 3_221_225_472],
      ['empty.bin', 0],
    ];
    for (const [path, size] of some) this.put(path, size);
    for (let i = 1; i <= 12_000; i++) this.put(`sensors/reading-${i}.json`, 300 + (i % 700));
  }

  list(path: string): FileEntry[] | undefined {
    if (!this.#directories.has(path)) return undefined;
    const inside = (each: string): boolean => each !== '' && parentOf(each) === path;
    return [
      ...[...this.#directories].filter(inside).map((each) => ({ name: nameOf(each), kind: 'directory' as const })),
      ...[...this.#sizes]
        .filter(([each]) => inside(each))
        .map(([each, size]) => ({ name: nameOf(each), kind: 'file' as const, size })),
    ];
  }

  sizeOf(path: string): number | undefined {
    return this.#sizes.get(path);
  }

  put(path: string, size: number): void {
    this.makeDirectory(parentOf(path));
    this.#sizes.set(path, size);
  }

  makeDirectory(path: string): void {
    for (let each = path; each !== ''; each = parentOf(each)) this.#directories.add(each);
  }

  /** @returns whether the new name was free */
  rename(path: string, newPath: string): boolean {
    if (this.#sizes.has(newPath) || this.#directories.has(newPath)) return false;
    const moved = (each: string): string => newPath + each.slice(path.length);
    const files = [...this.#sizes].filter(([each]) => isAtOrBelow(each, path));
    const directories = [...this.#directories].filter((each) => isAtOrBelow(each, path));
    this.remove(path);
    for (const each of directories) this.makeDirectory(moved(each));
    for (const [each, size] of files) this.put(moved(each), size);
    return true;
  }

  remove(path: string): void {
    for (const each of [...this.#sizes.keys()]) if (isAtOrBelow(each, path)) this.#sizes.delete(each);
    for (const each of [...this.#directories])
      if (each !== '' && isAtOrBelow(each, path)) this.#directories.delete(each);
  }
}

function isAtOrBelow(path: string, top: string): boolean {
  return path === top || path.startsWith(joinPath(top, ''));
}
