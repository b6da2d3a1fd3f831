import { defineCommand } from '../command.js';

/**
 * To fill in: `run`. `options` has every value parsed and in range (`listen` is `{ host, port }`, durations are
 * milliseconds); `given.has('root')` tells a root that was asked for from the default one. Import `@sluice/server` with
 * `await import()` inside `run`: this file is loaded by every `sluice` command. `usageError(text)` and
 * `new CommandError(ExitCode.Failed, text)` of ../command-error.js end the command with one line and no stack; `addressText` of
 * ../options/address.js writes `host:port`; `stdout` and `stderr` of ../terminal/standard-streams.js are safe against EPIPE.
 * The result of `run` is the exit code. Signals are all yours: nothing here listens to SIGINT or SIGTERM.
 */
export const serve = defineCommand({
  name: 'serve',
  summary: 'Run a server for a directory',
  usage: '',
  notes: [
    'Without --user and --users, the first start creates the user admin with a random password, prints it once, and keeps only ' +
      'what is needed to check it. SIGTERM and Ctrl-C let running transfers finish (see --drain-timeout); a second one ends at once.',
  ],
  options: {
    listen: {
      kind: 'address',
      placeholder: 'HOST:PORT',
      default: '127.0.0.1:9999',
      summary: 'address to listen on; [::1]:0 for IPv6 and a free port',
    },
    root: {
      kind: 'string',
      placeholder: 'DIR',
      default: './files',
      summary: 'directory that is served; must exist, only the default one is created',
    },
    user: {
      kind: 'string',
      placeholder: 'NAME:PASSWORD',
      repeatable: true,
      summary: 'a user who may log in; the process list shows it for a moment, so prefer --users',
    },
    users: {
      kind: 'string',
      placeholder: 'FILE',
      summary: 'file with users and what is needed to check their passwords',
    },
    'max-connections': {
      kind: 'integer',
      placeholder: 'N',
      min: 1,
      max: 1_000_000,
      default: 10_000,
      summary: 'connections at once; lowered to what the limit on open files allows',
    },
    'max-waiting': {
      kind: 'integer',
      placeholder: 'N',
      min: 0,
      max: 1_000_000,
      default: 1024,
      summary: 'connections that may wait for a free place',
    },
    'first-byte-timeout': {
      kind: 'duration',
      placeholder: 'TIME',
      min: 1,
      max: 86_400_000,
      default: 6000,
      summary: 'how long a new connection may be silent',
    },
    'idle-timeout': {
      kind: 'duration',
      placeholder: 'TIME',
      min: 0,
      max: 86_400_000,
      default: 300_000,
      summary: 'silence after which a connection is closed; 0 for never',
    },
    durability: {
      kind: 'choice',
      placeholder: 'LEVEL',
      choices: ['durable', 'memory'],
      default: 'durable',
      summary: 'what an acknowledged upload has reached: durable, the disk; memory, the hands of the system',
    },
    'drain-timeout': {
      kind: 'duration',
      placeholder: 'TIME',
      min: 0,
      max: 86_400_000,
      default: 10_000,
      summary: 'how long running transfers may go on after SIGTERM',
    },
    'log-level': {
      kind: 'choice',
      placeholder: 'LEVEL',
      choices: ['error', 'warn', 'info', 'debug'],
      default: 'info',
      summary: 'the least important lines that are logged: error, warn, info or debug',
    },
  },
  examples: [
    { line: 'sluice serve', purpose: 'serve ./files on 127.0.0.1:9999' },
    {
      line: 'sluice serve --listen 0.0.0.0:9999 --root /srv/files --users /etc/sluice/users',
      purpose: 'serve a directory to the network',
    },
  ],
  async run() {
    throw new Error('sluice serve is not built yet');
  },
});
