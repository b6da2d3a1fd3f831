import { defineCommand } from '../command.js';
import type { OptionTable } from '../options/option-table.js';
import { clientOptions } from './client-options.js';

const ADMIN_NOTE = 'URL is sluice://user@host:port/; without one, SLUICE_URL. Needs a user with the role admin.';

export const drainOptions = {
  grace: {
    kind: 'duration',
    placeholder: 'TIME',
    min: 0,
    max: 86_400_000,
    summary: 'how long running transfers may go on; without it, as the server was told at its start',
  },
  ...clientOptions,
} as const satisfies OptionTable;

export const serverOptions = clientOptions satisfies OptionTable;

export const drain = defineCommand({
  name: 'drain',
  summary: 'Let a server finish its transfers and end',
  usage: '[URL]',
  notes: ['As SIGTERM does it. The command is done when the server has begun.', ADMIN_NOTE],
  options: drainOptions,
  examples: [{ line: 'sluice drain --grace 5m', purpose: 'running transfers get five minutes' }],
  async run(invocation) {
    const { drain } = await import('../operators/server-actions.js');
    return await drain(invocation);
  },
});

export const reload = defineCommand({
  name: 'reload',
  summary: 'Let a server read its users and certificates anew',
  usage: '[URL]',
  notes: [
    'As SIGHUP does it. What is bad leaves that part of the server as it was, and is reported. A server with several workers then starts new ones, ' +
      'and the old ones end when what is begun is done.',
    ADMIN_NOTE,
  ],
  options: serverOptions,
  examples: [{ line: 'sluice reload', purpose: 'after a change of the users file' }],
  async run(invocation) {
    const { reload } = await import('../operators/server-actions.js');
    return await reload(invocation);
  },
});

export const readOnly = defineCommand({
  name: 'read-only',
  summary: 'Show or change whether a server refuses changes of its files',
  usage: '[URL] [on|off]',
  notes: [
    'While it is on, uploads that are open may end, and no other begins. It is off again when the server starts again.',
    ADMIN_NOTE,
  ],
  options: serverOptions,
  examples: [{ line: 'sluice read-only on', purpose: 'for a backup of the directory' }],
  async run(invocation) {
    const { readOnly } = await import('../operators/server-actions.js');
    return await readOnly(invocation);
  },
});

export const logLevel = defineCommand({
  name: 'log-level',
  summary: 'Show or change what a server logs',
  usage: '[URL] [LEVEL]',
  notes: [
    'LEVEL is error, warn, info or debug. It is as --log-level says again when the server starts again.',
    ADMIN_NOTE,
  ],
  options: serverOptions,
  examples: [{ line: 'sluice log-level debug', purpose: 'to see every connection come and go' }],
  async run(invocation) {
    const { logLevel } = await import('../operators/server-actions.js');
    return await logLevel(invocation);
  },
});
