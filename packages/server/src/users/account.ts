import { ROLES, type Role } from '../principal.js';
import { parseDirectoryName } from '../storage/path-name.js';

/** What a user may do, where, for how long, and how much. */
export interface AccountSettings {
  readonly role: Role;
  /** Directory below the server's root that is the user's root; empty for the server's root itself. @default '' */
  readonly root?: string;
  /** How much the files below that root may have together, in bytes. @default no limit */
  readonly quota?: number;
  /** @default false */
  readonly disabled?: boolean;
  /** ISO 8601, with a time zone; from then on the user cannot log in. @default never */
  readonly expires?: string;
}

/** Why a user who exists cannot log in. */
export type AccountObstacle = 'disabled' | 'expired';

/** What stands in the way of a login, if anything does. */
export function obstacleOf({ disabled, expires }: AccountSettings, now: Date): AccountObstacle | undefined {
  if (disabled) return 'disabled';
  return expires !== undefined && Date.parse(expires) <= now.getTime() ? 'expired' : undefined;
}

/** Says what is wrong with settings that came from a file or a command line, or nothing. */
export function faultOfSettings(settings: Readonly<Record<string, unknown>>): string | undefined {
  const { role, root, quota, disabled, expires } = settings;
  if (role !== undefined && !ROLES.some((each) => each === role)) return `"role" is not one of ${ROLES.join(', ')}`;
  if (root !== undefined && (typeof root !== 'string' || !isDirectoryName(root)))
    return '"root" is not a directory below the root of the server, like "home/ada"';
  if (quota !== undefined && !(Number.isSafeInteger(quota) && (quota as number) >= 0))
    return '"quota" is not a number of bytes';
  if (disabled !== undefined && typeof disabled !== 'boolean') return '"disabled" is neither true nor false';
  if (expires !== undefined && (typeof expires !== 'string' || !isTime(expires)))
    return '"expires" is not a time like "2027-01-31T00:00:00Z"';
  return undefined;
}

function isDirectoryName(text: string): boolean {
  try {
    return parseDirectoryName(text)[0] !== '.sluice';
  } catch {
    return false;
  }
}

function isTime(text: string): boolean {
  return (
    /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d))?$/.test(text) && !Number.isNaN(Date.parse(text))
  );
}
