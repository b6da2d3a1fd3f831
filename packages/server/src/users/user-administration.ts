import { RequestError, ResultCode, type SetUserRequest, type UserRecord, type UsersSource } from '@sluice/wire';
import { BusyError } from '../busy-error.js';
import type { Log } from '../log.js';
import type { ManagedUsers } from '../server-controls.js';
import { faultOfSettings, obstacleOf } from './account.js';
import { scramVerifierOf } from './scram-verifier.js';
import { UserError } from './user-error.js';
import { faultOfName } from './user-name.js';
import type { UserStore } from './user-store.js';
import {
  changeUsers,
  loginsOf,
  readUsersFile,
  type SettingsChange,
  type UserEntry,
  withPassword,
  withSettings,
} from './users-file.js';

/** When it is worth another try, while somebody else is changing the file. */
const RETRY_AFTER_MS = 1000;

const FROM_COMMAND_LINE =
  'the users of this server come from its command line (--user): only those of a file can be changed while it runs';

/**
 * What admins do with users over the Control protocol: with the file that `sluice user` changes, by its lock. Nobody is concerned before
 * the file has been read again. docs/protocol.md, section 17.20.
 */
export class UserAdministration implements ManagedUsers {
  readonly #users: UserStore;
  readonly #log: Log;

  /** Lets the server read the users anew, as far as it can. */
  readonly apply: () => Promise<void>;

  constructor(users: UserStore, log: Log, apply: () => Promise<void>) {
    this.#users = users;
    this.#log = log;
    this.apply = apply;
  }

  get source(): UsersSource {
    return this.#users.file === undefined ? 'command-line' : 'file';
  }

  /** All users, in the order of their names. @throws {RequestError} when the file cannot be read */
  async list(): Promise<readonly UserRecord[]> {
    const { file, content } = this.#users;
    const users = file === undefined ? (content?.users ?? []) : await this.#told(() => readUsersFile(file));
    return users.map(recordOf).sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /**
   * Makes or changes a user; durable when it settles.
   *
   * @param actor who does it
   * @throws {RequestError} code 6 for what no user can be, for a new user who is there already, and for one who is not there; 12 while somebody else
   * changes the file; 13 when users come from the command line, and for an admin who would lock out himself
   */
  async set(actor: string, change: SetUserRequest): Promise<void> {
    const { name, isNew, verifier } = change;
    const settings = settingsOf(change);
    const given = Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== null));
    const fault = (isNew && faultOfName(name)) || faultOfSettings(given);
    if (fault) throw new RequestError(ResultCode.ParameterError, fault);
    const scram =
      verifier && scramVerifierOf(verifier.iterations, verifier.salt, verifier.storedKey, verifier.serverKey);
    await this.#change(actor, (users) => {
      const known = users.find((user) => user.name === name);
      if (isNew) {
        if (known) throw new RequestError(ResultCode.ParameterError, `there is a user ${JSON.stringify(name)} already`);
        return [...users, withSettings({ name, ...(scram && { scram }), role: 'user' }, settings)];
      }
      if (!known) throw noSuchUser(name);
      const changed = withSettings(scram ? withPassword(known, { scram }) : known, settings);
      return users.map((user) => (user === known ? changed : user));
    });
  }

  /** Removes a user; the files stay. @throws {RequestError} as `set` */
  async remove(actor: string, name: string): Promise<void> {
    await this.#change(actor, (users) => {
      const left = users.filter((user) => user.name !== name);
      if (left.length === users.length) throw noSuchUser(name);
      return left;
    });
  }

  async #change(actor: string, make: (users: readonly UserEntry[]) => readonly UserEntry[]): Promise<void> {
    const { file } = this.#users;
    if (file === undefined) throw new RequestError(ResultCode.NotPermitted, FROM_COMMAND_LINE);
    await this.#told(() =>
      changeUsers(file, (users) => {
        // Looked at with the lock: two admins cannot take the role from one another at the same time.
        if (!isActiveAdmin(users, actor))
          throw new RequestError(ResultCode.NotPermitted, 'this needs the role admin, which was taken away meanwhile');
        const changed = make(users);
        // One who stays is the last admin, where there is no other.
        if (!isActiveAdmin(changed, actor))
          throw new RequestError(
            ResultCode.NotPermitted,
            'no admin can remove, disable or demote himself: another admin can, so that one is always left',
          );
        return changed;
      }),
    );
  }

  /** Tells a peer nothing of paths and of what the system says: that is for the log. */
  async #told<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      if (error.code === 'ERR_USERS_FILE_LOCKED')
        throw new BusyError('somebody else is changing the users', RETRY_AFTER_MS);
      this.#log.error('users file cannot be used', { detail: error.message });
      const message = 'the users file cannot be read or changed: the log of the server says why';
      throw new RequestError(ResultCode.UnknownError, message, { cause: error });
    }
  }
}

function isActiveAdmin(users: readonly UserEntry[], name: string): boolean {
  const user = users.find((each) => each.name === name);
  return user?.role === 'admin' && obstacleOf({ ...user, role: user.role }, new Date()) === undefined;
}

function noSuchUser(name: string): RequestError {
  return new RequestError(ResultCode.ParameterError, `there is no user ${JSON.stringify(name)}`);
}

/** As the file has them: what is as without it is left out. */
function settingsOf({ role, root, quotaBytes, isDisabled, expires }: SetUserRequest): SettingsChange {
  return {
    ...(role !== undefined && { role }),
    ...(root !== undefined && { root: /^[/\\]*$/.test(root) ? null : root }),
    ...(quotaBytes !== undefined && { quota: quotaBytes }),
    ...(isDisabled !== undefined && { disabled: isDisabled || null }),
    ...(expires !== undefined && { expires }),
  };
}

function recordOf(user: UserEntry): UserRecord {
  const { name, role = 'user', root = '', quota, disabled = false, expires } = user;
  return {
    name,
    role,
    root,
    ...(quota !== undefined && { quotaBytes: quota }),
    isDisabled: disabled,
    ...(expires !== undefined && { expires }),
    logins: loginsOf(user),
  };
}
