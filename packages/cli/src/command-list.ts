import type { CommandDefinition } from './command.js';
import { cat } from './commands/cat.js';
import { chaos } from './commands/chaos.js';
import { clients } from './commands/clients.js';
import { config } from './commands/config.js';
import { explain } from './commands/explain.js';
import { get } from './commands/get.js';
import { kick } from './commands/kick.js';
import { logs } from './commands/logs.js';
import { ls } from './commands/ls.js';
import { mkdir } from './commands/mkdir.js';
import { mv } from './commands/mv.js';
import { partials } from './commands/partials.js';
import { put } from './commands/put.js';
import { rm } from './commands/rm.js';
import { serve } from './commands/serve.js';
import { drain, logLevel, readOnly, reload } from './commands/server-commands.js';
import { speed } from './commands/speed.js';
import { stat } from './commands/stat.js';
import { stats } from './commands/stats.js';
import { sync } from './commands/sync.js';
import { tls } from './commands/tls.js';
import { top } from './commands/top.js';
import { user } from './commands/user.js';
import { verify } from './commands/verify.js';
import { write } from './commands/write.js';

/** All subcommands, in the order of the help. */
export const commands: readonly CommandDefinition[] = [
  serve,
  config,
  user,
  tls,
  put,
  get,
  sync,
  cat,
  write,
  ls,
  stat,
  verify,
  mkdir,
  mv,
  rm,
  speed,
  chaos,
  partials,
  clients,
  top,
  kick,
  explain,
  stats,
  logs,
  drain,
  reload,
  readOnly,
  logLevel,
];
