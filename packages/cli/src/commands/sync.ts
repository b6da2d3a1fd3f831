import { defineCommand } from '../command.js';
import type { OptionTable } from '../options/option-table.js';
import { clientOptions } from './client-options.js';

export const syncOptions = {
  delete: { kind: 'flag', summary: 'delete what only the target has, after everything else has succeeded' },
  'dry-run': { kind: 'flag', short: 'n', summary: 'change nothing, say what would be done' },
  checksum: {
    kind: 'flag',
    short: 'c',
    summary: 'compare files of the same size by their content, not by their times',
  },
  'size-only': {
    kind: 'flag',
    summary: 'take files of the same size for the same; with a server of the original protocol, which knows no times',
  },
  include: {
    kind: 'string',
    placeholder: 'PATTERN',
    repeatable: true,
    summary: 'only files that match one of these',
  },
  exclude: {
    kind: 'string',
    placeholder: 'PATTERN',
    repeatable: true,
    summary: 'not what matches one of these; it stays on the target, too',
  },
  links: {
    kind: 'choice',
    placeholder: 'WHAT',
    choices: ['skip', 'follow'],
    default: 'skip',
    summary:
      'symbolic links here: skip, with a note; follow, send the file that one leads to. Links to directories are skipped',
  },
  parallel: {
    kind: 'integer',
    short: 'p',
    placeholder: 'N',
    min: 1,
    max: 64,
    default: 4,
    summary: 'transfers at once',
  },
  json: { kind: 'flag', summary: 'one JSON object per line on standard output' },
  quiet: { kind: 'flag', short: 'q', summary: 'nothing but errors' },
  ...clientOptions,
} as const satisfies OptionTable;

export const sync = defineCommand({
  name: 'sync',
  summary: 'Make a directory on the server like one here, or the other way',
  usage: 'SOURCE TARGET',
  notes: [
    'One of the two is a directory here, the other sluice://user@host:port/path, or :path below SLUICE_URL. What is in SOURCE is put into TARGET, ' +
      'which is made if need be. Files of the same size and time, to the microsecond, are taken for the same; times and permissions are kept.',
    'A PATTERN is a glob: * ? [a-z] {a,b}, and ** through directories. Without / it is compared with names, anywhere; with /, also in front, ' +
      'with paths from the top; with / at its end it matches directories only. An exclude counts more than an include.',
    'With --delete nothing is deleted unless both sides were read completely and every transfer has succeeded. A run that was broken off is ' +
      'made good by the next one.',
  ],
  options: syncOptions,
  examples: [
    { line: 'sluice sync photos sluice://ada@files.example/photos', purpose: 'there as here' },
    { line: 'sluice sync --delete --exclude .git/ . :project', purpose: 'a copy, and nothing else' },
    { line: 'sluice sync -n :photos photos', purpose: 'what would be fetched' },
  ],
  async run(invocation) {
    const { sync } = await import('../sync/sync.js');
    return await sync(invocation);
  },
});
