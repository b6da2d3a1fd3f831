/**
 * `ERR_USERS_FILE_MISSING`: there is no such file. `ERR_USERS_FILE`: it cannot be read, written or understood.
 * `ERR_USERS_FILE_LOCKED`: somebody else was changing it all the time. `ERR_USER_EXISTS`, `ERR_USER_MISSING`: the file
 * has a user of that name, or none.
 */
export type UserErrorCode =
  | 'ERR_USER_OPTION'
  | 'ERR_USER_NAME'
  | 'ERR_USER_PASSWORD'
  | 'ERR_USER_SETTING'
  | 'ERR_USER_EXISTS'
  | 'ERR_USER_MISSING'
  | 'ERR_USERS_FILE_MISSING'
  | 'ERR_USERS_FILE_LOCKED'
  | 'ERR_USERS_FILE';

/** A mistake in how users are configured, for the operator to correct. The message never holds a password. */
export class UserError extends Error {
  override readonly name = 'UserError';
  readonly code: UserErrorCode;

  constructor(code: UserErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
