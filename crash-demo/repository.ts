import path from 'node:path';
import { fileURLToPath } from 'node:url';

/** Compiled files run from build/crash-demo. */
export const buildDirectory = path.dirname(fileURLToPath(import.meta.url));
export const repositoryRoot = path.resolve(buildDirectory, '..', '..');
