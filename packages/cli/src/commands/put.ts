import { defineCommand } from '../command.js';
import type { OptionTable } from '../options/option-table.js';
import { transferOptions } from './client-options.js';

export const putOptions = {
  ...transferOptions,
  force: { kind: 'flag', short: 'f', summary: 'replace a file on the server that is longer than the local one' },
} as const satisfies OptionTable;

export const put = defineCommand({
  name: 'put',
  summary: 'Upload files and directories',
  usage: 'SOURCE... [TARGET]',
  notes: [
    'TARGET is sluice://user@host:port/path, or :path below SLUICE_URL; without one, SLUICE_URL itself. It is a directory, made if ' +
      'need be, when it ends in / or there are several sources; else it is the new name. SOURCE - is standard input.',
    'A run that was broken off goes on where it stopped when the same command is given again.',
    'In directories, symbolic links and what is neither a file nor a directory are skipped with a warning.',
  ],
  options: putOptions,
  examples: [
    { line: 'sluice put backup.tar sluice://admin@files.example/backups/', purpose: 'into a directory' },
    { line: 'sluice put -r photos :', purpose: 'a whole directory, below SLUICE_URL' },
    { line: 'pg_dump shop | sluice put - :shop.sql', purpose: 'what another command writes' },
  ],
  async run(invocation) {
    const { put } = await import('../transfers/put.js');
    return await put(invocation);
  },
});
