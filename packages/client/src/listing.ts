/** An entry of a directory on the server. */
export interface ListEntry {
  readonly name: string;
  readonly kind: 'directory' | 'file';
  /** In bytes; files only. */
  readonly size?: number;
}
