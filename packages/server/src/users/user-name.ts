/** Longest user name, in characters. */
export const MAX_USER_NAME_LENGTH = 64;

/** Says what is wrong with a user name, or nothing. */
export function faultOfName(name: string): string | undefined {
  if (name === '') return 'the name is empty';
  if (Array.from(name).length > MAX_USER_NAME_LENGTH) return `the name is above ${MAX_USER_NAME_LENGTH} characters`;
  if (/[\p{Cc}\p{Surrogate}]/u.test(name)) return 'the name has a control character';
  return undefined;
}
