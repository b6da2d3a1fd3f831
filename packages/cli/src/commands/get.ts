import { defineCommand } from '../command.js';
import { transferOptions } from './client-options.js';

export const getOptions = transferOptions;

export const get = defineCommand({
  name: 'get',
  summary: 'Download files and directories',
  usage: 'SOURCE... [TARGET]',
  notes: [
    'SOURCE is sluice://user@host:port/path, or :path below SLUICE_URL. TARGET is a local file or directory, by default this directory; ' +
      'several sources need a directory, which is made if need be. TARGET - is standard output, for one file.',
    'A file appears under its name when it is complete. A run that was broken off goes on where it stopped when the same command is given again.',
  ],
  options: getOptions,
  examples: [
    { line: 'sluice get sluice://admin@files.example/backups/backup.tar', purpose: 'into this directory' },
    { line: 'sluice get -r :photos /mnt/disk/', purpose: 'a whole directory into another one' },
    { line: 'sluice get :shop.sql - | psql shop', purpose: 'for another command to read' },
  ],
  async run(invocation) {
    const { get } = await import('../transfers/get.js');
    return await get(invocation);
  },
});
