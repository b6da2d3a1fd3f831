const { SLUICE_URL, SLUICE_PASSWORD, SLUICE_TLS_CA, SLUICE_TLS_FINGERPRINT, SLUICE_LOGIN, NO_COLOR, TERM } =
  process.env;

/** The environment variables that the command reads. */
export const environment = {
  /** Where operands without a server lead. */
  url: SLUICE_URL,
  password: SLUICE_PASSWORD,
  /** File with the authorities that are trusted, for servers with TLS. */
  tlsCa: SLUICE_TLS_CA || undefined,
  /** The one certificate that is trusted. */
  tlsFingerprint: SLUICE_TLS_FINGERPRINT || undefined,
  /** How to log in, as `--login` has it. */
  login: SLUICE_LOGIN || undefined,
  /** https://no-color.org: set and not empty. */
  wantsColours: !NO_COLOR,
  /** Without one, nothing that is written can be taken back. */
  hasCursor: TERM !== 'dumb',
} as const;
