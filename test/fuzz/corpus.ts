import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

/** From the compiled file; the corpus stays with the sources. */
const DIRECTORY = fileURLToPath(new URL('../../../../test/fuzz/corpus/', import.meta.url));

/** Inputs of a target that are kept: findings of the past, and one of each kind. */
export function readCorpus<T>(name: string): T[] {
  try {
    return JSON.parse(readFileSync(path.join(DIRECTORY, `${name}.json`), 'utf8')) as T[];
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

/** One input a line. */
export function writeCorpus(name: string, inputs: readonly unknown[]): void {
  mkdirSync(DIRECTORY, { recursive: true });
  const lines = inputs.map((input) => asciiJson(input));
  writeFileSync(path.join(DIRECTORY, `${name}.json`), `[\n${lines.join(',\n')}\n]\n`);
}

/** Every character is one that an editor shows. */
function asciiJson(value: unknown): string {
  return JSON.stringify(value).replace(
    /[\u007f-\uffff]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
