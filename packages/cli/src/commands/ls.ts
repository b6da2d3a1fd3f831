import { defineCommand } from '../command.js';
import type { OptionTable } from '../options/option-table.js';
import { clientOptions } from './client-options.js';

export const lsOptions = {
  recursive: { kind: 'flag', short: 'r', summary: 'what is in the directories, too' },
  long: { kind: 'flag', short: 'l', summary: 'with sizes, in bytes' },
  human: { kind: 'flag', short: 'h', summary: 'with sizes for people, like 12.3 MiB' },
  json: { kind: 'flag', summary: 'one JSON object per line, with the names as they are' },
  ...clientOptions,
} as const satisfies OptionTable;

export const ls = defineCommand({
  name: 'ls',
  summary: 'List a directory',
  usage: '[URL]',
  notes: [
    'URL is sluice://user@host:port/path, or a path below SLUICE_URL; without one, SLUICE_URL itself. Directories end in /. Control ' +
      'characters in names are shown as \\n, \\e or \\x07.',
  ],
  options: lsOptions,
  examples: [
    { line: 'sluice ls sluice://admin@files.example/', purpose: 'the root of a server' },
    { line: 'sluice ls -rh photos', purpose: 'a directory below SLUICE_URL with all that is in it' },
  ],
  async run(invocation) {
    const { ls } = await import('../directories/ls.js');
    return await ls(invocation);
  },
});
