import { hasCompiler } from '../c-programs.js';
import { runReadsInC, runReadsInNode } from './read-load.js';
import type { Reader } from './reader.js';
import { digest, password, startSluice, unavailable, user } from './sluice.js';

/** Sluice as a program that uses its SDK sees it. */
export const sluiceSdkReader: Reader = {
  name: 'sluice-sdk',
  description: 'sluice serve; readAt of the SDK, in Node',
  ...unavailable,
  start: startSluice,
  read: (server, job, onStart) => runReadsInNode(server, job, { kind: 'sluice', user, password }, onStart),
};

/** Sluice as a lean client sees it. */
export const sluiceReader: Reader = {
  name: 'sluice-c',
  description: 'sluice serve; ReadAt with Tags, load program in C',
  ...(hasCompiler ? unavailable : { unavailable: 'no C compiler (cc)' }),
  start: startSluice,
  read: (server, job, onStart) => runReadsInC(server, job, { kind: 'sluice', user, digest }, onStart),
};
