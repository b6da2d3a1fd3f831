// A file server in plain Node, as a competent engineer writes it: streams joined by pipelines, which handle
// backpressure and errors. PUT /DIR/NAME stores a file, GET /DIR/NAME returns it.
//
// node plain-http.js --root DIR [--cert FILE --key FILE]      prints "listening on 127.0.0.1:PORT", serves until SIGTERM
import { createReadStream, createWriteStream, readFileSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { parseArgs } from 'node:util';

const { values } = parseArgs({
  options: { root: { type: 'string' }, cert: { type: 'string' }, key: { type: 'string' } },
});
if (values.root === undefined) throw new Error('usage: plain-http --root DIR');
const root = path.resolve(values.root);

const answer = (request: IncomingMessage, response: ServerResponse) => {
  serve(request, response).catch((error: NodeJS.ErrnoException) => {
    if (response.headersSent) response.destroy();
    else response.writeHead(error.code === 'ENOENT' ? 404 : 500).end();
  });
};
const server =
  values.cert === undefined || values.key === undefined
    ? createServer(answer)
    : createTlsServer({ cert: readFileSync(values.cert), key: readFileSync(values.key) }, answer);

async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const name = decodeURIComponent(new URL(request.url ?? '/', 'http://localhost').pathname);
  const file = path.join(root, path.normalize(name)); // the name starts with a slash, so `..` ends at the root
  if (request.method === 'PUT') {
    await pipeline(request, createWriteStream(file));
    response.writeHead(201).end();
  } else if (request.method === 'GET') {
    const { size } = await stat(file);
    response.writeHead(200, { 'Content-Length': size, 'Content-Type': 'application/octet-stream' });
    await pipeline(createReadStream(file), response);
  } else {
    response.writeHead(405).end();
  }
}

server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  if (typeof address === 'object') console.log(`listening on 127.0.0.1:${address?.port}`);
});
