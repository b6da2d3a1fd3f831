import { spawnSync } from 'node:child_process';
import { statSync } from 'node:fs';
import path from 'node:path';
import { benchDirectory, buildDirectory } from './repository.js';

export const hasCompiler = spawnSync('cc', ['--version'], { stdio: 'ignore' }).status === 0;

/**
 * Path of the program compiled from bench/load/NAME.c; compiles when the source is newer.
 *
 * @throws {Error} with the compiler's messages
 */
export function buildCProgram(name: string): string {
  const source = path.join(benchDirectory, 'load', `${name}.c`);
  const program = path.join(buildDirectory, name);
  const builtMs = statSync(program, { throwIfNoEntry: false })?.mtimeMs ?? 0;
  if (builtMs <= statSync(source).mtimeMs) {
    const result = spawnSync('cc', ['-O2', '-Wall', '-o', program, source], { encoding: 'utf8' });
    if (result.status !== 0) throw new Error(`cc cannot build ${name}.c:\n${result.stderr}`);
  }
  return program;
}
