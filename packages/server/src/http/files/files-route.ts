import type { ServerResponse } from 'node:http';
import { HttpError } from '../http-error.js';
import type { HttpRequest, HttpRoute } from '../http-route.js';
import { allowCrossOrigin } from './cross-origin.js';
import { deleteFile } from './delete-file.js';
import { FILES_PATH, parseFilePath, UPLOADS_NAME } from './file-path.js';
import { FileRequest, httpErrorFrom } from './file-request.js';
import type { FilesParts } from './files-parts.js';
import { getFile } from './get-file.js';
import { listDirectory } from './list-directory.js';
import { putFile } from './put-file.js';
import {
  CHECKSUM_ALGORITHMS,
  TUS_EXTENSIONS,
  TUS_REQUEST_HEADERS,
  TUS_RESPONSE_HEADERS,
  TUS_VERSION,
} from './tus-headers.js';
import { addToUpload, createUpload, removeUpload, tellUpload } from './tus-requests.js';
import { TusUploads } from './tus-uploads.js';

const METHODS = ['GET', 'HEAD', 'PUT', 'POST', 'PATCH', 'DELETE', 'OPTIONS'] as const;

/** Headers that pages of other origins may send. */
const REQUEST_HEADERS = [
  'Authorization',
  'Content-Type',
  'Content-Digest',
  'Range',
  'If-Match',
  'If-None-Match',
  'If-Range',
  ...TUS_REQUEST_HEADERS,
];

/** Headers that they may read. */
const RESPONSE_HEADERS = [
  'ETag',
  'Accept-Ranges',
  'Content-Length',
  'Content-Range',
  'Content-Disposition',
  'Retry-After',
  'Sluice-Durability',
  ...TUS_RESPONSE_HEADERS,
];

/** The files of users by HTTP, and uploads by tus. docs/http.md. */
export class FilesRoutes {
  readonly routes: readonly HttpRoute[];
  readonly #parts: FilesParts;
  readonly #uploads: TusUploads;

  private constructor(parts: FilesParts, uploads: TusUploads) {
    this.#parts = parts;
    this.#uploads = uploads;
    const handle = (request: HttpRequest, response: ServerResponse): Promise<void> => this.#handle(request, response);
    // Anybody may ask what there is: the rest asks for a login by itself, so that a page of another origin is told that one is needed.
    const common = { methods: METHODS, access: 'anybody', handle } as const;
    this.routes = [
      { path: FILES_PATH, ...common },
      { path: FILES_PATH.slice(0, -1), ...common },
    ];
  }

  /** @throws {StorageError} when what is known of earlier uploads cannot be read */
  static async open(parts: FilesParts): Promise<FilesRoutes> {
    return new FilesRoutes(parts, await TusUploads.open(parts));
  }

  /** Puts uploads away that are open. To be called when no request is under way. */
  async close(): Promise<void> {
    await this.#uploads.close();
  }

  async #handle(request: HttpRequest, response: ServerResponse): Promise<void> {
    const { message } = request;
    allowCrossOrigin(message, response, this.#parts.isAllowedOrigin, {
      methods: METHODS,
      requestHeaders: REQUEST_HEADERS,
      exposedHeaders: RESPONSE_HEADERS,
    });
    if (message.method === 'OPTIONS') {
      tellOptions(response);
      return;
    }
    using asked = new FileRequest(request, response, this.#parts);
    try {
      await this.#answer(asked, request.url.pathname);
    } catch (error) {
      request.gone.throwIfAborted();
      if (asked.gone.aborted) throw new HttpError(401, 'the login has ended');
      throw httpErrorFrom(error);
    }
  }

  async #answer(request: FileRequest, pathname: string): Promise<void> {
    const path = parseFilePath(pathname === FILES_PATH.slice(0, -1) ? FILES_PATH : pathname);
    const { components, isDirectory } = path;
    const method = methodOf(request);
    if (components[0] === UPLOADS_NAME) return await this.#answerUpload(request, method, components.slice(1));
    if (method === 'POST') return await createUpload(request, this.#uploads, components);
    if (method === 'GET' || method === 'HEAD') {
      return await (isDirectory ? listDirectory : getFile)(request, this.#parts, components);
    }
    if (isDirectory) throw new HttpError(409, 'this is a directory');
    if (method === 'PUT') return await putFile(request, this.#parts, components);
    if (method === 'DELETE') return await deleteFile(request, this.#parts, components);
    throw methodError('GET, HEAD, PUT, POST, DELETE, OPTIONS');
  }

  async #answerUpload(request: FileRequest, method: string, [id, ...rest]: readonly string[]): Promise<void> {
    if (id === undefined || rest.length > 0) throw new HttpError(404, 'there is no such upload');
    if (method === 'HEAD') return await tellUpload(request, this.#uploads, id);
    if (method === 'PATCH') return await addToUpload(request, this.#uploads, id);
    if (method === 'DELETE') return await removeUpload(request, this.#uploads, id);
    throw methodError('HEAD, PATCH, DELETE, OPTIONS');
  }
}

/** Clients that can send nothing but POST say what they mean in a header. */
function methodOf(request: FileRequest): string {
  const { method = '' } = request.request.message;
  const meant = request.header('x-http-method-override');
  return method === 'POST' && meant !== undefined && /^(?:HEAD|PATCH|DELETE)$/.test(meant) ? meant : method;
}

function methodError(Allow: string): HttpError {
  return new HttpError(405, `this takes ${Allow}`, { Allow });
}

/** What the server can do. The same for everybody, whoever asks. */
function tellOptions(response: ServerResponse): void {
  response.setHeader('Allow', METHODS.join(', '));
  response.setHeader('Tus-Resumable', TUS_VERSION);
  response.setHeader('Tus-Version', TUS_VERSION);
  response.setHeader('Tus-Extension', TUS_EXTENSIONS.join(','));
  response.setHeader('Tus-Checksum-Algorithm', CHECKSUM_ALGORITHMS.join(','));
  response.statusCode = 204;
  response.end();
}
