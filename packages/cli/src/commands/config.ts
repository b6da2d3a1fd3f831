import { defineCommand } from '../command.js';
import { usageError } from '../command-error.js';
import { serve } from './serve.js';

export const config = defineCommand({
  name: 'config',
  summary: 'Check or show the options that a server would have',
  usage: 'check | show [options of serve]',
  notes: [
    'check looks at the command line, the environment and the file of --config, at the root, the users and the certificates, and prints ' +
      'everything that is wrong; it ends with 0 if nothing is. show prints every option as a file for --config would have it, with where it ' +
      'comes from; passwords are left out.',
  ],
  options: serve.options,
  examples: [
    { line: 'sluice config check --config /etc/sluice.toml', purpose: 'before a restart' },
    { line: 'sluice config show > sluice.toml', purpose: 'a file to begin with' },
  ],
  async runWith(argv) {
    const { runConfig } = await import('../configuration/config-command.js');
    return await runConfig(argv);
  },
  async run() {
    throw usageError('config needs to know what to do: check or show');
  },
});
