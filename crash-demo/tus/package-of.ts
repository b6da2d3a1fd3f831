import { createRequire } from 'node:module';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { repositoryRoot } from '../repository.js';

const { resolve } = createRequire(path.join(repositoryRoot, 'rivals', 'package.json'));

/** Imports a package from the folder of the rivals, where it is when `npm run rivals` has been run. */
export async function packageOf<T>(name: string): Promise<T> {
  return (await import(pathToFileURL(resolve(name)).href)) as T;
}
