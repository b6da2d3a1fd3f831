import assert from 'node:assert/strict';
import path from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { build, type Metafile } from 'esbuild';

const root = fileURLToPath(new URL('../../../../', import.meta.url));

/** What a page has to load of the SDK at most, minified and compressed, in KiB. docs/sdk.md says it, too. */
const MAX_BUNDLE_KIB = 50;
const MAX_WORKER_KIB = 6;

/** Names that a browser does not have. */
const NAMES_OF_NODE =
  /(?<![.\w$'"-])(?:Buffer|process|setImmediate|clearImmediate|require|__dirname|__filename|global)(?![\w$'":-])/g;

interface Bundle {
  readonly text: string;
  readonly metafile: Metafile;
}

async function bundle(name: string, minify: boolean): Promise<Bundle> {
  const { outputFiles, metafile } = await build({
    entryPoints: [path.join(root, 'packages/client/dist/browser', name)],
    absWorkingDir: root,
    bundle: true,
    write: false,
    metafile: true,
    format: 'esm',
    platform: 'browser',
    target: 'es2022',
    legalComments: 'none',
    minify,
    logLevel: 'silent',
  });
  return { text: outputFiles[0]!.text, metafile };
}

it('The names of Node are found where they are used, and nowhere else', () => {
  const sample = `process.nextTick(a); b(Buffer.from(c)); d.process(); const text = 'the process'; e = { process: 1 };`;
  assert.deepEqual(sample.match(NAMES_OF_NODE), ['process', 'Buffer']);
});

for (const [name, maxKib] of [
  ['index.js', MAX_BUNDLE_KIB],
  ['digest-worker.js', MAX_WORKER_KIB],
] as const) {
  describe(`The bundle of @sluice/client/browser, ${name}`, () => {
    it('imports nothing of Node', async () => {
      const { metafile } = await bundle(name, false); // which fails for a module that no browser has
      const imports = Object.values(metafile.inputs).flatMap((input) => input.imports);
      assert.ok(imports.length > 5);
      assert.deepEqual(
        imports.map(({ path }) => path).filter((target) => target.startsWith('node:')),
        [],
      );
    });

    it('uses nothing that only Node has', async () => {
      const { text } = await bundle(name, false);
      const code = text.replace(/^\s*\/\/.*$/gm, '').replace(/\/\*[\s\S]*?\*\//g, '');
      assert.deepEqual(code.match(NAMES_OF_NODE), null);
    });

    it('does not wait when it is loaded, so that pages and workers of any kind can', async () => {
      const { text } = await bundle(name, false);
      assert.doesNotMatch(text, /^(?:(?:var|let|const) [^\n]*= )?await\b/m);
    });

    it(`is at most ${maxKib} KiB, minified and compressed`, async () => {
      const { text } = await bundle(name, true);
      const kib = gzipSync(text).length / 1024;
      assert.ok(kib <= maxKib, `${kib.toFixed(1)} KiB`);
    });
  });
}
