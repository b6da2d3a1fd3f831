import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

/** The repository; this file runs from build/test/e2e/docs. */
export const REPOSITORY = fileURLToPath(new URL('../../../../', import.meta.url));

/** A page of the documentation. @param name as `docs/protocol.md` */
export function readPage(name: string): Promise<string> {
  return readFile(path.join(REPOSITORY, name), 'utf8');
}

/** A fenced block: what stands behind the language in its first line, and its lines. */
export interface Fence {
  readonly label: string;
  readonly text: string;
}

/** The fenced blocks of a language, in order. */
export function fencesOf(page: string, language: string): Fence[] {
  const fences: Fence[] = [];
  for (const [, info = '', text = ''] of page.matchAll(/^```([^\n]*)\n(.*?)^```$/gms)) {
    const [found, ...label] = info.trim().split(/\s+/);
    if (found === language) fences.push({ label: label.join(' '), text });
  }
  return fences;
}

/** What stands between a heading, of any depth, and the next one of that depth or a higher one. */
export function sectionOf(page: string, heading: string): string {
  const lines = page.split('\n');
  const start = lines.findIndex((line) => /^#+ /.test(line) && line.replace(/^#+ /, '') === heading);
  if (start < 0) throw new Error(`no heading "${heading}"`);
  const depth = lines[start]!.indexOf(' ');
  const length = lines.slice(start + 1).findIndex((line) => new RegExp(`^#{1,${depth}} `).test(line));
  return lines.slice(start + 1, length < 0 ? lines.length : start + 1 + length).join('\n');
}

/** The rows of the first table in a text, without its head; cells as they are written, trimmed. */
export function tableOf(text: string): string[][] {
  const lines = text.split('\n');
  const start = lines.findIndex((line) => line.startsWith('|'));
  if (start < 0) throw new Error('no table');
  const rows = lines.slice(start + 2);
  const end = rows.findIndex((line) => !line.startsWith('|'));
  return rows.slice(0, end < 0 ? rows.length : end).map((line) =>
    line
      .slice(1, -1)
      .split(/(?<!\\)\|/)
      .map((cell) => cell.trim()),
  );
}

/** A cell without its backquotes and backslashes. */
export function plain(cell: string): string {
  return cell.replace(/\\\|/g, '|').replace(/^`(.*)`$/, '$1');
}
