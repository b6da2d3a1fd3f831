import { readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { runToEnd, startChild } from '../child-processes.js';
import type { Readings } from '../quantities.js';
import type { ReadingsScenario } from '../readings.js';
import { repositoryRoot } from '../repository.js';

const DEADLINE_MS = 60_000;

/** How much is fetched and how much lies on the disk when somebody installs the command, or one package of the framework. */
export const PACKAGE_SIZE_SCENARIO: ReadingsScenario = {
  kind: 'readings',
  name: 'package-size',
  description: 'packages as npm packs them, each with the packages of this project and others that it needs',
  quantities: [
    { name: 'installed KB', better: 'less', digits: 0 },
    { name: 'packed KB', better: 'less', digits: 0 },
    { name: 'packages', better: 'less', digits: 0 },
    { name: 'of others KB', better: 'less', digits: 0 },
  ],
  subjects: ['cli', 'server', 'client', 'core', 'framing'].map((name) => ({
    name: `sluice-${name}`,
    description: `@sluice/${name} with its dependencies`,
    measure: () => sizeOf(`@sluice/${name}`),
  })),
  note: 'Packages of others are told as they are installed; what they are packed is not known without fetching them.',
};

async function sizeOf(root: string): Promise<Readings> {
  const names = withDependencies(root);
  const own = names.filter((name) => name.startsWith('@sluice/'));
  const args = ['pack', '--dry-run', '--json', '--ignore-scripts', ...own.flatMap((name) => ['--workspace', name])];
  const output = await runToEnd(await startChild('npm', args, { cwd: repositoryRoot }), DEADLINE_MS);
  const packed = packsOf(JSON.parse(output));
  const others = names.filter((name) => !own.includes(name)).map((name) => directoryBytes(directoryOf(name)));
  const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
  return {
    'installed KB': (sum(packed.map(({ unpackedSize }) => unpackedSize)) + sum(others)) / 1000,
    'packed KB': sum(packed.map(({ size }) => size)) / 1000,
    packages: names.length,
    'of others KB': sum(others) / 1000,
  };
}

/** npm 11 and earlier print a list, later ones an object by name. */
function packsOf(report: unknown): { size: number; unpackedSize: number }[] {
  return Object.values(report as object);
}

/** The package and all that it needs, each once. */
function withDependencies(root: string): string[] {
  const names = [root];
  for (const name of names) {
    const { dependencies = {} } = JSON.parse(readFileSync(path.join(directoryOf(name), 'package.json'), 'utf8'));
    names.push(...Object.keys(dependencies).filter((dependency) => !names.includes(dependency)));
  }
  return names;
}

function directoryOf(name: string): string {
  return path.join(repositoryRoot, 'node_modules', name);
}

function directoryBytes(directory: string): number {
  let total = 0;
  for (const entry of readdirSync(directory, { withFileTypes: true, recursive: true })) {
    if (entry.isFile()) total += statSync(path.join(entry.parentPath, entry.name)).size;
  }
  return total;
}
