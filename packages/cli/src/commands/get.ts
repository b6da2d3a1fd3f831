import { defineCommand } from '../command.js';
import type { OptionTable } from '../options/option-table.js';
import { transferOptions } from './client-options.js';

export const getOptions = {
  streams: {
    kind: 'integer',
    placeholder: 'N',
    min: 1,
    max: 64,
    default: 4,
    summary: 'connections over which the parts of one large file come, if the server can send parts',
  },
  'if-exists': {
    kind: 'choice',
    placeholder: 'WHAT',
    choices: ['replace', 'fail', 'skip', 'newer'],
    default: 'replace',
    summary:
      'what to do with a target that is there: replace it, when the new file is complete; fail; skip the download; newer, replace it only by a ' +
      'newer file',
  },
  'no-preserve': {
    kind: 'flag',
    summary: "leave the time of last change and the permissions of the server's file: a new file's are given",
  },
  ...transferOptions,
} as const satisfies OptionTable;

export const get = defineCommand({
  name: 'get',
  summary: 'Download files and directories',
  usage: 'SOURCE... [TARGET]',
  notes: [
    'SOURCE is sluice://user@host:port/path, or :path below SLUICE_URL. TARGET is a local file or directory, by default this directory; ' +
      'several sources need a directory, which is made if need be. TARGET - is standard output, for one file.',
    'A file appears under its name when it is complete. A run that was broken off goes on where it stopped when the same command is given again; ' +
      'parts that the file to be replaced has already are not fetched.',
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
