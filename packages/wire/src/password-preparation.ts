/** Blanks of other scripts, and characters that mean nothing: tables C.1.2 and B.1 of RFC 3454. */
const BLANKS = /[\u00a0\u1680\u2000-\u200b\u202f\u205f\u3000]/g;
const NOTHING = /\u00ad|\u034f|\u1806|[\u180b-\u180d]|\u200c|\u200d|\u2060|[\ufe00-\ufe0f]|\ufeff/g;

/**
 * Makes one text of all ways to write a password: SASLprep (RFC 4013) without its tables of what may not be. All blanks become a space, soft
 * hyphens and their like nothing, the rest NFKC. Other than SASLprep, characters that Unicode has got since 2002 may be used, and so may any
 * mixture of directions.
 *
 * @returns `undefined` for what can be no password: with control characters or halves of characters, or empty
 */
export function preparePassword(password: string): string | undefined {
  if (/[\p{Cc}\p{Surrogate}]/u.test(password)) return undefined;
  const prepared = password.replace(BLANKS, ' ').replace(NOTHING, '').normalize('NFKC');
  return prepared === '' ? undefined : prepared;
}
