import { ServerError, type UserChange, type UserRecord } from '../server-api.js';

/** Users of the demonstration. */
export class DemoUsers {
  readonly #users = new Map<string, UserRecord>(
    ['ada', 'admin', 'alan', 'barbara', 'grace'].map((name) => [
      name,
      {
        name,
        role: name === 'admin' ? 'admin' : name === 'alan' ? 'read-only' : 'user',
        root: name === 'admin' ? '' : `home/${name}`,
        ...(name === 'grace' && { quotaBytes: 10 * 2 ** 30 }),
        isDisabled: name === 'barbara',
        logins: ['scram'],
      },
    ]),
  );

  get list(): readonly UserRecord[] {
    return [...this.#users.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  set({ name, isNew, role, root, quotaBytes, isDisabled, expires }: UserChange): void {
    const before = this.#users.get(name);
    if (isNew ? before : !before) throw new ServerError('refused', 'there is, or is not, such a user');
    const { quotaBytes: quotaBefore, expires: expiresBefore, ...kept } = before ?? NEW;
    const [quota, end] = [quotaBytes === undefined ? quotaBefore : quotaBytes, expires ?? expiresBefore];
    this.#users.set(name, {
      ...kept,
      name,
      ...(role && { role }),
      ...(root !== undefined && { root }),
      ...(isDisabled !== undefined && { isDisabled }),
      ...(typeof quota === 'number' && { quotaBytes: quota }),
      ...(expires !== null && end && { expires: end }),
    });
  }

  remove(name: string): void {
    this.#users.delete(name);
  }
}

const NEW: UserRecord = { name: '', role: 'user', root: '', isDisabled: false, logins: ['scram'] };
