import { defineCommand } from '../command.js';
import type { OptionTable } from '../options/option-table.js';
import { clientOptions } from './client-options.js';

export const mvOptions = {
  force: { kind: 'flag', short: 'f', summary: 'replace a file that has the new name; a directory is never replaced' },
  ...clientOptions,
} as const satisfies OptionTable;

export const mv = defineCommand({
  name: 'mv',
  summary: 'Rename a file or directory, or move it to another directory',
  usage: 'SOURCE TARGET',
  notes: [
    'SOURCE and TARGET are sluice://user@host:port/path, or paths below SLUICE_URL, on the same server. With a / at its end, TARGET is a directory that SOURCE moves into.',
    'The directory of TARGET must exist. What the server has recorded of a file goes with it.',
  ],
  options: mvOptions,
  examples: [
    { line: 'sluice mv report.tmp report.pdf', purpose: 'a file below SLUICE_URL' },
    { line: 'sluice mv backups/2025 archive/', purpose: 'a directory, with all that is in it, into another one' },
  ],
  async run(invocation) {
    const { mv } = await import('../directories/mv.js');
    return await mv(invocation);
  },
});
