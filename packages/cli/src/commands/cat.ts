import { defineCommand } from '../command.js';
import type { OptionTable } from '../options/option-table.js';
import { clientOptions } from './client-options.js';

const MAX_BYTES = Number.MAX_SAFE_INTEGER;

export const catOptions = {
  offset: {
    kind: 'bytes',
    placeholder: 'SIZE',
    min: 0,
    max: MAX_BYTES,
    default: 0,
    summary: 'begin so many bytes behind the beginning',
  },
  tail: {
    kind: 'bytes',
    placeholder: 'SIZE',
    min: 0,
    max: MAX_BYTES,
    summary: 'begin so many bytes in front of the end; in place of --offset',
  },
  length: { kind: 'bytes', placeholder: 'SIZE', min: 0, max: MAX_BYTES, summary: 'end after so many bytes' },
  follow: { kind: 'flag', short: 'f', summary: 'go on as the file grows, also when the link breaks' },
  ...clientOptions,
} as const satisfies OptionTable;

export const cat = defineCommand({
  name: 'cat',
  summary: 'Write a file, or a part of it, to standard output',
  usage: 'URL',
  notes: [
    'URL is sluice://user@host:port/path, or a path below SLUICE_URL. A broken link is mended; when the file has changed meanwhile, the command ' +
      'fails. With --follow it looks at the file twice a second, and has it open only while it reads: others may write to it. A file that ' +
      'becomes shorter is begun again, one that is missing for a while is waited for.',
  ],
  options: catOptions,
  examples: [
    { line: 'sluice cat notes.txt', purpose: 'a file below SLUICE_URL' },
    { line: 'sluice cat --offset 1g --length 512 disk.img | xxd', purpose: '512 bytes from the middle' },
    { line: 'sluice cat -f --tail 4k logs/today.log', purpose: 'the end, and what is added' },
  ],
  async run(invocation) {
    const { cat } = await import('../remote-files/cat.js');
    return await cat(invocation);
  },
});
