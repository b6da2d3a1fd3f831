import type { IncomingMessage, ServerResponse } from 'node:http';
import { HttpError } from '../http-error.js';
import type { HttpRoute } from '../http-route.js';
import type { PageFile, PageFiles } from './page-files.js';

/** A year, in seconds. */
const FOREVER = 31_536_000;

/** The pages of the dashboard. What has no name with a dot is an address within the page, which finds it by itself. */
export function pageRoute(pages: PageFiles): HttpRoute {
  return {
    path: '/',
    methods: ['GET'],
    access: 'anybody',
    handle({ message, url }, response) {
      const isAddress = !/\.[^/]*$/.test(url.pathname) && accepts(message, 'accept', 'text/html');
      const file = pages.find(url.pathname) ?? (isAddress ? pages.index : undefined);
      if (!file) throw new HttpError(404, 'there is nothing here');
      sendPage(message, response, file);
    },
  };
}

function sendPage(message: IncomingMessage, response: ServerResponse, file: PageFile): void {
  const coding = (['br', 'gzip'] as const).find(
    (name) => file.compressed.has(name) && accepts(message, 'accept-encoding', name),
  );
  const content = coding ? file.compressed.get(coding)! : file.content;
  const etag = `"${file.etag}${coding ? `-${coding}` : ''}"`;
  response.setHeader('Content-Type', file.type);
  response.setHeader('Cache-Control', file.isImmutable ? `public, max-age=${FOREVER}, immutable` : 'no-cache');
  response.setHeader('ETag', etag);
  if (file.compressed.size > 0) response.setHeader('Vary', 'Accept-Encoding');
  if (hasTag(message.headers['if-none-match'], etag)) {
    response.removeHeader('Content-Type');
    response.statusCode = 304;
    response.end();
    return;
  }
  if (coding) response.setHeader('Content-Encoding', coding);
  response.setHeader('Content-Length', content.length);
  response.end(content);
}

/** Whether a list of what the peer takes has a word, and does not refuse it. */
function accepts({ headers }: IncomingMessage, name: 'accept' | 'accept-encoding', word: string): boolean {
  return (headers[name] ?? '').split(',').some((part) => {
    const [value = '', ...parameters] = part.split(';').map((text) => text.trim().toLowerCase());
    return value === word && !parameters.some((parameter) => /^q=0(?:\.0*)?$/.test(parameter));
  });
}

function hasTag(header: string | undefined, etag: string): boolean {
  if (header === undefined) return false;
  return header.trim() === '*' || header.split(',').some((tag) => tag.trim().replace(/^W\//, '') === etag);
}
