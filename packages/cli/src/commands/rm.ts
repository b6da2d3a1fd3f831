import { defineCommand } from '../command.js';
import type { OptionTable } from '../options/option-table.js';
import { clientOptions } from './client-options.js';

export const rmOptions = {
  recursive: { kind: 'flag', short: 'r', summary: 'directories, too, with all that is in them' },
  ...clientOptions,
} as const satisfies OptionTable;

export const rm = defineCommand({
  name: 'rm',
  summary: 'Remove files and directories',
  usage: 'URL...',
  notes: ['URL is sluice://user@host:port/path, or a path below SLUICE_URL. The root is never removed.'],
  options: rmOptions,
  examples: [
    { line: 'sluice rm backup.tar', purpose: 'a file below SLUICE_URL' },
    { line: 'sluice rm -r backups/2024', purpose: 'a directory with all that is in it' },
  ],
  async run(invocation) {
    const { rm } = await import('../directories/rm.js');
    return await rm(invocation);
  },
});
