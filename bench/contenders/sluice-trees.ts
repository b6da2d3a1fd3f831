import path from 'node:path';
import { repositoryRoot } from '../repository.js';
import { CONTENT_DIRECTORY } from '../scratch.js';
import { runCommandClient } from './command-client.js';
import { runGated } from './load-client.js';
import { password, sdkLoad, startSluice, unavailable, user } from './sluice.js';
import { TREE_FILE_BYTES, type TreeMover } from './tree-mover.js';

const command = path.join(repositoryRoot, 'node_modules', '.bin', 'sluice');

/** Sluice at both ends. */
export const sluiceTreeCommand: TreeMover = {
  name: 'sluice-tree',
  description: 'sluice serve; sluice put -r and get -r, whole command; every file on the disk before the answer',
  synced: 'all',
  ...unavailable,
  start: startSluice,
  move: ({ port }, { direction, source, name, fetchedDirectory, deadlineMs }, onStart) => {
    const url = `sluice://${user}:${password}@127.0.0.1:${port}/${CONTENT_DIRECTORY}/`;
    const args =
      direction === 'upload'
        ? ['put', '-q', '-r', source, url]
        : ['get', '-q', '-r', `${url}${name}`, `${fetchedDirectory}/`];
    return runCommandClient(command, args, deadlineMs, onStart);
  },
};

/** Sluice as a program that uses its SDK sees it: connected before the clock starts. */
export const sluiceTreeSdk: TreeMover = {
  name: 'sluice-tree-sdk',
  description: 'sluice serve; uploadTree and downloadTree of the SDK; every file on the disk before the answer',
  synced: 'all',
  ...unavailable,
  start: startSluice,
  move: (
    { port },
    { direction, files, source, warmUpSource, warmUpName, name, fetchedDirectory, deadlineMs },
    onStart,
  ) => {
    const isUpload = direction === 'upload';
    const options = {
      what: 'tree',
      url: `sluice://${user}:${password}@127.0.0.1:${port}/`,
      direction,
      remote: `${CONTENT_DIRECTORY}/${name}`,
      local: isUpload ? source : path.join(fetchedDirectory, name),
      'warm-up-remote': `${CONTENT_DIRECTORY}/${warmUpName}`,
      'warm-up-local': isUpload ? warmUpSource : path.join(fetchedDirectory, warmUpName),
      'deadline-seconds': String(Math.ceil(deadlineMs / 1000)),
    };
    return runGated(sdkLoad(options), files * TREE_FILE_BYTES, deadlineMs, onStart);
  },
};
