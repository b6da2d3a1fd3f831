/**
 * Whether a name that a server sent may become a name on this machine: one component, and not one that means another place.
 * A server may be hostile, and its names decide which files are written here.
 */
export function isSafeName(name: string): boolean {
  return name !== '' && name !== '.' && name !== '..' && !/[/\\\0]/.test(name);
}
