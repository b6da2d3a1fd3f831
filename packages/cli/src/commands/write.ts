import { defineCommand } from '../command.js';
import type { OptionTable } from '../options/option-table.js';
import { clientOptions } from './client-options.js';

export const writeOptions = {
  offset: {
    kind: 'bytes',
    placeholder: 'SIZE',
    min: 0,
    max: Number.MAX_SAFE_INTEGER,
    default: 0,
    summary: 'where the first byte goes: so many bytes behind the beginning',
  },
  truncate: { kind: 'flag', summary: 'the file ends behind what was written' },
  json: { kind: 'flag', summary: 'one JSON object on standard output' },
  quiet: { kind: 'flag', short: 'q', summary: 'nothing but errors' },
  ...clientOptions,
} as const satisfies OptionTable;

export const write = defineCommand({
  name: 'write',
  summary: 'Write standard input into a file, anywhere in it',
  usage: 'URL',
  notes: [
    'URL is sluice://user@host:port/path, or a path below SLUICE_URL. The file is changed in its place: what is not written over stays, and ' +
      'it is made if it is missing. Meanwhile nobody else may have it open. The command ends when everything is on the disk of the server; an ' +
      'original server cannot tell, and the result says so. To replace a whole file, use put.',
  ],
  options: writeOptions,
  examples: [
    { line: 'sluice write --offset 1g disk.img < block', purpose: 'a part of a file below SLUICE_URL' },
    { line: 'date | sluice write --truncate stamp.txt', purpose: 'all of a small file' },
  ],
  async run(invocation) {
    const { write } = await import('../remote-files/write.js');
    return await write(invocation);
  },
});
