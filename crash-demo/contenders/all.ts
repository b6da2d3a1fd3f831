import type { Contender } from './contender.js';
import { aria2, curlContinue, nginxDav } from './http.js';
import { lftpGet, lftpPut } from './lftp.js';
import { sftpGet, sftpPut } from './openssh.js';
import { rsyncAppend, rsyncAppendVerify, rsyncPartial } from './rsync.js';
import { sluiceGet, sluicePut } from './sluice.js';
import { tus } from './tus.js';

/** In the order of the table. */
export const CONTENDERS: readonly Contender[] = [
  sluicePut,
  sftpPut,
  lftpPut,
  rsyncPartial,
  rsyncAppend,
  rsyncAppendVerify,
  tus,
  nginxDav,
  sluiceGet,
  sftpGet,
  lftpGet,
  curlContinue,
  aria2,
];
