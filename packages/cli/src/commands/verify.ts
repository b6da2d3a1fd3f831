import { defineCommand } from '../command.js';
import type { OptionTable } from '../options/option-table.js';
import { clientOptions } from './client-options.js';

export const verifyOptions = {
  recursive: { kind: 'flag', short: 'r', summary: 'all files in directories' },
  local: { kind: 'string', placeholder: 'PATH', summary: 'compare with this file, with -r with this directory, too' },
  parallel: {
    kind: 'integer',
    short: 'p',
    placeholder: 'N',
    min: 1,
    max: 16,
    default: 2,
    summary: 'files at once; a server reads two at once for all clients together',
  },
  json: { kind: 'flag', summary: 'one JSON object per line on standard output' },
  quiet: { kind: 'flag', short: 'q', summary: 'nothing but what is wrong' },
  ...clientOptions,
} as const satisfies OptionTable;

export const verify = defineCommand({
  name: 'verify',
  summary: 'Check files on the server for damage',
  usage: 'URL...',
  notes: [
    'URL is sluice://user@host:port/path, or a path below SLUICE_URL. The server reads each file from its disk and compares it with what it has ' +
      'recorded of it. A file of which nothing is recorded, or that somebody has changed since, is recorded as it is now: the next run checks it.',
    'Exit code 1, or 3 if other files are as they should be, when a file is damaged or is not as it is here.',
  ],
  options: verifyOptions,
  examples: [
    { line: 'sluice verify backup.tar', purpose: 'a file below SLUICE_URL' },
    { line: 'sluice verify -r backups', purpose: 'all files below a directory' },
    {
      line: 'sluice verify -r --local photos sluice://ada@files.example/photos',
      purpose: 'also compare with what is here',
    },
  ],
  async run(invocation) {
    const { verify } = await import('../verification/verify.js');
    return await verify(invocation);
  },
});
