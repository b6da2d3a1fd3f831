import type { CommandDefinition } from './command.js';
import { serve } from './commands/serve.js';

/** All subcommands, in the order of the help. */
export const commands: readonly CommandDefinition[] = [serve];
