import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import path from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../../../', import.meta.url));

/** What each package may import besides its own files. `node:` stands for Node's modules. Design, section 2. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  framing: [],
  wire: ['@sluice/framing'],
  core: ['@sluice/framing', 'node:'],
  files: ['node:', 'xxhash-wasm'],
  server: ['@sluice/core', '@sluice/wire', '@sluice/framing', '@sluice/files', '@opentelemetry/api', 'node:', 'ws'],
  client: ['@sluice/wire', '@sluice/framing', '@sluice/files', '@sluice/files/digests', 'node:'],
  cli: ['@sluice/client', '@sluice/dashboard', '@sluice/server', 'node:', 'picomatch', 'smol-toml'],
  dashboard: ['@sluice/client/browser', '@sluice/wire', 'preact', 'preact/hooks', '@preact/signals', 'uplot'],
  testkit: ['@sluice/core', '@sluice/framing', '@sluice/wire', 'node:', 'ws'],
};

/** Packages that ship a bundle of what they import: nobody who installs them needs it. What they are built with is named in brackets. */
const BUNDLED: Readonly<Record<string, readonly string[]>> = { dashboard: ['vite'] };

/** What the user may install beside a package, and the one file that loads it then: optional, and a peer, because there may be one of it only. */
const OPTIONAL_PEERS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  server: { '@opentelemetry/api': 'packages/server/src/metrics/open-telemetry.ts' },
};

/** Where sockets may be made: packages, and files. Types may be named by nobody else either. */
const KNOW_SOCKETS = [
  'packages/core/src/',
  'packages/testkit/src/',
  'packages/client/src/tcp-transport.ts',
  'packages/client/src/tls-trust.ts',
  'packages/cli/src/chaos/',
  'packages/server/src/storage/root-lock.ts',
];

/** What a protocol, and what it shares with its siblings, may import of the server. */
const PROTOCOL_MAY_IMPORT = [
  /^packages\/server\/src\/(protocol|answers|log|log-stream|peer-network|server-controls|speed-limits|flood-places|address-network)\.ts$/,
  /^packages\/server\/src\/coordination\/(answer|coordinator)\.ts$/,
  /^packages\/server\/src\/(hooks|logging)\//,
  /^packages\/server\/src\/storage\//,
  /^packages\/server\/src\/protocols\/(?!.*-protocol\.ts$)/,
  /^@sluice\/(wire|files)$/,
  /^node:/,
];

/** `isIP` and its kin, and `BlockList`, know texts, not sockets. */
const READS_ADDRESSES = /^import \{ (?:BlockList|isIP(?:v4|v6)?)(?:, isIP(?:v4|v6)?)* \} from 'node:net';$/gm;

interface Import {
  /** From the root of the repository. */
  readonly file: string;
  /** A file from the root of the repository, `node:x`, or the name of a package. */
  readonly target: string;
}

interface SourceFile {
  readonly file: string;
  readonly text: string;
  readonly imports: readonly Import[];
}

const STATIC =
  /^(?:import|export)\s+(?:type\s+)?(?:[\w$]+\s*,\s*)?(?:\*(?:\s+as\s+[\w$]+)?|\{[^}]*\}|[\w$]+)\s+from\s+['"]([^'"]+)['"]/gm;
const SIDE_EFFECT = /^import\s+['"]([^'"]+)['"]/gm;
const CALLED = /\b(?:import|require|getBuiltinModule)\(\s*['"]([^'"]+)['"]/g;

function readImports(file: string, text: string): Import[] {
  const specifiers = [STATIC, SIDE_EFFECT, CALLED].flatMap((pattern) =>
    [...text.matchAll(pattern)].map((match) => match[1]!),
  );
  return specifiers.map((specifier) => ({ file, target: resolve(file, specifier) }));
}

/** What is loaded with a file, before anything of it runs. */
function loadedAtOnce(file: string, text: string): Import[] {
  return readImports(file, text.replace(/^(?:import|export) type \{[^}]*\} from .*$/gm, '').replace(CALLED, ''));
}

function resolve(file: string, specifier: string): string {
  if (specifier.startsWith('.')) {
    const stem = path.posix.join(path.posix.dirname(file), specifier).replace(/\.js$/, '');
    const target = [`${stem}.ts`, `${stem}.tsx`].find((each) => existsSync(path.join(root, each)));
    assert.ok(target, `${file} imports ${specifier}, which is not there`);
    return target;
  }
  return builtinModules.includes(specifier) ? `node:${specifier}` : specifier;
}

function sourcesOf(name: string): SourceFile[] {
  const folder = path.join(root, 'packages', name, 'src');
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((file) => /\.[mc]?tsx?$/.test(file))
    .map((relative) => {
      const file = `packages/${name}/src/${relative.split(path.sep).join('/')}`;
      const text = readFileSync(path.join(root, file), 'utf8');
      return { file, text, imports: readImports(file, text) };
    });
}

interface Manifest {
  readonly name: string;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
  readonly peerDependenciesMeta?: Readonly<Record<string, { readonly optional?: boolean }>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

function manifestOf(name: string): Manifest {
  return JSON.parse(readFileSync(path.join(root, 'packages', name, 'package.json'), 'utf8')) as Manifest;
}

const names = readdirSync(path.join(root, 'packages')).sort();
const sources = new Map(names.map((name) => [name, sourcesOf(name)]));
const files = [...sources.values()].flat();
const imports = files.flatMap((source) => source.imports);

function isOwn(target: string): boolean {
  return target.startsWith('packages/');
}

/** `@scope/name` or `name`, without the path behind it. */
function packageOf(target: string): string {
  return target
    .split('/')
    .slice(0, target.startsWith('@') ? 2 : 1)
    .join('/');
}

function shown(found: readonly Import[]): string[] {
  return found.map(({ file, target }) => `${file} imports ${target}`);
}

describe('imports', () => {
  it('are all seen by this test', () => {
    assert.deepEqual(
      readImports('packages/core/src/x.ts', SAMPLE)
        .map(({ target }) => target)
        .sort(),
      [
        '@sluice/a',
        '@sluice/b',
        '@sluice/c',
        '@sluice/d',
        '@sluice/e',
        '@sluice/f',
        '@sluice/g',
        '@sluice/h',
        'node:fs',
        'node:net',
      ],
    );
    for (const { file, text, imports: seen } of files) {
      const begun = text.match(/^import\b/gm)?.length ?? 0;
      const from = text.match(/^(?:import|export)[\s{*].*\bfrom\b|^\} from /gm)?.length ?? 0;
      assert.ok(seen.length >= Math.max(begun, from), `${file}: an import was missed`);
      assert.doesNotMatch(text, /\bimport\((?!\s*['"])/, `${file}: an import whose target cannot be read`);
    }
  });

  it('have a line in the table for every package', () => {
    assert.deepEqual(names, Object.keys(MAY_IMPORT).sort());
  });

  for (const [name, allowed] of Object.entries(MAY_IMPORT)) {
    it(`of ${name} are in the table`, () => {
      const forbidden = (sources.get(name) ?? []).flatMap((source) =>
        source.imports.filter(({ target }) => {
          if (isOwn(target)) return !target.startsWith(`packages/${name}/src/`);
          return !allowed.includes(target.startsWith('node:') ? 'node:' : target);
        }),
      );
      assert.deepEqual(shown(forbidden), []);
    });

    it(`of ${name} are its dependencies, no more and no fewer`, () => {
      const manifest = manifestOf(name);
      const imported = (sources.get(name) ?? [])
        .flatMap((source) => source.imports.map(({ target }) => target))
        .filter((target) => !isOwn(target) && !target.startsWith('node:'))
        .map(packageOf);
      const peers = Object.keys(OPTIONAL_PEERS[name] ?? {});
      const needed = new Set(imported.filter((target) => !peers.includes(target)));
      assert.equal(manifest.name, `@sluice/${name}`);
      const tools = BUNDLED[name];
      const declared = Object.keys((tools ? manifest.devDependencies : manifest.dependencies) ?? {});
      assert.deepEqual(declared.sort(), [...new Set([...needed, ...(tools ?? [])])].sort());
      if (tools) assert.equal(manifest.dependencies, undefined);
      assert.deepEqual(Object.keys(manifest.peerDependencies ?? {}), peers);
      for (const peer of peers) assert.equal(manifest.peerDependenciesMeta?.[peer]?.optional, true);
      assert.equal(manifest.optionalDependencies, undefined);
    });
  }

  it('of optional peers are made by one file, and only when it is asked to', () => {
    for (const [name, peers] of Object.entries(OPTIONAL_PEERS)) {
      for (const [peer, owner] of Object.entries(peers)) {
        const importers = sources.get(name)!.filter(({ imports }) => imports.some(({ target }) => target === peer));
        assert.deepEqual(
          importers.map(({ file }) => file),
          [owner],
        );
        for (const { file, text } of importers)
          assert.ok(loadedAtOnce(file, text).every(({ target }) => target !== peer));
      }
    }
  });

  it('of framing, wire and core are of no third party', () => {
    for (const name of ['framing', 'wire', 'core']) {
      for (const dependency of Object.keys(manifestOf(name).dependencies ?? {})) assert.match(dependency, /^@sluice\//);
    }
  });

  it('of node:net are made only where sockets are known; elsewhere only to read addresses', () => {
    const forbidden = files
      .filter(({ file }) => !KNOW_SOCKETS.some((place) => file.startsWith(place)))
      .flatMap(({ file, text }) => readImports(file, text.replace(READS_ADDRESSES, '')))
      .filter(({ target }) => /^node:(net|tls|dgram)$/.test(target));
    assert.deepEqual(shown(forbidden), []);
  });

  it('of a protocol are the contract, storage and what protocols share: never core, never another protocol', () => {
    const forbidden = imports.filter(
      ({ file, target }) =>
        file.startsWith('packages/server/src/protocols/') &&
        !PROTOCOL_MAY_IMPORT.some((allowed) => allowed.test(target)),
    );
    assert.deepEqual(shown(forbidden), []);
  });

  it('of protocols are made by sluice-server.ts alone', () => {
    const forbidden = imports.filter(
      ({ file, target }) =>
        target.startsWith('packages/server/src/protocols/') &&
        !file.startsWith('packages/server/src/protocols/') &&
        file !== 'packages/server/src/sluice-server.ts',
    );
    assert.deepEqual(shown(forbidden), []);
  });

  it('of other packages are made by the command only when it knows what it is asked for', () => {
    const reached = new Set(['packages/cli/src/main.ts']);
    for (const file of reached) {
      const text = sources.get('cli')!.find((source) => source.file === file)!.text;
      for (const { target } of loadedAtOnce(file, text)) if (isOwn(target)) reached.add(target);
    }
    assert.ok(reached.size > 20);
    const early = [...reached].flatMap((file) => {
      const { text } = sources.get('cli')!.find((source) => source.file === file)!;
      return loadedAtOnce(file, text).filter(({ target }) => !isOwn(target) && !target.startsWith('node:'));
    });
    assert.deepEqual(shown(early), []);
  });

  it('of an index.ts are made by no file of its own package', () => {
    assert.deepEqual(shown(imports.filter(({ target }) => /^packages\/[^/]+\/src\/index\.ts$/.test(target))), []);
    assert.deepEqual(
      shown(imports.filter(({ file, target }) => target === `@sluice/${file.split('/')[1]}`)),
      [],
      'by its package name',
    );
  });
});

describe('packages', () => {
  it('framing and wire are compiled without the types of any platform', () => {
    for (const name of ['framing', 'wire']) {
      const config = JSON.parse(readFileSync(path.join(root, 'packages', name, 'tsconfig.json'), 'utf8'));
      assert.deepEqual(config.compilerOptions.types, [], name);
    }
    for (const { file, text } of [...sources.get('framing')!, ...sources.get('wire')!]) {
      assert.doesNotMatch(text, /\/\/\/\s*<reference|\bNodeJS\./, file);
    }
  });

  it('list their names in an index.ts that does nothing else', () => {
    for (const name of names) {
      const index = files.find(({ file }) => file === `packages/${name}/src/index.ts`);
      assert.ok(index, `${name} has no index.ts`);
      const rest = index.text
        .replace(/\/\*[\s\S]*?\*\//g, '')
        .replace(/^export (?:type )?\{[^}]*\} from '\.[^']*';$/gm, '')
        .trim();
      assert.equal(rest, '', `packages/${name}/src/index.ts does more than to name`);
    }
  });

  it('have no default exports', () => {
    for (const { file, text } of files) {
      assert.doesNotMatch(text, /^export default\b|\bas default\b|^export =/m, file);
    }
  });
});

const SAMPLE = `
import { a } from '@sluice/a';
import type { B } from "@sluice/b";
import {
  c,
  type D,
} from '@sluice/c';
import net from 'node:net';
import * as fs from 'fs';
import '@sluice/d';
export { e } from '@sluice/e';
export type { F } from '@sluice/f';
export * from '@sluice/g';
const h = await import('@sluice/h');
`;
