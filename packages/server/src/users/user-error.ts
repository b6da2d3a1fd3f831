/** `ERR_USERS_FILE_MISSING`: there is no such file. `ERR_USERS_FILE`: it cannot be read, written or understood. */
export type UserErrorCode = 'ERR_USER_OPTION' | 'ERR_USER_NAME' | 'ERR_USERS_FILE_MISSING' | 'ERR_USERS_FILE';

/** A mistake in how users are configured, for the operator to correct. The message never holds a password. */
export class UserError extends Error {
  override readonly name = 'UserError';
  readonly code: UserErrorCode;

  constructor(code: UserErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
