import type { Contender } from './contender.js';
import { limitWithLoad } from './limit.js';
import { plainHttp } from './plain-http.js';
import { sftp } from './sftp.js';
import { sluiceCommand, sluiceWithLoad } from './sluice.js';

/** In the order of the table. */
export const CONTENDERS: readonly Contender[] = [
  limitWithLoad(32),
  limitWithLoad(256),
  sluiceWithLoad(32),
  sluiceWithLoad(256),
  sluiceCommand,
  plainHttp,
  sftp,
];
