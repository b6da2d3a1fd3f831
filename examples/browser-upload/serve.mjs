// Shows the page of this directory: `node examples/browser-upload/serve.mjs [PORT]`, 8080 without one.
import { readFile } from 'node:fs/promises';
import http from 'node:http';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const directory = fileURLToPath(new URL('.', import.meta.url));
const port = Number(process.argv[2] ?? 8080);

// The page and the thread that digests files are two bundles, side by side: the SDK finds the thread by its URL beside its own.
const { outputFiles } = await build({
  absWorkingDir: directory,
  entryPoints: {
    page: 'page.js',
    'digest-worker': fileURLToPath(import.meta.resolve('@sluice/client/digest-worker')),
  },
  outdir: directory,
  bundle: true,
  format: 'esm',
  minify: true,
  write: false,
});
const types = { '.html': 'text/html', '.css': 'text/css', '.js': 'text/javascript' };
const pages = new Map([
  ['/', { type: types['.html'], content: await readFile(new URL('index.html', import.meta.url)) }],
  ['/page.css', { type: types['.css'], content: await readFile(new URL('page.css', import.meta.url)) }],
  ...outputFiles.map(({ path, contents }) => [
    `/${path.split(/[/\\]/).at(-1)}`,
    { type: types['.js'], content: contents },
  ]),
]);

const server = http.createServer(({ url = '' }, response) => {
  const page = pages.get(url);
  if (page) response.writeHead(200, { 'Content-Type': page.type }).end(page.content);
  else response.writeHead(404).end();
});
server.listen(port, '127.0.0.1', () => {
  const origin = `http://127.0.0.1:${server.address().port}`;
  console.log(`page on ${origin}/`);
  console.log(`the server must permit it: sluice serve --http-origin ${origin}`);
});
