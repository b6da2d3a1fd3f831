import { spawnSync } from 'node:child_process';
import { statSync } from 'node:fs';
import path from 'node:path';
import { benchDirectory, buildDirectory, repositoryRoot } from './repository.js';

export const hasCompiler = spawnSync('cc', ['--version'], { stdio: 'ignore' }).status === 0;

/**
 * Path of the program compiled from bench/load/NAME.c; compiles when the source is newer.
 *
 * @throws {Error} with the compiler's messages
 */
export function buildCProgram(name: string): string {
  return build(path.join(benchDirectory, 'load', `${name}.c`), name, []);
}

/**
 * The same of a library to be preloaded.
 *
 * @param source from the root of the repository
 * @throws {Error} with the compiler's messages
 */
export function buildSharedLibrary(source: string): string {
  return build(path.join(repositoryRoot, source), `${path.basename(source, '.c')}.so`, ['-shared', '-fPIC', '-ldl']);
}

function build(source: string, name: string, options: readonly string[]): string {
  const built = path.join(buildDirectory, name);
  const builtMs = statSync(built, { throwIfNoEntry: false })?.mtimeMs ?? 0;
  if (builtMs <= statSync(source).mtimeMs) {
    const result = spawnSync('cc', ['-O2', '-Wall', '-o', built, source, ...options], { encoding: 'utf8' });
    if (result.status !== 0) throw new Error(`cc cannot build ${path.basename(source)}:\n${result.stderr}`);
  }
  return built;
}
