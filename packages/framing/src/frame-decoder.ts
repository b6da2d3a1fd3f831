/**
 * Receives what a decoder finds. All calls are made from within `push` or `resume`, in the order of the bytes.
 *
 * Bytes are handed over as a range of `source`: no view is made, nothing is copied where it can be avoided. They stay valid until
 * `push` or `resume` returns and the caller makes the next call to either; who needs them for longer copies them.
 */
export interface FrameSink {
  /**
   * One whole frame, prefix included, at `source[start, end)`.
   *
   * @returns `true` to go on; `false` to stop after this frame: the bytes behind it are kept until `resume`
   */
  onFrame(source: Uint8Array, start: number, end: number): boolean;

  /**
   * Optional. A frame of `frameLength` bytes has begun: `source[start, end)` holds what has come, at least its prefix, not all of it.
   * Asked again whenever more has come.
   *
   * @returns `true` to take the frame in pieces: these bytes are the first one, the others come through `onPiece`, and nothing of the
   *   frame is kept; `false` to have it assembled
   */
  onBegun?(source: Uint8Array, start: number, end: number, frameLength: number): boolean;

  /**
   * The next bytes of a frame that `onBegun` took in pieces.
   *
   * @returns as `onFrame`
   */
  onPiece?(source: Uint8Array, start: number, end: number, isLast: boolean): boolean;
}

/** Chunks in, frames out. "Not enough yet" is not an error: the decoder keeps what it has and waits. */
export interface FrameDecoder {
  /**
   * Takes the bytes `source[start, end)` and reports each frame they complete.
   *
   * @returns `true` when it wants more; `false` when the sink stopped it: call `resume` before the next `push`. Bytes pushed in between
   *   are kept in order
   * @throws {FramingError} when a declared length is outside the limits; frames in front of it have been reported
   */
  push(source: Uint8Array, start: number, end: number): boolean;

  /** Goes on where the sink stopped. @returns as `push` */
  resume(): boolean;

  /** Keeps the bytes `source[start, end)` for `resume`, behind those that wait for it, without looking at them. */
  hold(source: Uint8Array, start: number, end: number): void;

  /** Bytes of unfinished or held-back frames. */
  readonly bufferedBytes: number;

  /** Whether a frame has begun and is not complete, or frames are held back. */
  readonly isMidFrame: boolean;

  /** Gives all memory back and drops what is unfinished. The decoder can be used again, from the start of a frame. */
  reset(): void;
}
