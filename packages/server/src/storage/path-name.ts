import { join } from 'node:path';
import { StorageError } from './storage-error.js';

/** Longest name of one file or directory, in bytes of UTF-8: what every file system we run on accepts. */
export const MAX_COMPONENT_BYTES = 255;

/** Deepest directory that a peer can name. */
export const MAX_COMPONENTS = 128;

/** The server's own directory, in the root and nowhere else. */
export const STATE_DIRECTORY = '.sluice';

/** Where the server keeps the newest lines of its log. No client can reach it. */
export function ownLogDirectory(root: string): string {
  return join(root, STATE_DIRECTORY, 'log');
}

/** Longer texts are refused unread: 128 components of 255 bytes fit twice. */
const MAX_TEXT_LENGTH = 65_536;

/**
 * The components of a directory name, relative to the root; none for the root itself. `/` and `\` both separate;
 * trailing separators, empty components and `.` are ignored. Nothing is looked up.
 *
 * @throws {StorageError} `ERR_NAME_INVALID` for an absolute name, a drive letter, `..`, NUL, CR, LF, U+FFFD (which
 * stands for bytes that were not UTF-8), and whatever is above a limit of this file
 * @see docs/protocol.md, section 6; D26
 */
export function parseDirectoryName(text: string): string[] {
  if (text.length > MAX_TEXT_LENGTH) throw invalid(`name of ${text.length} characters, limit ${MAX_TEXT_LENGTH}`);
  if (/^[/\\]/.test(text)) throw invalid('absolute name');
  const components = text.split(/[/\\]/).filter((component) => component !== '' && component !== '.');
  requireComponents(components);
  refuseDriveLetter(components[0]);
  return components;
}

/**
 * The bare name of a file, unchanged.
 *
 * @throws {StorageError} `ERR_NAME_INVALID` if empty, if it has a separator, and as for a directory name
 */
export function parseFileName(text: string): string {
  requireComponent(text);
  refuseDriveLetter(text);
  return text;
}

/** A file's name relative to the root, for people: `a/b/name`. @throws as `parseDirectoryName` */
export function pathText(dirName: string, fileName: string): string {
  return [...parseDirectoryName(dirName), fileName].join('/');
}

/**
 * A file with its directories, relative to the root.
 *
 * @throws {StorageError} `ERR_NAME_INVALID` if empty, with a separator or `.` at the end, and as for a directory name
 */
export function parseFilePath(text: string): { readonly directory: string[]; readonly fileName: string } {
  if (/(^|[/\\])\.?$/.test(text)) throw invalid('no file name');
  const directory = parseDirectoryName(text);
  return { directory, fileName: directory.pop()! };
}

/**
 * What every path that reaches the disk has passed, also one that did not come through `parseDirectoryName`.
 *
 * @throws {StorageError} `ERR_NAME_INVALID`
 */
export function requireComponents(components: readonly string[]): void {
  if (components.length > MAX_COMPONENTS) throw invalid(`name of ${components.length} parts, limit ${MAX_COMPONENTS}`);
  for (const component of components) requireComponent(component);
}

/**
 * Whether a name can be one component: if not, no peer can address the entry, and so it is not listed either.
 *
 * @throws {StorageError} `ERR_NAME_INVALID`
 */
export function requireComponent(name: string): void {
  const fault = faultOf(name);
  if (fault) throw invalid(fault);
}

/** As `requireComponent`, as a question. */
export function isComponent(name: string): boolean {
  return faultOf(name) === undefined;
}

/**
 * Whether a name directly in the root is the server's own directory. Any case counts, with the case folding of
 * Unicode, so that a root on a case-insensitive file system does not open it either.
 */
export function isStateDirectory(name: string): boolean {
  return /^\.sluice$/iu.test(name);
}

function faultOf(name: string): string | undefined {
  if (name === '') return 'empty name';
  if (name === '.' || name === '..') return 'relative name';
  if (name.length > MAX_COMPONENT_BYTES || Buffer.byteLength(name) > MAX_COMPONENT_BYTES) {
    return `name above ${MAX_COMPONENT_BYTES} bytes`;
  }
  // A lone surrogate would reach the disk as U+FFFD.
  if (/[/\\\0\r\n\uFFFD\p{Surrogate}]/u.test(name)) return 'name with a character that is not accepted';
  return undefined;
}

function refuseDriveLetter(first: string | undefined): void {
  if (first !== undefined && /^[a-z]:$/i.test(first)) throw invalid('drive letter');
}

function invalid(message: string): StorageError {
  return new StorageError('ERR_NAME_INVALID', message);
}
