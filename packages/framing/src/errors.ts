/** `ERR_FRAME_TOO_LARGE`, `ERR_FRAME_TOO_SMALL`: a declared length outside the decoder's limits. */
export type FramingErrorCode = 'ERR_FRAME_TOO_LARGE' | 'ERR_FRAME_TOO_SMALL';

/** The bytes of a peer cannot be cut into frames. There is no way back into step: close the connection. */
export class FramingError extends Error {
  override readonly name = 'FramingError';
  readonly code: FramingErrorCode;

  constructor(code: FramingErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}

/** An option given by the caller is out of its range or contradicts another. */
export class OptionsError extends Error {
  override readonly name = 'OptionsError';
  readonly code = 'ERR_OPTION_RANGE';
}
