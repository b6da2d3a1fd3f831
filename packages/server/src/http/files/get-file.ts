import { HttpError } from '../http-error.js';
import { type ByteRange, parseRange } from './byte-range.js';
import { entityTagOf, evaluate, isSameForRange, lastModifiedOf } from './entity-tag.js';
import { urlPathOf } from './file-path.js';
import type { FileRequest } from './file-request.js';
import type { FilesParts } from './files-parts.js';
import { openReadable, type ReadableFile } from './readable-file.js';
import { sendRange } from './send-range.js';

/** A user's file is nobody's page: whatever is in it, a browser stores it, and runs nothing of it. */
const CONTENT_HEADERS: Readonly<Record<string, string>> = {
  'Content-Type': 'application/octet-stream',
  'X-Content-Type-Options': 'nosniff',
  'Content-Security-Policy': "default-src 'none'; frame-ancestors 'none'; sandbox",
  'Cache-Control': 'private, no-cache',
  'Accept-Ranges': 'bytes',
};

/** GET and HEAD of a file. */
export async function getFile(request: FileRequest, parts: FilesParts, components: readonly string[]): Promise<void> {
  if (await isDirectory(request, parts, components)) {
    request.response.setHeader('Location', `${urlPathOf(components)}/`);
    request.response.statusCode = 301;
    request.response.setHeader('Content-Length', 0);
    request.response.end();
    return;
  }
  await using file = await openReadable(request, parts, components);
  const { response } = request;
  response.setHeader('ETag', entityTagOf(file));
  response.setHeader('Last-Modified', lastModifiedOf(file));
  const outcome = evaluate(
    {
      ifMatch: request.header('if-match'),
      ifNoneMatch: request.header('if-none-match'),
      ifModifiedSince: request.header('if-modified-since'),
      ifUnmodifiedSince: request.header('if-unmodified-since'),
    },
    file,
    true,
  );
  if (outcome === 'failed') throw new HttpError(412, 'the file is another one');
  for (const [name, value] of Object.entries(CONTENT_HEADERS)) response.setHeader(name, value);
  if (outcome === 'not-modified') {
    response.removeHeader('Content-Type');
    response.statusCode = 304;
    response.end();
    return;
  }
  response.setHeader('Content-Disposition', attachmentOf(components.at(-1)!));
  const range = rangeOf(request, file, parts);
  response.setHeader('Content-Length', range.end - range.start);
  if (request.request.message.method === 'HEAD') {
    response.end();
    return;
  }
  const names = { directory: components.slice(0, -1).join('/'), file: components.at(-1) };
  request.log.info('download begins', { ...names, from: range.start, bytes: range.end - range.start });
  try {
    await sendRange(request, file, range);
  } catch (error) {
    request.log.info('download broken off', { file: names.file });
    throw error;
  }
  request.log.info('download complete', { file: names.file, bytes: range.end });
}

/** @throws {HttpError} 416 */
function rangeOf(request: FileRequest, file: ReadableFile, { wallClockMs = Date.now }: FilesParts): ByteRange {
  const { response } = request;
  const whole = { start: 0, end: file.size };
  const isGet = request.request.message.method === 'GET';
  if (!isGet || !isSameForRange(request.header('if-range'), file, wallClockMs())) return whole;
  const range = parseRange(request.header('range'), file.size);
  if (range === 'unsatisfiable')
    throw new HttpError(416, `the file has ${file.size} bytes`, { 'Content-Range': `bytes */${file.size}` });
  if (!range) return whole;
  response.statusCode = 206;
  response.setHeader('Content-Range', `bytes ${range.start}-${range.end - 1}/${file.size}`);
  return range;
}

async function isDirectory(
  { principal, gone }: FileRequest,
  { files }: FilesParts,
  components: readonly string[],
): Promise<boolean> {
  return await files.descriptors.walk(async () => {
    try {
      await using directory = await principal.tree.resolve(components.slice(0, -1));
      return (await directory.status(components.at(-1)!)).isDirectory();
    } catch {
      return false; // opening it tells why
    }
  }, gone);
}

/** RFC 6266: the name in ASCII for old clients, and as it is. */
function attachmentOf(fileName: string): string {
  const ascii = fileName.replace(/[^\x20-\x7e]|["\\%]/g, '_');
  const encoded = encodeURIComponent(fileName).replace(
    /['()*]/g,
    (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  return `attachment; filename="${ascii}"; filename*=UTF-8''${encoded}`;
}
