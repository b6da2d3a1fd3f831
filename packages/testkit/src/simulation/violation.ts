/** Something that must always hold did not. */
export class Violation extends Error {
  override readonly name = 'Violation';
  /** Which invariant; the same text for the same kind of fault. */
  readonly invariant: string;

  constructor(invariant: string, detail: string, options?: ErrorOptions) {
    super(`${invariant}: ${detail}`, options);
    this.invariant = invariant;
  }
}
