/** What the operator has switched while the server runs. */
export interface ServerMode {
  /** Nobody may change files. Uploads that are open may end. */
  isReadOnly: boolean;
}
