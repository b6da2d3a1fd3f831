import path from 'node:path';
import { fileURLToPath } from 'node:url';

/** Compiled files run from build/soak. */
export const repositoryRoot = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..', '..');

/** The shipped command. */
export const sluiceCommand = path.join(repositoryRoot, 'packages/cli/bin/sluice.js');
