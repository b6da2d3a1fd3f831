import { defineConfig } from 'vite';

// biome-ignore lint/style/noDefaultExport: Vite asks for one
export default defineConfig({
  base: './',
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  build: {
    // what has light-dark() and dialogs
    target: ['chrome123', 'firefox121', 'safari17.5'],
    // styles and pictures within the page would need a weaker Content-Security-Policy
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 400,
    reportCompressedSize: true,
  },
  server: { host: '127.0.0.1', proxy: proxyTo(process.env['SLUICE_HTTP'] ?? 'http://127.0.0.1:9980') },
});

/** `vite dev` shows the page with its sources, and the data of a server that runs; `?demo` needs none. */
function proxyTo(target: string) {
  const http = { target, changeOrigin: true, headers: { Origin: target } };
  return {
    '/login': http,
    '/logout': http,
    '/session': http,
    '/gateway': { ...http, ws: true, rewriteWsOrigin: true },
  };
}
