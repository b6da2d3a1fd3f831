import { UPLOADS_NAME } from './file-path.js';
import type { FileRequest } from './file-request.js';
import type { FilesParts } from './files-parts.js';

/** A listing up to this size is sent even while memory is short. */
const SMALL_LISTING_BYTES = 64 << 10;

/** GET and HEAD of a directory: `{"directories":["..."],"files":[{"name":"...","size":1}]}`, each by code point. */
export async function listDirectory(
  request: FileRequest,
  { files }: FilesParts,
  components: readonly string[],
): Promise<void> {
  const { principal, gone, memory, log, response } = request;
  const { tree } = principal;
  const onSkipped = (name: string): void => log.info('a name cannot be listed', { name });
  const requireRoom = (bytes: number): void => {
    if (bytes > SMALL_LISTING_BYTES) memory.requireRoomToSend(bytes);
  };
  const body = await files.listings.listDirectory(
    `${tree.id}/http/${components.join('/')}`,
    gone,
    async (bounds) => {
      const directories = await tree.listDirectories(components, onSkipped, bounds);
      const listed = await tree.listFiles(components, undefined, bounds, requireRoom);
      const isReachable = (name: string): boolean => components.length > 0 || name !== UPLOADS_NAME;
      const listing = {
        directories: directories.filter(isReachable),
        files: listed.filter(({ name }) => isReachable(name)),
      };
      return Buffer.from(JSON.stringify(listing));
    },
    () => requireRoom(2 * SMALL_LISTING_BYTES),
  );
  requireRoom(body.length);
  response.setHeader('Content-Type', 'application/json; charset=utf-8');
  response.setHeader('Cache-Control', 'no-store');
  response.setHeader('Content-Length', body.length);
  response.end(body);
}
