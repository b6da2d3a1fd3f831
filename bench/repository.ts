import path from 'node:path';
import { fileURLToPath } from 'node:url';

/** Compiled files run from build/bench; C sources and results stay in bench. */
export const buildDirectory = path.dirname(fileURLToPath(import.meta.url));
export const repositoryRoot = path.resolve(buildDirectory, '..', '..');
export const benchDirectory = path.join(repositoryRoot, 'bench');
