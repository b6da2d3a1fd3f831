import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';

/** A file that browsers are shown. */
export interface PageFile {
  readonly type: string;
  /** Strong: of the content. */
  readonly etag: string;
  /** Its name changes with its content. */
  readonly isImmutable: boolean;
  readonly content: Buffer;
  /** The same compressed, where that makes it smaller; by the name of the coding. */
  readonly compressed: ReadonlyMap<'br' | 'gzip', Buffer>;
}

/** What the pages may take in memory together. */
const MAX_PAGES_BYTES = 32 << 20;

const LEAST_COMPRESSED_BYTES = 512;

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.json': 'application/json; charset=utf-8',
  '.webmanifest': 'application/manifest+json; charset=utf-8',
  '.map': 'application/json; charset=utf-8',
  '.txt': 'text/plain; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.jpg': 'image/jpeg',
  '.webp': 'image/webp',
  '.ico': 'image/x-icon',
  '.woff2': 'font/woff2',
  '.wasm': 'application/wasm',
};

/** `assets/index-BqX3k_9a.js`, as bundlers name what never changes; a word of small letters alone is no hash. */
const HASHED_NAME = /^\/assets\/(?:.*[-.])?(?=[a-z-]*[A-Z0-9_])[A-Za-z0-9_-]{8,}\.[a-z0-9]+$/;

const compress = promisify(gzip);

/**
 * The files of a directory, held in memory: a name is looked up among those that were there, so none can lead elsewhere. What stands beside a file
 * as `.br` or `.gz` is it in another coding.
 */
export class PageFiles {
  readonly #directory: string;
  /** By the path of their URL. */
  #files: ReadonlyMap<string, PageFile>;

  /** @throws the system's error; {Error} when it is too much */
  static async read(directory: string): Promise<PageFiles> {
    return new PageFiles(directory, await readAll(directory));
  }

  private constructor(directory: string, files: ReadonlyMap<string, PageFile>) {
    this.#directory = directory;
    this.#files = files;
  }

  /** @throws as `read`, and everything stays as it was */
  async reload(): Promise<void> {
    this.#files = await readAll(this.#directory);
  }

  /** @param urlPath as it stands in a URL */
  find(urlPath: string): PageFile | undefined {
    return this.#files.get(urlPath.endsWith('/') ? `${urlPath}index.html` : urlPath);
  }

  /** What is shown for the addresses that a page makes up. */
  get index(): PageFile | undefined {
    return this.#files.get('/index.html');
  }
}

async function readAll(directory: string): Promise<ReadonlyMap<string, PageFile>> {
  const contents = new Map<string, Buffer>();
  let bytes = 0;
  for (const entry of await readdir(directory, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue; // no link leads out of it
    const file = path.join(entry.parentPath ?? entry.path, entry.name);
    const content = await readFile(file);
    bytes += content.length;
    if (bytes > MAX_PAGES_BYTES) throw new Error(`${directory} has more than ${MAX_PAGES_BYTES} bytes`);
    const relative = path.relative(directory, file).split(path.sep);
    contents.set(`/${relative.map(encodeURIComponent).join('/')}`, content);
  }
  const files = new Map<string, PageFile>();
  for (const [urlPath, content] of contents) {
    const base = urlPath.replace(/\.(?:br|gz)$/, '');
    if (base !== urlPath && contents.has(base)) continue;
    files.set(urlPath, await pageFile(urlPath, content, contents.get(`${urlPath}.br`), contents.get(`${urlPath}.gz`)));
  }
  return files;
}

async function pageFile(
  urlPath: string,
  content: Buffer,
  brotli: Buffer | undefined,
  gzipped: Buffer | undefined,
): Promise<PageFile> {
  const type = types[path.posix.extname(urlPath).toLowerCase()] ?? 'application/octet-stream';
  const isText = /^text|json|javascript|svg|wasm/.test(type) && content.length >= LEAST_COMPRESSED_BYTES;
  const zipped = gzipped ?? (isText ? await compress(content, { level: 9 }) : undefined);
  const compressed = new Map<'br' | 'gzip', Buffer>();
  if (brotli && brotli.length < content.length) compressed.set('br', brotli);
  if (zipped && zipped.length < content.length) compressed.set('gzip', zipped);
  return {
    type,
    etag: createHash('sha256').update(content).digest('base64url').slice(0, 27),
    isImmutable: HASHED_NAME.test(urlPath),
    content,
    compressed,
  };
}
