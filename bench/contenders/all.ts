import type { Contender } from './contender.js';
import { limit } from './limit.js';
import { plainHttp } from './plain-http.js';
import { sftp } from './sftp.js';
import { sluiceCommand, sluiceWithLoad } from './sluice.js';

/** In the order of the table. The first and the plain Node server are what the others are compared with. */
export const CONTENDERS: readonly Contender[] = [
  limit,
  sluiceWithLoad(32),
  sluiceWithLoad(256),
  sluiceCommand,
  plainHttp,
  sftp,
];
