import { defineCommand } from '../command.js';
import { clientOptions } from './client-options.js';

export const mkdirOptions = clientOptions;

export const mkdir = defineCommand({
  name: 'mkdir',
  summary: 'Make directories',
  usage: 'URL...',
  notes: [
    'URL is sluice://user@host:port/path, or a path below SLUICE_URL. Directories above it are made, too. One that exists is fine.',
  ],
  options: mkdirOptions,
  examples: [{ line: 'sluice mkdir backups/2026', purpose: 'a directory below SLUICE_URL' }],
  async run(invocation) {
    const { mkdir } = await import('../directories/mkdir.js');
    return await mkdir(invocation);
  },
});
