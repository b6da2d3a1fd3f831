import type { CommandDefinition } from './command.js';
import { get } from './commands/get.js';
import { ls } from './commands/ls.js';
import { mkdir } from './commands/mkdir.js';
import { put } from './commands/put.js';
import { rm } from './commands/rm.js';
import { serve } from './commands/serve.js';
import { user } from './commands/user.js';

/** All subcommands, in the order of the help. */
export const commands: readonly CommandDefinition[] = [serve, user, put, get, ls, mkdir, rm];
