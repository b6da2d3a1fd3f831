import { defineCommand } from '../command.js';
import type { OptionTable } from '../options/option-table.js';

export const userOptions = {
  users: {
    kind: 'string',
    placeholder: 'FILE',
    summary: 'the file, as serve --users takes it; add makes it if it is missing',
  },
  root: {
    kind: 'string',
    placeholder: 'DIR',
    default: './files',
    summary: 'without --users, the own file of the server for this directory: DIR/.sluice/users.json',
  },
  'password-file': {
    kind: 'string',
    placeholder: 'FILE',
    summary: 'file whose first line is the new password',
  },
  generate: { kind: 'flag', summary: 'make a random password, and print it on standard output, this once' },
  json: { kind: 'flag', summary: 'list: one JSON object per line, with the names as they are' },
} as const satisfies OptionTable;

export const user = defineCommand({
  name: 'user',
  summary: 'Add, change, remove and list the users of a server',
  usage: 'add NAME | passwd NAME | rm NAME | list',
  notes: [
    'add and passwd take the new password from --password-file, make it with --generate, or ask for it on the terminal, twice. ' +
      'SLUICE_PASSWORD is not read: it is what the other commands log in with.',
    'A server reads its users at the start only. What add, passwd and rm change counts when the server is started again; until then ' +
      'a running server accepts a removed user and an old password, and no new one.',
    'list prints one name per line; control characters in names are shown as \\e or \\x07.',
  ],
  options: userOptions,
  examples: [
    { line: 'sluice user add ada', purpose: 'to ./files/.sluice/users.json, with a password that is asked for' },
    { line: 'sluice user passwd ada --generate', purpose: 'a new random password, printed once' },
    { line: 'sluice user list --users users.json', purpose: 'who is in a file for serve --users' },
  ],
  async run(invocation) {
    const { user } = await import('../users/user.js');
    return await user(invocation);
  },
});
