import { defineCommand } from '../command.js';
import type { OptionTable } from '../options/option-table.js';
import { transferOptions } from './client-options.js';

export const putOptions = {
  ...transferOptions,
  'if-exists': {
    kind: 'choice',
    placeholder: 'WHAT',
    choices: ['replace', 'fail', 'skip', 'newer'],
    default: 'replace',
    summary:
      'a file that has the name already: replace, by the new one when that is complete; fail; skip, keep it; newer, replace it only by one ' +
      'that was changed later',
  },
  streams: {
    kind: 'integer',
    placeholder: 'N',
    min: 1,
    max: 64,
    default: 4,
    summary: 'connections for one file, at most one for every 16 MiB that are to be sent',
  },
  checksum: {
    kind: 'flag',
    short: 'c',
    summary:
      'read the whole file, here and on the server, and compare, also where its size and times say that it is there',
  },
  durability: {
    kind: 'choice',
    placeholder: 'LEVEL',
    choices: ['durable', 'memory'],
    default: 'durable',
    summary: 'when a file counts as sent: durable, it is on the disk of the server; memory, its system has it',
  },
  'when-busy': {
    kind: 'choice',
    placeholder: 'WHAT',
    choices: ['wait', 'refuse'],
    default: 'wait',
    summary: 'while somebody else uploads to the name: wait for the end, or refuse, fail at once',
  },
  'no-preserve': { kind: 'flag', summary: 'leave times and permissions of files to the server' },
  force: {
    kind: 'flag',
    short: 'f',
    summary: 'replace a file that is longer than the local one, on servers that do not stage uploads',
  },
} as const satisfies OptionTable;

export const put = defineCommand({
  name: 'put',
  summary: 'Upload files and directories',
  usage: 'SOURCE... [TARGET]',
  notes: [
    'TARGET is sluice://user@host:port/path, or :path below SLUICE_URL; without one, SLUICE_URL itself. It is a directory, made if ' +
      'need be, when it ends in / or there are several sources; else it is the new name. SOURCE - is standard input.',
    'A run that was broken off goes on where it stopped when the same command is given again. A file is seen on the server only when it is ' +
      'complete; of one that is there already, the parts that differ are sent.',
    'In directories, symbolic links and what is neither a file nor a directory are skipped with a warning.',
  ],
  options: putOptions,
  examples: [
    { line: 'sluice put backup.tar sluice://admin@files.example/backups/', purpose: 'into a directory' },
    { line: 'sluice put -r photos :', purpose: 'a whole directory, below SLUICE_URL' },
    { line: 'sluice put --if-exists newer *.log :logs/', purpose: 'only what has changed since' },
    { line: 'pg_dump shop | sluice put - :shop.sql', purpose: 'what another command writes' },
  ],
  async run(invocation) {
    const { put } = await import('../transfers/put.js');
    return await put(invocation);
  },
});
