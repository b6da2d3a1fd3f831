import type { Attacker } from '../attacker.js';
import type { SuiteName } from '../suites.js';
import { descriptors } from './descriptors.js';
import { halfOpen } from './half-open.js';
import { hugePrefix } from './huge-prefix.js';
import { rstStorm } from './rst-storm.js';
import { silentTls } from './silent-tls.js';
import { slowRead } from './slow-read.js';
import { slowloris } from './slowloris.js';
import { storm } from './storm.js';

export const attackers: Readonly<Record<SuiteName, Attacker>> = {
  slowloris,
  'slow-read': slowRead,
  'huge-prefix': hugePrefix,
  storm,
  'half-open': halfOpen,
  'rst-storm': rstStorm,
  descriptors,
  'silent-tls': silentTls,
};
