import { mkdir } from 'node:fs/promises';
import {
  type AccountSettings,
  addUser,
  type ChangeUsersOptions,
  changePassword,
  changeSettings,
  faultOfName,
  faultOfSettings,
  loginsOf,
  obstacleOf,
  ownUsersFile,
  randomPassword,
  readUsersFile,
  removeUser,
  type SettingsChange,
  type UserEntry,
  UserError,
} from '@sluice/server';
import type { Invocation } from '../command.js';
import { CommandError, usageError } from '../command-error.js';
import { requireDirectory } from '../commands/serve.js';
import type { userOptions } from '../commands/user.js';
import { ExitCode } from '../exit-code.js';
import { Interruption } from '../interruption.js';
import { formatBytes, parseBytes } from '../options/quantities.js';
import { nearestName } from '../options/suggestion.js';
import { findNewPassword } from '../password.js';
import { messageLine } from '../terminal/message-line.js';
import { columnsOf, stderr, stdout } from '../terminal/standard-streams.js';
import { type TableColumn, tableLines } from '../terminal/table.js';

type UserInvocation = Invocation<typeof userOptions>;

const actions = ['add', 'passwd', 'set', 'disable', 'enable', 'rm', 'list'] as const;
type Action = (typeof actions)[number];

/** The actions that take an option which not all take. */
const takers: Readonly<Record<string, readonly Action[]>> = {
  'password-file': ['add', 'passwd'],
  generate: ['add', 'passwd'],
  'no-digest': ['add', 'passwd'],
  role: ['add', 'set'],
  'user-root': ['add', 'set'],
  quota: ['add', 'set'],
  expires: ['add', 'set'],
  json: ['list'],
};

/** `sluice user`. */
export async function user(invocation: UserInvocation): Promise<number> {
  const { action, name } = understand(invocation);
  const file = invocation.options.users ?? ownUsersFile(invocation.options.root);
  try {
    await actOn[action](file, name, invocation);
  } catch (error) {
    throw error instanceof UserError ? toldToOperator(error, name) : error;
  }
  return ExitCode.Done;
}

const actOn: Readonly<Record<Action, (file: string, name: string, invocation: UserInvocation) => Promise<void>>> = {
  add,
  passwd,
  set,
  disable: (file, name) => interruptibly((changing) => changeSettings(file, name, { disabled: true }, changing)),
  enable: (file, name) => interruptibly((changing) => changeSettings(file, name, { disabled: null }, changing)),
  rm,
  list,
};

/** @throws {CommandError} exit code 2 */
function understand({ operands, given }: UserInvocation): { readonly action: Action; readonly name: string } {
  const [word, name, ...others] = operands;
  const action = actions.find((each) => each === word);
  if (!action) {
    if (word === undefined)
      throw usageError('user needs to know what to do: add, passwd, set, disable, enable or rm NAME, or list');
    const nearest = nearestName(word, actions);
    throw usageError(
      `unknown user command ${word}: ${nearest ? `did you mean ${nearest}?` : 'there are add, passwd, set, disable, enable, rm and list'}`,
    );
  }
  if (action === 'list' && name !== undefined) throw usageError(`user list takes no name: ${name}`);
  if (action !== 'list' && name === undefined)
    throw usageError(`user ${action} needs a name: sluice user ${action} NAME`);
  if (others.length > 0) {
    const hint = action === 'rm' ? 'call it once for each' : 'a password is never given on the command line';
    throw usageError(`user ${action} takes one name: ${hint}`);
  }
  for (const [option, able] of Object.entries(takers)) {
    if (given.has(option) && !able.includes(action))
      throw usageError(`--${option} is for user ${able.join(' and ')} only`);
  }
  if (given.has('users') && given.has('root')) throw usageError('name the file by --users or by --root, not by both');
  if (given.has('password-file') && given.has('generate')) {
    throw usageError('give the password by --password-file or by --generate, not by both');
  }
  return { action, name: name ?? '' };
}

async function add(file: string, name: string, invocation: UserInvocation): Promise<void> {
  const fault = faultOfName(name);
  if (fault) throw usageError(`user ${name || '""'} cannot be added: ${fault}`);
  const { options, given } = invocation;
  if (options.users === undefined) {
    // as serve does it: a wrong --root is not made
    if (!given.has('root')) await mkdir(options.root, { recursive: true });
    await requireDirectory(options.root);
  }
  const settings = withoutNulls(settingsOf(invocation, 'user'));
  // `addUser` finds that out, too, but nobody should type a password twice before
  if (await hasUser(file, name, { ifMissing: false })) throw existsAlready(name);
  await withNewPassword(name, invocation, (password, changing) =>
    addUser(file, name, password, { ...changing, settings, digest: !options['no-digest'] }),
  );
}

async function set(file: string, name: string, invocation: UserInvocation): Promise<void> {
  const settings = settingsOf(invocation);
  if (Object.keys(settings).length === 0)
    throw usageError('user set needs to know what: --role, --user-root, --quota or --expires');
  await interruptibly((changing) => changeSettings(file, name, settings, changing));
}

/** What the options say; `null` for what is to be taken back. @param role for who was given none @throws {CommandError} exit code 2 */
function settingsOf({ options, given }: UserInvocation, role?: AccountSettings['role']): SettingsChange {
  const { 'user-root': root, quota, expires } = options;
  const quotaBytes = quota === undefined || quota === 'none' ? null : parseBytes(quota);
  if (quotaBytes === undefined)
    throw usageError(`--quota ${quota || '""'} cannot be used: give a size like 10G, or none`);
  const settings: SettingsChange = {
    ...(given.has('role') ? { role: options.role } : role && { role }),
    ...(root !== undefined && { root: /^[/\\]*$/.test(root) ? null : root }),
    ...(quota !== undefined && { quota: quotaBytes }),
    ...(expires !== undefined && { expires: expires === 'never' ? null : expires }),
  };
  const fault = faultOfSettings(withoutNulls(settings));
  if (fault)
    throw usageError(
      `the user cannot be like that: ${fault.replace('"root"', '--user-root').replace('"expires"', '--expires')}`,
    );
  return settings;
}

function withoutNulls(settings: SettingsChange): Partial<AccountSettings> {
  return Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== null));
}

async function passwd(file: string, name: string, invocation: UserInvocation): Promise<void> {
  if (!(await hasUser(file, name))) throw noSuchUser(name);
  const digest = !invocation.options['no-digest'];
  await withNewPassword(name, invocation, (password, changing) =>
    changePassword(file, name, password, { ...changing, digest }),
  );
}

async function rm(file: string, name: string): Promise<void> {
  const left = await interruptibly((changing) => removeUser(file, name, changing));
  if (left === 0) stderr.write(`${messageLine(`${file} has no users any more: nobody can log in`)}\n`);
}

async function list(file: string, _name: string, { options }: UserInvocation): Promise<void> {
  const users = await readUsersFile(file);
  if (options.json) {
    const shown = users.map((user) => ({ ...user, verifier: undefined, scram: undefined, logins: loginsOf(user) }));
    stdout.write(shown.map((user) => `${JSON.stringify(user)}\n`).join(''));
    return;
  }
  const width = stdout.isTTY ? columnsOf(stdout) : Number.POSITIVE_INFINITY;
  stdout.write(`${tableLines(userColumns(new Date()), users, { width }).join('\n')}\n`);
}

function userColumns(now: Date): readonly TableColumn<UserEntry>[] {
  return [
    { heading: 'NAME', text: ({ name }) => name, giveWay: 0, minWidth: 12 },
    { heading: 'ROLE', text: ({ role = 'user' }) => role, giveWay: 1 },
    {
      heading: 'STATUS',
      text: ({ role = 'user', ...user }) => obstacleOf({ role, ...user }, now) ?? 'active',
      giveWay: 2,
    },
    { heading: 'ROOT', text: ({ root }) => root || '/', giveWay: 3, minWidth: 12 },
    {
      heading: 'QUOTA',
      text: ({ quota }) => (quota === undefined ? '-' : formatBytes(quota)),
      align: 'right',
      giveWay: 4,
    },
    { heading: 'EXPIRES', text: ({ expires }) => expires ?? '-', giveWay: 5 },
    { heading: 'LOGIN', text: (user) => loginsOf(user).join(' '), giveWay: 6 },
  ];
}

/** @throws {UserError} `ERR_USERS_FILE_MISSING`, unless `ifMissing` says what is the answer then */
async function hasUser(file: string, name: string, options: { readonly ifMissing?: boolean } = {}): Promise<boolean> {
  try {
    return (await readUsersFile(file)).some((user) => user.name === name);
  } catch (error) {
    const isMissing = error instanceof UserError && error.code === 'ERR_USERS_FILE_MISSING';
    if (isMissing && options.ifMissing !== undefined) return options.ifMissing;
    throw error;
  }
}

async function withNewPassword(
  name: string,
  { options }: UserInvocation,
  set: (password: string, changing: ChangeUsersOptions) => Promise<void>,
): Promise<void> {
  const password = options.generate ? randomPassword() : await findNewPassword(name, options['password-file']);
  await interruptibly((changing) => set(password, changing));
  if (options.generate) stdout.write(`${password}\n`);
}

/** A signal ends the wait for the file, and not a change that has begun. */
async function interruptibly<T>(work: (changing: ChangeUsersOptions) => Promise<T>): Promise<T> {
  using interruption = new Interruption();
  const { signal } = interruption;
  try {
    return await work({ signal });
  } catch (error) {
    if (!signal.aborted || error !== signal.reason) throw error;
    throw new CommandError(ExitCode.Interrupted, 'interrupted: nothing was changed');
  }
}

function toldToOperator(error: UserError, name: string): CommandError {
  switch (error.code) {
    case 'ERR_USER_EXISTS':
      return existsAlready(name);
    case 'ERR_USER_MISSING':
      return noSuchUser(name);
    case 'ERR_USERS_FILE_MISSING':
      return new CommandError(ExitCode.Failed, `${error.message}: sluice user add NAME makes it`, { cause: error });
    default:
      return new CommandError(ExitCode.Failed, error.message, { cause: error });
  }
}

function existsAlready(name: string): CommandError {
  const advice = `change the password with sluice user passwd ${shellWord(name)}`;
  return new CommandError(ExitCode.Failed, `user ${name} exists already: ${advice}`);
}

function noSuchUser(name: string): CommandError {
  return new CommandError(ExitCode.Failed, `there is no user ${name}: sluice user list shows who is there`);
}

/** To be copied. */
function shellWord(text: string): string {
  return /^[\w.@][\w.@-]*$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
