const { SLUICE_URL, SLUICE_PASSWORD, NO_COLOR, TERM } = process.env;

/** The environment variables that the command reads. */
export const environment = {
  /** Where operands without a server lead. */
  url: SLUICE_URL,
  password: SLUICE_PASSWORD,
  /** https://no-color.org: set and not empty. */
  wantsColours: !NO_COLOR,
  /** Without one, nothing that is written can be taken back. */
  hasCursor: TERM !== 'dumb',
} as const;
