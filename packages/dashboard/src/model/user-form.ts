import type { UserChange, UserRecord, UserRole } from '../server-api.js';

/** What stands in the fields in which a user is made or changed. */
export interface UserForm {
  readonly name: string;
  readonly role: UserRole;
  readonly root: string;
  /** As people write it: `10G`, or nothing. */
  readonly quota: string;
  /** A day, `2027-01-31`, or nothing. */
  readonly expires: string;
  readonly password: string;
}

/** What is wrong in which field, for people. */
export type FormProblems = { readonly [Name in keyof UserForm]?: string };

/** Characters that are not taken for one another, and are typed without shift. */
const ALPHABET = 'abcdefghjkmnpqrstuvwxyz23456789';
const PASSWORD_LENGTH = 20;
const UNITS: readonly string[] = ['', 'K', 'M', 'G', 'T', 'P'];

/** The fields of a user as it is, or of a new one. */
export function formOf(user: UserRecord | undefined): UserForm {
  return {
    name: user?.name ?? '',
    role: user?.role ?? 'user',
    root: user?.root ?? '',
    quota: user?.quotaBytes === undefined ? '' : quotaText(user.quotaBytes),
    expires: user?.expires?.slice(0, 10) ?? '',
    password: '',
  };
}

/** @param user as it is; `undefined` for one that is to be made @param taken names that are there */
export function problemsOf(form: UserForm, user: UserRecord | undefined, taken: ReadonlySet<string>): FormProblems {
  const name = user ? undefined : userNameProblem(form.name, taken);
  const password = user ? undefined : passwordProblem(form.password);
  return {
    ...(name !== undefined && { name }),
    ...(password !== undefined && { password }),
    ...(form.quota.trim() !== '' && parseQuota(form.quota) === undefined && { quota: 'A size is needed, like 10G.' }),
  };
}

/** What the server is to do; only what is different is said. */
export function changeOf(form: UserForm, user: UserRecord | undefined): UserChange {
  const before = formOf(user);
  const quotaBytes = form.quota.trim() === '' ? null : (parseQuota(form.quota) ?? null);
  const settings = {
    ...(form.root !== before.root && { root: form.root }),
    ...(form.quota !== before.quota && { quotaBytes }),
    ...(form.expires !== before.expires && { expires: form.expires === '' ? null : form.expires }),
  };
  if (!user) return { name: form.name, isNew: true, role: form.role, password: form.password, ...settings };
  return { name: user.name, ...(form.role !== before.role && { role: form.role }), ...settings };
}

export function passwordProblem(password: string): string | undefined {
  if (password === '') return 'A password is needed.';
  return /\p{Cc}/u.test(password) ? 'A password cannot have control characters.' : undefined;
}

/** A password of 20 characters, 99 bits. */
export function randomPassword(): string {
  let password = '';
  while (password.length < PASSWORD_LENGTH) {
    for (const byte of crypto.getRandomValues(new Uint8Array(2 * PASSWORD_LENGTH))) {
      // those above the last whole alphabet would make some characters likelier than others
      if (byte < 256 - (256 % ALPHABET.length) && password.length < PASSWORD_LENGTH)
        password += ALPHABET[byte % ALPHABET.length];
    }
  }
  return password;
}

/** `10G`, `1.5 GiB`, `65536`: every unit is a power of 1024. @returns bytes; `undefined` for what is none of these */
export function parseQuota(text: string): number | undefined {
  const [, number, unit = ''] = /^(\d+(?:\.\d+)?)\s*(?:([KMGTP])(?:iB|B)?|B)?$/i.exec(text.trim()) ?? [];
  if (number === undefined) return undefined;
  const bytes = Math.round(Number(number) * 1024 ** UNITS.indexOf(unit.toUpperCase()));
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}

/** `parseQuota` gives the same number back. */
export function quotaText(bytes: number): string {
  let power = UNITS.length - 1;
  while (power > 0 && (bytes === 0 || bytes % 1024 ** power !== 0)) power -= 1;
  return `${bytes / 1024 ** power}${UNITS[power]}`;
}

/** What a user is to people: whether it can log in. */
export function stateOf({ isDisabled, expires }: UserRecord, nowMs: number): 'active' | 'disabled' | 'expired' {
  if (isDisabled) return 'disabled';
  return expires !== undefined && Date.parse(expires) <= nowMs ? 'expired' : 'active';
}

function userNameProblem(name: string, taken: ReadonlySet<string>): string | undefined {
  if (name === '') return 'A name is needed.';
  if ([...name].length > 64) return 'A name has at most 64 characters.';
  if (/\p{Cc}/u.test(name)) return 'A name cannot have control characters.';
  return taken.has(name) ? 'There is a user of this name already.' : undefined;
}
