import type { Contender } from './contender.js';
import { limitWithLoad } from './limit.js';
import { nginxReader } from './nginx-reader.js';
import { plainHttp } from './plain-http.js';
import type { Reader } from './reader.js';
import { rsync, rsyncFsync } from './rsync.js';
import { sftp, sftpTree } from './sftp.js';
import { sluiceCommand, sluiceSdk, sluiceWithLoad } from './sluice.js';
import { sluiceReader, sluiceSdkReader } from './sluice-readers.js';
import { sluiceTreeCommand, sluiceTreeSdk } from './sluice-trees.js';
import { ssh2Reader } from './ssh2-reader.js';
import type { TreeMover } from './tree-mover.js';
import { sluiceTus, tus } from './tus.js';

/** In the order of the table. */
export const CONTENDERS: readonly Contender[] = [
  limitWithLoad(32),
  limitWithLoad(256),
  sluiceWithLoad(32),
  sluiceWithLoad(256),
  sluiceSdk,
  sluiceCommand,
  sluiceTus,
  plainHttp,
  tus,
  sftp,
];

/** In the order of the table. */
export const READERS: readonly Reader[] = [sluiceSdkReader, sluiceReader, ssh2Reader, nginxReader];

/** In the order of the table. */
export const TREE_MOVERS: readonly TreeMover[] = [sluiceTreeSdk, sluiceTreeCommand, rsync, rsyncFsync, sftpTree];
