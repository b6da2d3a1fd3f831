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
  'no-digest': {
    kind: 'flag',
    summary: 'add, passwd: keep nothing by which old clients could log in, which send the MD5 digest of the password',
  },
  role: {
    kind: 'choice',
    placeholder: 'ROLE',
    choices: ['admin', 'user', 'read-only'],
    default: 'user',
    summary: 'add, set: admin, who also acts on others and on the server; user; or read-only',
  },
  'user-root': {
    kind: 'string',
    placeholder: 'DIR',
    summary: "add, set: the user's root, below that of the server, like home/ada; / for the server's itself",
  },
  quota: {
    kind: 'string',
    placeholder: 'SIZE',
    summary: "add, set: how much may be below the user's root, like 10G; none for no limit",
  },
  expires: {
    kind: 'string',
    placeholder: 'TIME',
    summary: 'add, set: when the user may log in no more, like 2027-01-31 or 2027-01-31T12:00:00Z; never takes it back',
  },
  generate: { kind: 'flag', summary: 'make a random password, and print it on standard output, this once' },
  json: { kind: 'flag', summary: 'list: one JSON object per line, with the names as they are' },
} as const satisfies OptionTable;

export const user = defineCommand({
  name: 'user',
  summary: 'Add, change, remove and list the users of a server',
  usage: 'add NAME | passwd NAME | set NAME | disable NAME | enable NAME | rm NAME | list',
  notes: [
    'add and passwd take the new password from --password-file, make it with --generate, or ask for it on the terminal, twice. ' +
      'SLUICE_PASSWORD is not read: it is what the other commands log in with.',
    'A running server sees a change within some seconds. Connections end of users who are removed, disabled or expired, or have another ' +
      'password or root; a new role or quota holds from then on.',
    'list shows a table, or one JSON object per line; control characters in names are shown as \\e or \\x07.',
  ],
  options: userOptions,
  examples: [
    { line: 'sluice user add ada', purpose: 'to ./files/.sluice/users.json, with a password that is asked for' },
    { line: 'sluice user passwd ada --generate', purpose: 'a new random password, printed once' },
    { line: 'sluice user set ada --user-root home/ada --quota 10G', purpose: 'a place of her own, and how much of it' },
    { line: 'sluice user list --users users.json', purpose: 'who is in a file for serve --users' },
  ],
  async run(invocation) {
    const { user } = await import('../users/user.js');
    return await user(invocation);
  },
});
